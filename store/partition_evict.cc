// Whose memory to take when there is none: CLOCK inside a class, and pages from one class for another. Owner only.
//
// A class's hand goes round its pages slot by slot. A dead item goes at once; a live one loses one count, or its place
// when it has none left. Large items have chunks in several classes: each such class ages the item once a round, at its
// last chunk there, so that a class that holds only continuations can still be evicted from.
// Bounds: an eviction looks at kSweepSlotsMax slots, then takes the next item whatever its count; emptying a page
// evicts what is in it (2,048 items at most, 1,365 with the default -n).
// Why take hot items after kSweepSlotsMax: when everything was hit three times, CLOCK would walk the class three times
// over for one slot. The counts it took on the way are gone either way, and a pause of milliseconds is worse than one
// hot item gone.
#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Slots ahead of the hand whose lines are asked for.
constexpr std::uint32_t kPrefetchSlots = 6;

}  // namespace

bool Partition::evict_from(std::uint32_t id, Seconds now, bool only_dead) noexcept {
  SlabClass& c = slabs_[id];
  std::uint64_t bound = c.chunks() + kSweepSlotsMax;  // after a whole round without one, there is none
  if (only_dead) {
    bound = kReclaimSlotsMax;
  }
  for (std::uint64_t looked = 0; looked < bound && c.pages != 0;) {
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
      if (c.pace.crossings >= kRebalanceCrossings) {
        c.pace.crossings = 0;
        hungry_class_ = id;
      }
      return true;
    }
  }
  return false;
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
    if (item->clock() != 0 && !forced) {
      item->cool();
      return false;
    }
  }
  evict(*item, now);
  return true;
}

/// Whether this chunk speaks for its item in class `id`: the last one there, unless the head itself is there.
bool Partition::ages_here(const Continuation& piece, const Item& head, std::uint32_t id) const noexcept {
  return slabs_.class_of(pages_.ref_of(&head)) != id && (piece.next == ItemRef{} || slabs_.class_of(piece.next) != id);
}

void Partition::evict(Item& item, Seconds now) noexcept {
  ClassStats& stats = class_stats_[class_of(item)];
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
    stats.evicted_nonzero += item.expires_at() != 0 ? 1 : 0;
    if (!item.was_fetched()) {
      ++counters_.evicted_unfetched;
      ++stats.evicted_unfetched;
    }
  }
  const KeyHash hash = hash_key(item.key(), seed_);
  const IndexSlot slot = index_.find_ref(hash, pages_.ref_of(&item));
  MR_ASSERT(slot);
  unlink(hash, slot);
}

bool Partition::can_empty(std::uint32_t page) const noexcept {
  const std::uint32_t units = slabs_[pages_[page].class_id].chunk_units;
  for (std::uint32_t unit = 0; unit < slabs_.fresh_unit(page); unit += units) {
    const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
    const Kind kind = kind_at(chunk);
    if (kind == Kind::Free) {
      continue;
    }
    const Item* item = reinterpret_cast<const Item*>(chunk);
    if (kind == Kind::Continuation) {
      item = item_at(reinterpret_cast<const Continuation*>(chunk)->head);
    }
    if (item->kind() == Kind::Held || is_pinned(*item)) {
      return false;
    }
  }
  return true;
}

/// Evicts everything in a page of items; with the last one the page goes back to the pool.
void Partition::empty(std::uint32_t page, Seconds now) noexcept {
  const std::uint32_t id = pages_[page].class_id;
  const std::uint32_t units = slabs_[id].chunk_units;
  const std::uint32_t end = slabs_.fresh_unit(page);
  if (pages_[page].used == 0) {
    slabs_.drop_page(page);
  }
  for (std::uint32_t unit = 0; unit < end && pages_[page].use == PageUse::Slab; unit += units) {
    std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
    const Kind kind = kind_at(chunk);
    if (kind == Kind::Item) {
      evict(*reinterpret_cast<Item*>(chunk), now);
    } else if (kind == Kind::Continuation) {
      evict(*item_at(reinterpret_cast<Continuation*>(chunk)->head), now);
    }
  }
  MR_ASSERT(pages_[page].use == PageUse::Free);
  ++counters_.pages_stolen;
}

/// Tries the pages the class's hand will come to next: what is left in them is oldest.
bool Partition::steal_from(std::uint32_t id, Seconds now) noexcept {
  const SlabClass& c = slabs_[id];
  const std::uint32_t tries = std::min(c.pages, kStealPagesMax);
  std::uint32_t page = c.hand.page;
  for (std::uint32_t n = 0; n < tries; ++n) {
    page = slabs_.next_page(page);
    if (can_empty(page)) {
      empty(page, now);
      return true;
    }
  }
  return false;
}

bool Partition::steal_page(Seconds now) noexcept {
  std::uint64_t tried = 0;
  while (true) {
    std::uint32_t largest = 0;
    std::uint32_t pages = 0;
    for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
      if ((tried >> id & 1) == 0 && slabs_[id].pages > pages) {
        largest = id;
        pages = slabs_[id].pages;
      }
    }
    if (pages == 0) {
      return false;
    }
    if (steal_from(largest, now)) {
      return true;
    }
    tried |= std::uint64_t{1} << largest;
  }
}

/// Gives the class a page of the one whose items live longest, when that is more than twice as long: a hand that goes
/// round fast says that its class is short of memory compared with the others.
void Partition::rebalance(std::uint32_t hungry, Seconds now) noexcept {
  const std::uint64_t stores = counters_.total_items;
  const std::uint64_t age = slabs_[hungry].pace.age(stores, slabs_[hungry].pages);
  std::uint32_t oldest = 0;
  std::uint64_t oldest_age = age * 2;
  for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
    const SlabClass& c = slabs_[id];
    if (id != hungry && c.pages > 1 && c.pace.age(stores, c.pages) > oldest_age) {
      oldest = id;
      oldest_age = c.pace.age(stores, c.pages);
    }
  }
  if (oldest != 0 && steal_from(oldest, now)) {
    slabs_.add_page(hungry);  // fails only while the limit is being lowered
  }
}

}  // namespace millrace::store
