// Whose memory to take when there is none: CLOCK inside a class, and pages from one class for another. Owner only.
//
// A class's hand goes round its pages slot by slot. A dead item goes at once; a live one loses one count, or its place
// when it has none left. Large items have chunks in several classes: each such class ages the item once a round, at its
// last chunk there, so that a class that holds only continuations can still be evicted from.
// Bounds: an eviction looks at kSweepSlotsMax slots, then takes the next item whatever its count.
// Why take hot items after kSweepSlotsMax: when everything was hit three times, CLOCK would walk the class three times
// over for one slot. The counts it took on the way are gone either way, and a pause of milliseconds is worse than one
// hot item gone.
#include <algorithm>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Slots ahead of the hand whose lines are asked for.
constexpr std::uint32_t kPrefetchSlots = 6;

}  // namespace

bool Partition::evict_from(std::uint32_t id, Seconds now, bool only_dead, std::uint64_t looks_max) noexcept {
  if (MR_UNLIKELY(chooses_) && !only_dead && evict_chosen(id, now)) {
    note_eviction(id);
    return true;
  }
  SlabClass& c = slabs_[id];
  // After a whole round without one, there is none.
  const std::uint64_t bound = only_dead ? kReclaimSlotsMax : std::min(c.chunks() + kSweepSlotsMax, looks_max);
  std::uint64_t looked = 0;
  while (looked < bound && c.pages != 0) {
    if (has_probation_ && !only_dead && looked < kProbationLooksMax && is_probation_full(c, id)) {
      ++looked;
      if (end_probation(id, now)) {
        if (++c.passed_probation >= c.chunks_per_page) {
          c.passed_probation = 0;
          c.pace.cross(counters_.total_items);  // a page's worth has gone, though no hand went over it
        }
        counters_.slots_looked += looked;
        note_eviction(id);
        return true;
      }
      continue;
    }
    if (MR_UNLIKELY(c.hand.page == slabs_.draining())) {
      c.hand = {slabs_.next_page(c.hand.page), 0};
      ++looked;
      continue;
    }
    if (c.hand.unit >= slabs_.fresh_unit(c.hand.page)) {
      c.hand = {slabs_.next_page(c.hand.page), 0};
      c.pace.cross(counters_.total_items);
      looked += looked == 0 && c.chunks_per_page > 1 ? 0 : 1;
      continue;
    }
    std::byte* chunk = pages_.address(c.hand.page) + std::size_t{c.hand.unit} * kUnitBytes;
    c.hand.unit += c.chunk_units;
    prefetch(chunk + std::size_t{kPrefetchSlots} * c.chunk_bytes);
    ++looked;
    if (meet(chunk, id, now, only_dead, looked > kSweepSlotsMax)) {
      counters_.slots_looked += looked;
      note_eviction(id);
      return true;
    }
  }
  counters_.slots_looked += looked;
  return false;
}

void Partition::note_eviction(std::uint32_t id) noexcept {
  SlabClass& c = slabs_[id];
  if (has_probation_) {
    needs_tending_ |= mover_.turn_over(c.chunk_bytes);
  } else if (c.pace.crossings >= kRebalanceCrossings) {
    c.pace.crossings = 0;
    hungry_class_ = evicts_ ? id : 0;
    needs_tending_ |= evicts_;
  }
}

bool Partition::meet(std::byte* chunk, std::uint32_t id, Seconds now, bool only_dead, bool forced) noexcept {
  const Kind kind = kind_at(chunk);
  if (kind == Kind::Free || kind == Kind::Held) {
    return false;
  }
  Item* item = reinterpret_cast<Item*>(chunk);
  bool ages = true;
  if (MR_UNLIKELY(kind == Kind::Continuation)) {
    const auto* piece = reinterpret_cast<const Continuation*>(chunk);
    item = item_at(piece->head);
    if (item->kind() != Kind::Item) {
      return false;
    }
    ages = ages_here(*piece, *item, id);
  }
  if (is_pinned(*item)) {
    return false;
  }
  if (!is_dead(*item, now)) {
    if (only_dead || (!ages && !forced)) {
      return false;
    }
    if (!forced && !has_lost_its_place(*item, kind)) {
      return false;
    }
  }
  evict(*item, now);
  return true;
}

/// The hand has come to a live item: whether it goes. If not, it has one count less. One in probation is not the
/// hand's, except for pieces of it that lie in other classes.
bool Partition::has_lost_its_place(Item& item, Kind kind) noexcept {
  if (item.clock() == 0) {
    return true;
  }
  if (MR_UNLIKELY(item.is_in_probation())) {
    return kind == Kind::Continuation;
  }
  item.cool();
  return false;
}

/// Whether this chunk speaks for its item in class `id`: the last one there, unless the head itself is there.
bool Partition::ages_here(const Continuation& piece, const Item& head, std::uint32_t id) const noexcept {
  return slabs_.class_of(pages_.ref_of(&head)) != id && (piece.next == ItemRef{} || slabs_.class_of(piece.next) != id);
}

void Partition::evict(Item& item, Seconds now) noexcept {
  const std::uint32_t id = class_of(item);
  ClassStats& stats = class_stats_[id];
  const KeyHash hash = hash_key(item.key(), seed_);
  if (is_dead(item, now)) {
    ++counters_.reclaimed;
    ++stats.reclaimed;
    if (!item.was_fetched()) {
      ++counters_.expired_unfetched;
      ++stats.expired_unfetched;
    }
  } else {
    if (MR_UNLIKELY(eviction_watcher_ != nullptr)) {
      eviction_watcher_->visit(item);
    }
    ++counters_.evictions;
    ++stats.evicted;
    last_evicted_[id] = {item.change(), now};
    stats.evicted_nonzero += item.expires_at() != 0 ? 1 : 0;
    if (!item.was_fetched()) {
      ++counters_.evicted_unfetched;
      ++stats.evicted_unfetched;
    }
    // What goes alive from probation, or with hits that a page on its way took along, is remembered.
    if (has_probation_ && item.clock() != 0) {
      ghost_.add(hash, counters_.curr_items);
      mover_.note_gone(id, MR_LIKELY(!item.is_chained()) ? slabs_[id].chunk_bytes : item.item_bytes());
    }
  }
  const IndexSlot slot = index_.find_ref(hash, pages_.ref_of(&item));
  MR_ASSERT(slot);
  unlink(hash, slot);
}

}  // namespace millrace::store
