// Storing: set, add, replace, cas at once or through a reservation. Owner only.
#include <algorithm>
#include <array>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

/// Whether the command may store, given what is there now; counts the outcome of a comparison.
Partition::Verdict Partition::judge(const Key& key, const StoreArgs& args, Seconds now) noexcept {
  const IndexSlot old = find_live(key, now);
  const Item* item = old ? item_at(old.ref()) : nullptr;
  const bool compares = args.mode == StoreMode::Cas || args.cas_compare != 0;
  if (args.mode == StoreMode::Add && old) {
    return {Outcome::NotStored, old};
  }
  if (!old && args.mode == StoreMode::Cas) {
    ++counters_.cas_misses;
    return {Outcome::NotFound, old};
  }
  if (!old && args.mode != StoreMode::Set && args.mode != StoreMode::Add) {
    return {Outcome::NotStored, old};
  }
  if (MR_UNLIKELY(compares)) {
    if (!old) {
      ++counters_.cas_misses;
      return {Outcome::NotFound, old};
    }
    ClassStats& stats = class_stats_[class_of(*item)];
    if (item->cas() != args.cas_compare) {
      ++counters_.cas_badval;
      ++stats.cas_badval;
      return {Outcome::Exists, old};
    }
    ++counters_.cas_hits;
    ++stats.cas_hits;
  }
  return {Outcome::Stored, old};
}

/// A value that found no memory: counted, and the key's old value deleted, lest a stale one be served.
MR_COLD Outcome Partition::refuse(const Key& key, Outcome why, StoreMode mode) noexcept {
  ++(why == Outcome::TooLarge ? counters_.store_too_large : counters_.store_no_memory);
  if (mode == StoreMode::Set) {
    if (const IndexSlot old = index_.find(key)) {
      unlink(key.hash, old);
    }
  }
  return why;
}

StoreReply Partition::store(const Key& key, std::string_view value, const StoreArgs& args, Seconds now) noexcept {
  advance(now);
  MR_DCHECK(!key.bytes.empty() && key.bytes.size() <= kKeyBytesMax);
  const std::size_t fixed_bytes = kItemHeaderBytes + (args.expires_at != kNever ? kTimeBytes : 0) +
                                  (args.flags != 0 ? kClientFlagsBytes : 0) + key.bytes.size();
  const std::size_t bytes = fixed_bytes + value.size();
  if (MR_UNLIKELY(bytes > item_bytes_max_ || value.size() > item_bytes_max_)) {
    return {refuse(key, Outcome::TooLarge, args.mode)};
  }
  const auto [outcome, old] = judge(key, args, now);
  ++counters_.cmd_set;
  const std::uint32_t id = sizes_.smallest(bytes);
  ++class_stats_[id != 0 ? id : sizes_.classes()].cmd_set;
  if (outcome != Outcome::Stored) {
    return {outcome};
  }
  if (args.mode == StoreMode::Append || args.mode == StoreMode::Prepend) {
    return concat(key, old, value, nullptr, args.mode == StoreMode::Append, now);
  }
  if (old) {
    Item& item = *item_at(old.ref());
    if (!item.is_chained() && sizes_.contiguous(bytes) == class_of(item) && !is_pinned(item)) {
      const StoreReply reply = overwrite(item, key, value, args);
      tend(now);
      return reply;
    }
  }
  const std::uint64_t epoch = index_.epoch();
  Item* item = allocate({static_cast<std::uint32_t>(key.bytes.size()), args.expires_at != kNever, args.flags != 0,
                         static_cast<std::uint32_t>(value.size())},
                        key.bytes, now);
  if (MR_UNLIKELY(item == nullptr)) {
    return {refuse(key, Outcome::OutOfMemory, args.mode)};
  }
  if (MR_LIKELY(!item->is_chained())) {
    std::memcpy(item->value(), value.data(), value.size());
  } else {
    FillCursor cursor;
    fill(*item, cursor, value);
  }
  // What made room may have evicted the old value, or moved its entry.
  const IndexSlot place = index_.epoch() == epoch ? old : index_.find(key);
  return finish(key.hash, *item, place, args.flags, args.expires_at, now);
}

/// The new value over the old one's bytes: same chunk, same place in the clock.
StoreReply Partition::overwrite(Item& item, const Key& key, std::string_view value, const StoreArgs& args) noexcept {
  const std::uint64_t bytes_before = item.item_bytes();
  const std::uint64_t value_bytes_before = item.value_bytes();
  if (item.start_over(args.expires_at != kNever, args.flags != 0, static_cast<std::uint32_t>(value.size()))) {
    item.set_key(key.bytes);
  }
  if (args.flags != 0) {
    item.set_client_flags(args.flags);
  }
  std::memcpy(item.value(), value.data(), value.size());
  set_expiry(item, args.expires_at);
  const Cas cas = next_cas();
  item.set_cas(cas);
  if (MR_UNLIKELY(keeps_records_)) {
    record_use(item);
  }
  const std::uint64_t bytes = item.item_bytes();
  class_stats_[class_of(item, bytes)].mem_requested += bytes - bytes_before;
  counters_.bytes += bytes - bytes_before;
  counters_.payload_bytes += value.size() - value_bytes_before;
  ++counters_.total_items;
  return {Outcome::Stored, cas};
}

/// Makes a filled, held item findable under its key and lets the old one go.
StoreReply Partition::finish(KeyHash hash, Item& item, IndexSlot old, std::uint32_t flags, Seconds expires_at,
                             Seconds now) noexcept {
  if (item.has_client_flags()) {
    item.set_client_flags(flags);
  } else {
    MR_ASSERT(flags == 0);
  }
  set_expiry(item, expires_at);
  if (!link(hash, item, old, now)) {
    ++counters_.store_no_memory;
    return {Outcome::OutOfMemory};
  }
  const Cas cas = next_cas();
  item.set_cas(cas);
  tend(now);
  return {Outcome::Stored, cas};
}

bool Partition::link(KeyHash hash, Item& item, IndexSlot old, Seconds now) noexcept {
  const ItemRef ref = pages_.ref_of(&item);
  if (old) {
    supersede(old, item);
  } else {
    // Full chain, and no overflow bucket: make a page free for them. The item is held, so it is not evicted for it.
    if (MR_UNLIKELY(!index_.insert(hash, ref)) && (!find_page(now) || !index_.insert(hash, ref))) {
      release(item);
      return false;
    }
    item.set_kind(Kind::Item);
    if (MR_UNLIKELY(item.is_chained())) {
      enter_large(item);
    }
    const std::uint32_t id = class_of(item);
    if (has_probation_) {
      admit(hash, item, ref, id);
    } else if (keeps_records_) {
      record_entry(item);
    }
    count(item, id);
  }
  ++counters_.total_items;
  return true;
}

void Partition::supersede(IndexSlot slot, Item& item) noexcept {
  Item& former = *item_at(slot.ref());
  succeed(item, former);
  if (MR_UNLIKELY(keeps_records_)) {
    record_succession(item, former);
  }
  if (MR_UNLIKELY(former.is_chained())) {
    leave_large(former);
  }
  if (MR_UNLIKELY(item.is_chained())) {
    enter_large(item);
  }
  Index::replace(slot, pages_.ref_of(&item));
  item.set_kind(Kind::Item);
  uncount(former);
  let_go(former);
  count(item);
}

Outcome Partition::reserve(const Key& key, std::uint32_t value_bytes, Seconds now, Reservation& out, StoreMode mode,
                           bool with_given_cas) noexcept {
  advance(now);
  // Whether it will have an expiry and client flags is not known yet: room for them is always made.
  const ItemShape shape{static_cast<std::uint32_t>(key.bytes.size()), true, true, value_bytes, with_given_cas};
  if (shape.contiguous_bytes() > item_bytes_max_) {
    return refuse(key, Outcome::TooLarge, mode);
  }
  Drought drought;
  Reservation made = begin_item(shape, key.bytes, now, drought);
  if (!made.is_valid()) {
    return refuse(key, Outcome::OutOfMemory, mode);
  }
  ++counters_.reservations;
  out = made;
  return made.is_whole() ? settle_reserved(out) : continue_reserve(out, key.hash, mode, now);
}

Outcome Partition::continue_reserve(Reservation& reservation, KeyHash hash, StoreMode mode, Seconds now) noexcept {
  advance(now);
  Item& item = *item_at(reservation.ref);
  MR_ASSERT(reservation.is_valid() && !reservation.is_whole() && item.kind() == Kind::Held);
  Drought drought;
  if (!gather(reservation, true, now, drought)) {
    std::array<char, kKeyBytesMax> bytes;
    const std::string_view key{bytes.data(), item.key().copy(bytes.data(), bytes.size())};
    abort(reservation);
    reservation = {};
    return refuse({key, hash}, Outcome::OutOfMemory, mode);
  }
  return reservation.is_whole() ? settle_reserved(reservation) : Outcome::Stored;
}

/// Its memory is whole: from here on the command counts as one that found some.
Outcome Partition::settle_reserved(const Reservation& reservation) noexcept {
  ++counters_.cmd_set;
  ++class_stats_[class_of(*item_at(reservation.ref))].cmd_set;
  return Outcome::Stored;
}

StoreReply Partition::commit(const Reservation& reservation, KeyHash hash, const StoreArgs& args,
                             Seconds now) noexcept {
  advance(now);
  Item& item = *item_at(reservation.ref);
  MR_ASSERT(reservation.is_valid() && reservation.is_whole() && item.kind() == Kind::Held);
  const Key key{item.key(), hash};
  const auto [outcome, old] = judge(key, args, now);
  if (outcome != Outcome::Stored) {
    abort(reservation);
    return {outcome};
  }
  if (args.mode == StoreMode::Append || args.mode == StoreMode::Prepend) {
    const StoreReply reply = concat(key, old, {}, &item, args.mode == StoreMode::Append, now);
    abort(reservation);
    return reply;
  }
  --counters_.reservations;
  return finish(hash, item, old, args.flags, args.expires_at, now);
}

void Partition::abort(const Reservation& reservation) noexcept {
  Item& item = *item_at(reservation.ref);
  MR_ASSERT(reservation.is_valid() && item.kind() == Kind::Held);
  --counters_.reservations;
  release(item);
}

}  // namespace millrace::store
