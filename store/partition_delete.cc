// delete. Owner only.
#include "store/partition.h"

namespace millrace::store {

Outcome Partition::remove(const Key& key, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = find_live(key, now);
  if (!slot) {
    ++counters_.delete_misses;
    return Outcome::NotFound;
  }
  ++counters_.delete_hits;
  ++class_stats_[class_of(*item_at(slot.ref()))].delete_hits;
  unlink(key.hash, slot);
  return Outcome::Deleted;
}

}  // namespace millrace::store
