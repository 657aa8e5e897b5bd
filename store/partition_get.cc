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

MR_ALWAYS_INLINE Partition::Got Partition::get_uncounted(const Key& key, Seconds now) noexcept {
  const Item::Head head = index_.find_item(key);
  if (!head) {
    return {};
  }
  if (MR_UNLIKELY(is_dead(head, now))) {
    drop_dead(key, index_.find(key), now);
    return {};
  }
  auto& item = const_cast<Item&>(head.item());  // it is this partition's
  if (MR_UNLIKELY(!head.is_at_top() || keeps_records_)) {
    note_hit(item);
  }
  const Item::View view = head.view();
  ++class_stats_[class_of(item, view.item_bytes)].get_hits;
  return {.item = &item,
          .value = MR_LIKELY(!view.is_chained) ? view.value : nullptr,
          .value_bytes = view.value_bytes,
          .client_flags = view.client_flags};
}

const Item* Partition::get(const Key& key, Seconds now) noexcept {
  advance(now);
  const Item* const item = get_uncounted(key, now).item;
  ++counters_.cmd_get;
  ++(item != nullptr ? counters_.get_hits : counters_.get_misses);
  return item;
}

void Partition::get_all(std::span<const Key> keys, Seconds now, std::span<Got> out) noexcept {
  MR_DCHECK(out.size() == keys.size());
  advance(now);
  std::uint64_t hits = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    out[i] = get_uncounted(keys[i], now);
    hits += out[i].item != nullptr ? 1 : 0;
  }
  counters_.cmd_get += keys.size();
  counters_.get_hits += hits;
  counters_.get_misses += keys.size() - hits;
}

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
