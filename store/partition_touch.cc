// touch and gat: a new expiry for a live item. Its CAS number stays, as memcached's does. Owner only.
#include "store/partition.h"

namespace millrace::store {

const Item* Partition::get_and_touch(const Key& key, Seconds expires_at, Seconds now) noexcept {
  advance(now);
  ++counters_.cmd_touch;
  const IndexSlot slot = find_live(key, now);
  if (!slot) {
    ++counters_.touch_misses;
    return nullptr;
  }
  Item* item = item_at(slot.ref());
  item->set_expires_at(expires_at);
  item->bump();
  ++counters_.touch_hits;
  ++class_stats_[class_of(*item)].touch_hits;
  return item;
}

Outcome Partition::touch(const Key& key, Seconds expires_at, Seconds now) noexcept {
  return get_and_touch(key, expires_at, now) != nullptr ? Outcome::Touched : Outcome::NotFound;
}

}  // namespace millrace::store
