// append and prepend: the old value and the new bytes as one item, with the old flags and expiry. Owner only.
// When the longer value still fits its chunk and nobody has it pinned, the bytes are put beside the old ones in place.
// A value that would grow too large, or finds no memory, leaves the old one as it was: unlike with set, it is not
// stale.
#include <algorithm>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

StoreReply Partition::concat(const Key& key, IndexSlot old, std::string_view bytes, const Item* from, bool at_end,
                             Seconds now) noexcept {
  Item& item = *item_at(old.ref());
  const std::uint64_t added = from != nullptr ? from->value_bytes() : bytes.size();
  if (item.item_bytes() + added > item_bytes_max_) {
    ++counters_.store_too_large;
    return {Outcome::TooLarge};
  }
  if (from != nullptr && !from->is_chained()) {
    bytes = {from->value(), from->value_bytes()};
    from = nullptr;
  }
  const ItemShape shape{item.key_bytes(), item.has_time(), item.has_client_flags(),
                        item.value_bytes() + static_cast<std::uint32_t>(added), item.has_given_cas()};
  if (from == nullptr && !item.is_chained() && !is_pinned(item) &&
      sizes_.contiguous(shape.contiguous_bytes()) == class_of(item)) {
    concat_in_place(item, bytes, at_end);
    const Cas cas = item.cas();
    tend(now);
    return {Outcome::Stored, cas};
  }
  const std::uint64_t epoch = index_.epoch();
  Item* joined = allocate_beside(item, shape, key.bytes, now);
  if (joined == nullptr) {
    ++counters_.store_no_memory;
    return {Outcome::OutOfMemory};
  }
  FillCursor cursor;
  if (at_end) {
    fill(*joined, cursor, item);
  }
  if (from != nullptr) {
    fill(*joined, cursor, *from);
  } else {
    fill(*joined, cursor, bytes);
  }
  if (!at_end) {
    fill(*joined, cursor, item);
  }
  const IndexSlot place = index_.epoch() == epoch ? old : index_.find(key);
  MR_ASSERT(place && item_at(place.ref()) == &item);
  return finish(key.hash, *joined, place, item.client_flags(), item.expires_at(), now);
}

void Partition::concat_in_place(Item& item, std::string_view bytes, bool at_end) noexcept {
  uncount(item);
  const std::uint32_t before = item.value_bytes();
  char* value = item.value();
  if (at_end) {
    std::memcpy(value + before, bytes.data(), bytes.size());
  } else {
    std::memmove(value + bytes.size(), value, before);
    std::memcpy(value, bytes.data(), bytes.size());
  }
  item.resize_value(before + static_cast<std::uint32_t>(bytes.size()));
  item.set_cas(next_cas());
  item.set_marks(false, false);
  count(item);
  ++counters_.total_items;
}

}  // namespace millrace::store
