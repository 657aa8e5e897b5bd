// Where items' memory comes from and goes to: chunks, chains of chunks, and what is counted of them. Owner only.
#include <algorithm>
#include <new>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Rounds of evict-and-try for one chunk. One or two are the rule; a large item evicted may free chunks elsewhere only.
constexpr std::uint32_t kRoundsMax = 8;

}  // namespace

ItemRef Partition::take_chunk(std::uint32_t id, Seconds now, Drought& drought, bool for_large) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << id;
  // Over a limit that was lowered, a page may still be exchanged for another; the surplus is housekeeping's.
  const std::uint32_t in_use_max = std::max(pages_.limit(), pages_.in_use());
  const std::uint32_t rounds_max = for_large ? kRoundsMax + 2 * kLargeRoundsMax : kRoundsMax;
  for (std::uint32_t round = 0; round < rounds_max; ++round) {
    const ItemRef ref = slabs_.allocate(id);
    if (MR_LIKELY(ref != ItemRef{})) {
      return ref;
    }
    // The reserve is for who has nothing to evict, and cannot wait.
    const bool is_short = !drought.in_steps && (slabs_[id].pages == 0 || (drought.dry_classes & bit) != 0);
    const std::uint32_t kept = is_short ? 0 : std::min(reserve_, in_use_max);
    if (slabs_.add_page(id, in_use_max - kept)) {
      needs_tending_ |= reserve_ != 0;
      continue;
    }
    if (MR_UNLIKELY(release_step(kStepChunksMax))) {
      --round;  // no trial: what is leaving is finite
      continue;
    }
    if (take_expired(id, now)) {
      continue;
    }
    if (MR_UNLIKELY(evicts_ && is_beyond_large_share(for_large ? slabs_[id].chunk_bytes : 0))) {
      if (take_from_large(round, for_large, now)) {
        continue;
      }
      if (for_large) {
        break;
      }
    }
    const std::uint64_t looks_max = drought.in_steps ? kStepSlotsMax : ~std::uint64_t{0};
    if ((drought.dry_classes & bit) == 0 && slabs_[id].pages != 0 && evict_from(id, now, !evicts_, looks_max)) {
      continue;
    }
    drought.dry_classes |= bit;
    if (!is_short && !drought.in_steps && pages_.available() != 0) {
      continue;  // the reserve
    }
    if (!evicts_ || !(drought.in_steps ? approach_page(now, drought) : steal_page(now))) {
      break;
    }
    if (has_probation_ && !for_large) {
      ask_for_page();
    }
  }
  if (drought.waits) {
    return ItemRef{};
  }
  ++class_stats_[id].outofmemory;
  return ItemRef{};
}

ItemRef Partition::take_large_chunk(std::uint32_t id, Seconds now, Drought& drought) noexcept {
  const ItemRef ref = take_chunk(id, now, drought, true);
  if (MR_LIKELY(ref != ItemRef{})) {
    counters_.large_bytes += slabs_[id].chunk_bytes;
  }
  return ref;
}

Reservation Partition::begin_item(const ItemShape& shape, std::string_view key, Seconds now,
                                  Drought& drought) noexcept {
  std::uint64_t bytes = shape.contiguous_bytes();
  std::uint32_t id = sizes_.contiguous(bytes);
  const bool chained = id == 0;
  const bool with_time = shape.with_time || chained;
  if (MR_UNLIKELY(chained)) {
    // Not worth evicting anybody for what cannot fit even then.
    if (bytes > large_bytes_reachable()) {
      return {};
    }
    bytes += kChainBytes + (shape.with_time ? 0 : kTimeBytes);
    id = sizes_.pick(bytes);
  }
  const ItemRef ref = MR_LIKELY(!chained) ? take_chunk(id, now, drought) : take_large_chunk(id, now, drought);
  if (MR_UNLIKELY(ref == ItemRef{})) {
    return {};
  }
  Item* item = item_at(ref);
  item->start(shape.key_bytes, with_time, shape.with_flags, chained, shape.value_bytes, shape.with_given_cas);
  item->set_key(key);
  return {.ref = ref,
          .value_bytes = shape.value_bytes,
          .last = ref,
          .missing_bytes = bytes - std::min<std::uint64_t>(bytes, slabs_[id].chunk_bytes)};
}

Item* Partition::allocate(const ItemShape& shape, std::string_view key, Seconds now) noexcept {
  Drought drought;
  Reservation made = begin_item(shape, key, now, drought);
  if (MR_UNLIKELY(!made.is_valid())) {
    return nullptr;
  }
  Item* item = item_at(made.ref);
  if (MR_UNLIKELY(!made.is_whole()) && !gather(made, false, now, drought)) {
    release(*item);
    return nullptr;
  }
  return item;
}

Item* Partition::allocate_beside(Item& old, const ItemShape& shape, std::string_view key, Seconds now) noexcept {
  old.set_kind(Kind::Held);  // hands and thieves of pages pass it by
  Item* item = allocate(shape, key, now);
  old.set_kind(Kind::Item);
  return item;
}

bool Partition::gather(Reservation& item, bool in_steps, Seconds now, Drought& drought) noexcept {
  const std::uint64_t stolen_before = counters_.pages_stolen;
  const std::uint64_t gone_before = counters_.evictions + counters_.reclaimed;
  const std::uint64_t looked_before = counters_.slots_looked;
  drought.in_steps = in_steps && has_probation_;
  for (std::uint32_t taken = 0; !item.is_whole(); ++taken) {
    if (in_steps && (taken == kStepChunksMax || counters_.pages_stolen != stolen_before ||
                     counters_.evictions + counters_.reclaimed - gone_before >= kStepEvictionsMax ||
                     counters_.slots_looked - looked_before >= kStepSlotsMax)) {
      return true;
    }
    const std::uint32_t id = sizes_.pick(item.missing_bytes + kContinuationBytes);
    const ItemRef ref = take_large_chunk(id, now, drought);
    if (ref == ItemRef{}) {
      return drought.waits;
    }
    new (pages_.at(ref)) Continuation{static_cast<std::uint8_t>(Kind::Continuation), {0, 0, 0}, ItemRef{}, item.ref};
    if (item.last == item.ref) {
      item_at(item.ref)->set_next(ref);
    } else {
      continuation_at(item.last)->next = ref;
    }
    item.last = ref;
    item.missing_bytes -= std::min<std::uint64_t>(item.missing_bytes, slabs_[id].chunk_bytes - kContinuationBytes);
  }
  return true;
}

void Partition::release(Item& item) noexcept {
  if (MR_UNLIKELY(item.is_chained())) {
    release_large(item);
  } else {
    slabs_.free(pages_.ref_of(&item));
  }
}

void Partition::count(const Item& item, std::uint32_t id) noexcept {
  const std::uint64_t bytes = item.item_bytes();
  ClassStats& stats = class_stats_[id];
  ++stats.number;
  stats.mem_requested += bytes;
  ++counters_.curr_items;
  counters_.bytes += bytes;
  counters_.payload_bytes += item.key_bytes() + item.value_bytes();
}

void Partition::uncount(const Item& item) noexcept {
  const std::uint64_t bytes = item.item_bytes();
  ClassStats& stats = class_stats_[class_of(item, bytes)];
  --stats.number;
  stats.mem_requested -= bytes;
  --counters_.curr_items;
  counters_.bytes -= bytes;
  counters_.payload_bytes -= item.key_bytes() + item.value_bytes();
}

void Partition::let_go(Item& item) noexcept {
  if (MR_UNLIKELY(is_pinned(item))) {
    item.set_kind(Kind::Held);  // unpin() releases it
  } else {
    release(item);
  }
}

void Partition::unlink(KeyHash hash, IndexSlot slot) noexcept {
  Item& item = *item_at(slot.ref());
  uncount(item);
  if (MR_UNLIKELY(keeps_records_)) {
    record_leave(item);
  }
  if (MR_UNLIKELY(item.is_chained())) {
    leave_large(item);
  }
  index_.erase(hash, slot);
  let_go(item);
}

}  // namespace millrace::store
