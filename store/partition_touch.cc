// touch and gat: a new expiry for a live item. Its CAS number stays, as memcached's does. Owner only.
// An item that was to live for ever has no room for a time, and is given some: where it lies, or by moving. If there is
// no memory for that, it is gone, as if it had been evicted: living on for ever would be wrong.
#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

/// Room for a time in an item that has none. Null: there was no memory, and it is gone.
Item* Partition::give_time(const Key& key, IndexSlot slot, Seconds now) noexcept {
  Item& item = *item_at(slot.ref());
  if (!is_pinned(item) && sizes_.contiguous(item.item_bytes() + kTimeBytes) == class_of(item)) {
    uncount(item);
    item.insert_time();
    count(item);
    return &item;
  }
  const std::uint64_t epoch = index_.epoch();
  const ItemShape shape{item.key_bytes(), true, item.has_client_flags(), item.value_bytes(), item.has_given_cas()};
  Item* timed = allocate_beside(item, shape, key.bytes, now);
  const IndexSlot place = index_.epoch() == epoch ? slot : index_.find(key);
  MR_ASSERT(place && item_at(place.ref()) == &item);
  if (timed == nullptr) {
    unlink(key.hash, place);
    return nullptr;
  }
  if (item.has_client_flags()) {
    timed->set_client_flags(item.client_flags());
  }
  FillCursor cursor;
  fill(*timed, cursor, item);
  timed->take_history(item);
  if (item.has_given_cas()) {
    timed->set_given_cas(item.cas());
  }
  supersede(place, *timed);
  return timed;
}

/// A new expiry; an item that has no room for one may move. Null: there was no memory, and it is gone.
Item* Partition::expire_at(const Key& key, IndexSlot slot, Seconds expires_at, Seconds now) noexcept {
  Item* item = item_at(slot.ref());
  if (expires_at != kNever && !item->has_time()) {
    item = give_time(key, slot, now);
    if (item == nullptr) {
      return nullptr;
    }
  }
  set_expiry(*item, expires_at);
  return item;
}

const Item* Partition::get_and_touch(const Key& key, Seconds expires_at, Seconds now) noexcept {
  advance(now);
  ++counters_.cmd_touch;
  const IndexSlot slot = find_live(key, now);
  if (!slot) {
    ++counters_.touch_misses;
    return nullptr;
  }
  Item* item = expire_at(key, slot, expires_at, now);
  if (item == nullptr) {
    ++counters_.touch_misses;
    return nullptr;
  }
  note_hit(*item);
  ++counters_.touch_hits;
  ++class_stats_[class_of(*item)].touch_hits;
  return item;
}

Outcome Partition::touch(const Key& key, Seconds expires_at, Seconds now) noexcept {
  return get_and_touch(key, expires_at, now) != nullptr ? Outcome::Touched : Outcome::NotFound;
}

}  // namespace millrace::store
