// flush_all, now or later: a mark in the order of changes, below which every item is dead. Owner only.
// What is dead then and nobody asks for is taken out by one crawl over all pages (housekeeping.cc).
// Why CAS numbers and not seconds: what is stored after a flush in the same second stays.
#include "store/partition.h"

namespace millrace::store {

void Partition::flush(Seconds at, Seconds now) noexcept {
  advance(now);
  if (at <= now) {
    flush_now();
  } else {
    flush_at_ = at;
  }
}

MR_COLD void Partition::begin_second(Seconds now) noexcept {
  if (now >= flush_at_) {
    flush_now();
  }
  change_times_.note(now, cas_);
  next_second_ = now + 1;
}

MR_COLD void Partition::flush_now() noexcept {
  flush_at_ = kNoFlush;
  flushed_cas_ = cas_;
  crawl_left_ = pages_.pages();
  crawl_unit_ = 0;
  has_upkeep_ = true;
}

}  // namespace millrace::store
