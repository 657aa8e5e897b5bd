// Upkeep in bounded slices: the index's growth, pages between classes, a lowered limit, what a flush has left behind.
// Owner only.
#include <algorithm>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// After looking for a page in vain, so many items are stored before the next look.
constexpr std::uint64_t kRetryStores = 1024;
/// A page that the index got by emptying it is followed by so many stores before the next: hundreds in a row would be
/// the pause that growing in steps is to avoid. A page of buckets serves ten thousand items, so nothing is lost.
constexpr std::uint64_t kStoresPerEmptiedPage = 64;
/// Pages over the limit that one housekeep() empties, and none after so many slots.
constexpr std::uint32_t kSurplusPagesMax = 4;
constexpr std::uint32_t kSurplusSlotsMax = 256;
/// So many turnovers of the cache after the last who came without a page, none is kept for the next.
constexpr std::uint32_t kReserveTurnovers = 2;
/// Pages whose memory goes to the arena's owner or comes from it in one housekeep(): a system call each.
constexpr std::uint32_t kPagesReturnedMax = 8;

}  // namespace

/// Sees to it that the pool has a page to give.
bool Partition::find_page(Seconds now) noexcept {
  return pages_.available() != 0 || (evicts_ && steal_page(now) && pages_.available() != 0);
}

/// Pages between classes: by hits a page with a ghost to tell, else by how fast the hands go round.
void Partition::tend_pages(Seconds now) noexcept {
  if (hungry_class_ != 0) {
    if (rebalances_) {
      rebalance(hungry_class_, now);
    }
    hungry_class_ = 0;
  }
  if (slabs_.draining() == kNoPage) {
    release_step(kDrainSlotsMax);
  }
  if (slabs_.draining() != kNoPage) {
    drain(kDrainSlotsMax, now);
  } else if (mover_.is_due() || wants_next_page()) {
    start_moving_page();
  } else if (wants_reserve()) {
    start_freeing_page();
  }
  if (reserve_ != 0 && counters_.total_items - reserve_asked_at_ > kReserveTurnovers * counters_.curr_items) {
    reserve_ = 0;
  }
  if (probation_wants_room_) {
    probation_wants_room_ = !slabs_.add_page(kOverflowClass);
    if (probation_wants_room_) {
      ask_for_page();
    }
  }
  needs_tending_ = slabs_.draining() != kNoPage || mover_.is_due() || filling_ != 0 || probation_wants_room_ ||
                   wants_reserve() || leaving_ != ItemRef{};
}

MR_COLD void Partition::tend_slowly(Seconds now) noexcept {
  if (cas_ >= kCasRenumber) {
    renumber();
  }
  if (needs_tending_) {
    tend_pages(now);
  }
  if ((!index_.wants_page() && !index_.wants_overflow()) || counters_.total_items < retry_pages_at_) {
    return;
  }
  const bool must_empty = pages_.available() == 0;
  if (must_empty && has_probation_) {
    ask_for_page();
    return;
  }
  const bool found = find_page(now);
  if (must_empty) {
    retry_pages_at_ = counters_.total_items + (found ? kStoresPerEmptiedPage : kRetryStores);
  }
  if (!found) {
    return;
  }
  if (index_.wants_overflow()) {
    slabs_.add_page(kOverflowClass);
  } else if (index_.wants_page()) {  // emptying a page may have ended the want
    index_.give_page(pages_.take(PageUse::Index));
  }
}

/// CAS numbers have run out (at ten million changes a second, after 81 days): numbers what is live anew from 1.
/// Walks everything, once. A client that holds an old number fails one comparison, and asks again.
MR_COLD void Partition::renumber() noexcept {
  const Cas flushed = flushed_cas_;
  Cas next = 0;
  for (std::uint32_t page = 0; page < pages_.pages(); ++page) {
    const std::uint32_t units = slabs_[pages_[page].class_id].chunk_units;
    const std::uint32_t end = pages_[page].fresh_unit;
    for (std::uint32_t unit = 0; unit < end && is_item_page(page); unit += units) {
      std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      if (kind_at(chunk) != Kind::Item) {
        continue;
      }
      Item& item = *reinterpret_cast<Item*>(chunk);
      if (item.change() <= flushed) {
        const KeyHash hash = hash_key(item.key(), seed_);
        unlink(hash, index_.find_ref(hash, pages_.ref_of(&item)));
      } else {
        item.renumber(++next);
      }
    }
  }
  cas_ = next;
  flushed_cas_ = 0;
  change_times_.clear();
  last_evicted_ = {};
}

/// Takes dead items out of the rest of one page, as far as `slots_max` reaches. Returns the slots it looked at, or 1.
std::uint32_t Partition::crawl_page(Seconds now, std::uint32_t slots_max) noexcept {
  const std::uint32_t page = crawl_page_;
  std::uint32_t looked = 0;
  if (is_item_page(page)) {
    const std::uint32_t units = slabs_[pages_[page].class_id].chunk_units;
    const std::uint32_t end = slabs_.fresh_unit(page);
    // The page may have changed hands since: to the next slot of what it holds now.
    std::uint32_t unit = (crawl_unit_ + units - 1) / units * units;
    for (; unit < end && looked < slots_max && is_item_page(page); unit += units, ++looked) {
      std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      if (kind_at(chunk) != Kind::Item || !is_dead(*reinterpret_cast<Item*>(chunk), now)) {
        continue;
      }
      reap(*reinterpret_cast<Item*>(chunk));
    }
    counters_.crawler_items_checked += looked;
    crawl_unit_ = unit;
    if (unit < end && is_item_page(page)) {
      return std::max(looked, 1U);
    }
  }
  crawl_unit_ = 0;
  crawl_page_ = page + 1 < pages_.pages() ? page + 1 : 0;
  --crawl_left_;
  return std::max(looked, 1U);
}

std::uint32_t Partition::housekeep(Seconds now, std::uint32_t items_max) noexcept {
  advance(now);
  release_step(items_max);
  std::uint32_t emptied = 0;
  const std::uint64_t looked_max = counters_.slots_looked + kSurplusSlotsMax;
  while (emptied < kSurplusPagesMax && counters_.slots_looked < looked_max && pages_.surplus() != 0 &&
         steal_page(now)) {
    ++emptied;
  }
  const std::uint32_t returned = pages_.follow_limit(kPagesReturnedMax);
  std::uint32_t looked = 0;
  if (crawls_) {
    looked = pages_.wheel().advance(now, items_max);
    looked += sweep_due(now, items_max - looked);
  }
  while (crawls_ && crawl_left_ != 0 && looked < items_max) {
    looked += crawl_page(now, items_max - looked);
  }
  has_upkeep_ = looked >= items_max || leaving_ != ItemRef{} || returned == kPagesReturnedMax ||
                (emptied != 0 && pages_.surplus() != 0);
  return looked;
}

bool Partition::set_limit(std::uint64_t bytes) noexcept {
  const std::uint64_t pages = bytes >> pages_.page_shift();
  std::uint64_t needed = index_.pages() + pages_of_ghost() + slabs_[kOverflowClass].pages;
  for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
    needed += slabs_[id].pages != 0 ? 1 : 0;
  }
  if (pages > pages_.pages() || pages < std::max<std::uint64_t>(needed, kLimitPagesMin)) {
    return false;
  }
  pages_.set_limit(static_cast<std::uint32_t>(pages));
  set_large_bytes_max();
  has_upkeep_ = true;
  return true;
}

}  // namespace millrace::store
