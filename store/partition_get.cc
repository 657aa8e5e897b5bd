// Looking an item up, and lending it. Owner only.
#include "store/partition.h"

namespace millrace::store {

MR_COLD IndexSlot Partition::drop_dead(const Key& key, IndexSlot slot, Seconds now) noexcept {
  if (has_expired(item_at(slot.ref())->expires_at(), now)) {
    ++counters_.get_expired;
  } else {
    ++counters_.get_flushed;
  }
  unlink(key.hash, slot);
  return {};
}

IndexSlot Partition::find_live(const Key& key, Seconds now) noexcept {
  const IndexSlot slot = index_.find(key);
  if (slot && MR_UNLIKELY(is_dead(*item_at(slot.ref()), now))) {
    return drop_dead(key, slot, now);
  }
  return slot;
}

const Item* Partition::get(const Key& key, Seconds now) noexcept { return get_here(key, now); }

const Item* Partition::peek(const Key& key, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = index_.find(key);
  if (!slot || is_dead(*item_at(slot.ref()), now)) {
    return nullptr;
  }
  return item_at(slot.ref());
}

ItemRef Partition::pin(const Item* item) noexcept {
  const ItemRef ref = pages_.ref_of(item);
  if (!pins_.add(ref)) {
    return ItemRef{};
  }
  ++counters_.pins;
  return ref;
}

void Partition::unpin(ItemRef ref) noexcept {
  --counters_.pins;
  if (pins_.drop(ref) && item_at(ref)->kind() == Kind::Held) {
    release(*item_at(ref));
  }
}

}  // namespace millrace::store
