// What the meta commands ask for beyond the classic ones: values that are known to be old and the one client who is to
// renew each, CAS numbers that clients bring along, keys that a look-up makes. Rare, so that all of it is put beside
// the classic ways and costs them nothing. Owner only.
#include <array>
#include <charconv>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

const Item* Partition::find(const Key& key, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = find_live(key, now);
  return slot ? item_at(slot.ref()) : nullptr;
}

const Item* Partition::vivify(const Key& key, const std::optional<Cas>& given_cas, Seconds now) noexcept {
  return put(key, {}, 0, kNever, given_cas, now);
}

const Item* Partition::change(const Key& key, const MetaChange& change, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = index_.find(key);
  if (!slot) {
    return nullptr;
  }
  Item* item = item_at(slot.ref());
  if (change.wins) {
    item->set_marks(item->is_stale(), true);
  }
  if (change.bumps) {
    note_hit(*item);
  }
  return change.expires_at ? expire_at(key, slot, *change.expires_at, now) : item;
}

void Partition::count_get(const Item* item, bool is_touch) noexcept {
  if (item == nullptr) {
    ++counters_.cmd_get;
    ++counters_.get_misses;
    return;
  }
  ClassStats& stats = class_stats_[class_of(*item)];
  if (is_touch) {
    ++counters_.cmd_touch;
    ++counters_.touch_hits;
    ++stats.touch_hits;
  } else {
    ++counters_.cmd_get;
    ++counters_.get_hits;
    ++stats.get_hits;
  }
}

// --- storing

Partition::MetaVerdict Partition::judge(const Key& key, const StoreArgs& args, const MetaStoreArgs& meta,
                                        Seconds now) noexcept {
  MetaVerdict verdict{.args = args};
  if (!meta.vivifies && !meta.takes_stale) {
    return verdict;
  }
  const IndexSlot slot = find_live(key, now);
  if (!slot) {
    if (meta.vivifies) {
      verdict.args.mode = StoreMode::Set;
      verdict.args.cas_compare = 0;
    }
    return verdict;
  }
  const Item& old = *item_at(slot.ref());
  if (meta.takes_stale && args.mode == StoreMode::Cas && args.cas_compare != 0 && args.cas_compare < old.cas()) {
    ++counters_.cas_hits;
    ++class_stats_[class_of(old)].cas_hits;
    verdict.args.mode = StoreMode::Set;
    verdict.args.cas_compare = 0;
    verdict.args.expires_at = old.expires_at();
    verdict.is_stale = true;
    verdict.has_won = old.has_won();
  }
  return verdict;
}

StoreReply Partition::settle(const Key& key, const StoreReply& reply, const MetaVerdict& verdict,
                             const MetaStoreArgs& meta, Seconds now) noexcept {
  if (reply.outcome != Outcome::Stored || (!verdict.is_stale && !meta.given_cas)) {
    return reply;
  }
  const IndexSlot slot = index_.find(key);
  if (!slot) {
    return reply;  // taken again by what its own storing needed
  }
  if (verdict.is_stale) {
    item_at(slot.ref())->set_marks(true, verdict.has_won);
  }
  if (!meta.given_cas) {
    return reply;
  }
  if (!give_cas(key, slot, *meta.given_cas, now)) {
    // A value under another number than it was to have must not be found.
    if (const IndexSlot place = index_.find(key)) {
      unlink(key.hash, place);
    }
    return {Outcome::OutOfMemory};
  }
  return {Outcome::Stored, *meta.given_cas};
}

StoreReply Partition::store(const Key& key, std::string_view value, const StoreArgs& args, const MetaStoreArgs& meta,
                            Seconds now) noexcept {
  advance(now);
  const MetaVerdict verdict = judge(key, args, meta, now);
  return settle(key, store(key, value, verdict.args, now), verdict, meta, now);
}

StoreReply Partition::commit(const Reservation& reservation, KeyHash hash, const StoreArgs& args,
                             const MetaStoreArgs& meta, Seconds now) noexcept {
  advance(now);
  std::array<char, kKeyBytesMax> kept;  // the reservation, and its key with it, may be used up
  const std::string_view reserved_key = item_at(reservation.ref)->key();
  std::memcpy(kept.data(), reserved_key.data(), reserved_key.size());
  const Key key{{kept.data(), reserved_key.size()}, hash};
  const MetaVerdict verdict = judge(key, args, meta, now);
  return settle(key, commit(reservation, hash, verdict.args, now), verdict, meta, now);
}

Item* Partition::put(const Key& key, std::string_view value, std::uint32_t flags, Seconds expires_at,
                     const std::optional<Cas>& given_cas, Seconds now) noexcept {
  Item* item = allocate({static_cast<std::uint32_t>(key.bytes.size()), expires_at != kNever, flags != 0,
                         static_cast<std::uint32_t>(value.size()), given_cas.has_value()},
                        key.bytes, now);
  if (item == nullptr) {
    ++counters_.store_no_memory;
    return nullptr;
  }
  MR_ASSERT(!item->is_chained());
  std::copy(value.begin(), value.end(), item->value());
  // The old value, if any, may have been evicted for the new one.
  if (finish(key.hash, *item, index_.find(key), flags, expires_at, now).outcome != Outcome::Stored) {
    return nullptr;
  }
  const IndexSlot slot = index_.find(key);
  if (!slot) {
    return nullptr;
  }
  if (given_cas) {
    item_at(slot.ref())->set_given_cas(*given_cas);
  }
  return item_at(slot.ref());
}

bool Partition::give_cas(const Key& key, IndexSlot slot, Cas cas, Seconds now) noexcept {
  Item& item = *item_at(slot.ref());
  if (item.has_given_cas()) {
    item.set_given_cas(cas);
    return true;
  }
  const ItemShape shape{item.key_bytes(), item.has_time(), item.has_client_flags(), item.value_bytes(), true};
  Item* renewed = allocate_beside(item, shape, key.bytes, now);
  if (renewed == nullptr) {
    ++counters_.store_no_memory;
    return false;
  }
  FillCursor cursor;
  fill(*renewed, cursor, item);
  if (item.has_client_flags()) {
    renewed->set_client_flags(item.client_flags());
  }
  renewed->take_history(item);
  renewed->set_given_cas(cas);
  set_expiry(*renewed, item.expires_at());
  const IndexSlot place = index_.find(key);  // making room may have moved the entry, not the item
  MR_ASSERT(place && item_at(place.ref()) == &item);
  supersede(place, *renewed);
  return true;
}

// --- delete, arithmetic

Outcome Partition::remove(const Key& key, const MetaDeleteArgs& args, Seconds now) noexcept {
  advance(now);
  const IndexSlot slot = find_live(key, now);
  const Item* old = slot ? item_at(slot.ref()) : nullptr;
  if (old == nullptr || (args.compare && *args.compare != old->cas())) {
    ++counters_.delete_misses;
    return old == nullptr ? Outcome::NotFound : Outcome::Exists;
  }
  const std::uint32_t id = class_of(*old);
  if (args.removes_value) {
    // It keeps its CAS number unless another is given: nobody is to store what he made of the value before.
    const Cas change = old->change();
    std::optional<Cas> given = args.given_cas;
    if (!given && old->has_given_cas()) {
      given = old->cas();
    }
    Item* empty = put(key, {}, args.flags, args.expires_at.value_or(kNever), given, now);
    if (empty == nullptr) {
      return Outcome::OutOfMemory;
    }
    empty->renumber(change);
  } else if (!args.marks_stale) {
    unlink(key.hash, slot);
  }
  if (!args.marks_stale) {
    ++counters_.delete_hits;
    ++class_stats_[id].delete_hits;
    return Outcome::Deleted;
  }
  IndexSlot place = index_.find(key);
  MR_ASSERT(place);
  if (args.expires_at) {
    if (expire_at(key, place, *args.expires_at, now) == nullptr) {
      return Outcome::OutOfMemory;
    }
    place = index_.find(key);  // it may have moved
  }
  Item& item = *item_at(place.ref());
  item.set_marks(true, false);  // the next client wins
  if (!args.given_cas) {
    item.set_cas(next_cas());
  } else if (!give_cas(key, place, *args.given_cas, now)) {
    return Outcome::OutOfMemory;
  }
  return Outcome::Deleted;
}

ArithReply Partition::arith(const Key& key, const MetaArithArgs& args, Seconds now, bool& created) noexcept {
  advance(now);
  created = false;
  IndexSlot slot = find_live(key, now);
  if (!slot) {
    if (!args.vivifies) {
      ++(args.is_decrement ? counters_.decr_misses : counters_.incr_misses);
      return {Outcome::NotFound};
    }
    std::array<char, 20> digits;
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), args.initial).ptr;
    const Item* item =
        put(key, {digits.data(), static_cast<std::size_t>(end - digits.data())}, 0, kNever, args.given_cas, now);
    created = item != nullptr;
    return item == nullptr ? ArithReply{Outcome::OutOfMemory} : ArithReply{Outcome::Stored, args.initial, item->cas()};
  }
  const Item& old = *item_at(slot.ref());
  if (args.compare != 0 && old.value_bytes() != 0 && old.cas() != args.compare) {
    return {Outcome::Exists};  // of an empty value memcached says first that it is no number
  }
  ArithReply reply = arith(key, args.delta, args.is_decrement, now);
  if (reply.outcome != Outcome::Stored || !args.given_cas) {
    return reply;
  }
  slot = index_.find(key);
  if (!slot || !give_cas(key, slot, *args.given_cas, now)) {
    return {Outcome::OutOfMemory};
  }
  reply.cas = *args.given_cas;
  return reply;
}

}  // namespace millrace::store
