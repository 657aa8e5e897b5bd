// The pieces of a value: walking them, and filling them. Reading is for whoever holds the item, the rest owner only.
#include <algorithm>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

/// What lies together at the cursor, which stands at the start of a piece and before the end.
std::span<char> Partition::piece_at(const Item& item, const ValueCursor& cursor) const noexcept {
  const std::uint32_t rest = item.value_bytes() - cursor.at;
  if (cursor.piece != ItemRef{}) {
    const std::uint32_t room = slabs_[slabs_.class_of(cursor.piece)].chunk_bytes - kContinuationBytes;
    return {continuation_at(cursor.piece)->payload(), std::min(rest, room)};
  }
  char* first = const_cast<Item&>(item).value();
  if (!item.is_chained()) {
    return {first, rest};
  }
  const std::uint32_t room = slabs_[slabs_.class_of(pages_.ref_of(&item))].chunk_bytes - item.value_offset();
  return {first, std::min(rest, room)};
}

void Partition::step_past(const Item& item, ValueCursor& cursor, std::size_t piece_bytes) const noexcept {
  cursor.at += static_cast<std::uint32_t>(piece_bytes);
  if (item.is_chained()) {
    cursor.piece = cursor.piece == ItemRef{} ? item.next() : continuation_at(cursor.piece)->next;
  }
}

std::span<const char> Partition::value_next(const Item* item, ValueCursor& cursor) const noexcept {
  if (cursor.at >= item->value_bytes()) {
    return {};
  }
  const std::span<char> piece = piece_at(*item, cursor);
  step_past(*item, cursor, piece.size());
  return piece;
}

std::span<const char> Partition::chained_span(const Item& item, std::uint32_t offset) const noexcept {
  ValueCursor cursor;
  while (cursor.at < item.value_bytes()) {
    const std::span<char> piece = piece_at(item, cursor);
    if (offset < cursor.at + piece.size()) {
      return piece.subspan(offset - cursor.at);
    }
    step_past(item, cursor, piece.size());
  }
  return {};
}

std::span<char> Partition::reserved_span(const Reservation& reservation, std::uint32_t offset) noexcept {
  Item& item = *item_at(reservation.ref);
  MR_ASSERT(item.kind() == Kind::Held);
  if (offset >= item.value_bytes()) {
    return {};
  }
  if (!item.is_chained()) {
    return {item.value() + offset, item.value_bytes() - offset};
  }
  // Until commit, expiry and client flags remember the piece last asked for and where it starts: fields that nobody
  // else looks at meanwhile, for the one who fills the value may be another core.
  ValueCursor cursor{static_cast<ItemRef>(item.expires_at()), item.client_flags()};
  if (offset < cursor.at) {
    cursor = ValueCursor{};
  }
  while (true) {
    const std::span<char> piece = piece_at(item, cursor);
    MR_ASSERT(!piece.empty());
    if (offset < cursor.at + piece.size()) {
      item.set_expires_at(static_cast<Seconds>(cursor.piece));
      item.set_client_flags(cursor.at);
      return piece.subspan(offset - cursor.at);
    }
    step_past(item, cursor, piece.size());
  }
}

/// Writes `bytes` at the cursor of a value being filled and moves it along.
void Partition::fill(Item& item, FillCursor& cursor, std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::span<char> room = piece_at(item, cursor.piece).subspan(cursor.used);
    MR_ASSERT(!room.empty());
    const std::size_t now = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), now);
    bytes.remove_prefix(now);
    cursor.used += static_cast<std::uint32_t>(now);
    if (now == room.size() && cursor.piece.at + cursor.used < item.value_bytes()) {
      step_past(item, cursor.piece, cursor.used);
      cursor.used = 0;
    }
  }
}

void Partition::fill(Item& item, FillCursor& cursor, const Item& from) noexcept {
  ValueCursor source;
  for (std::span<const char> piece = value_next(&from, source); !piece.empty(); piece = value_next(&from, source)) {
    fill(item, cursor, {piece.data(), piece.size()});
  }
}

}  // namespace millrace::store
