// Whose page to take: at once for a class that has none and for the index, bit by bit for a class that would make more
// of it. Owner only.
//
// In both cases what was hit since the hand came by last moves into another page of its class, where the hand makes
// room for it, and the rest is evicted; without probation everything in a page that is taken at once goes. Bit by bit
// (page_mover.h says from whom to whom): a page is closed to new items, and each storing command sees to a few of its
// slots. What is pinned or reserved is passed by, and waited for during some passes; then the page stays, and another
// one may go.
// Why rescue what was hit: a value of many pages would else throw a piece of the cache away each time it comes.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

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

/// The same, but what was hit goes to other pages of the class, from which something else goes for it.
void Partition::clear(std::uint32_t page, Seconds now) noexcept {
  const std::uint32_t id = pages_[page].class_id;
  const std::uint32_t units = slabs_[id].chunk_units;
  const std::uint32_t end = slabs_.fresh_unit(page);
  slabs_.start_draining(page);
  for (std::uint32_t unit = 0; unit < end && slabs_.draining() == page; unit += units) {
    drain_chunk(pages_.address(page) + std::size_t{unit} * kUnitBytes, id, now);
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
      const bool rescues = has_probation_ && c.pages > 1 && slabs_.draining() == kNoPage && pages_[page].used != 0;
      rescues ? clear(page, now) : empty(page, now);
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

/// Chooses whose page goes to whom, and begins with it.
void Partition::start_moving_page() noexcept {
  std::array<PageMover::Holding, kClassesMax + 1> holdings{};
  for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
    const SlabClass& c = slabs_[id];
    holdings[id] = {c.pages, c.room != kNoPage, c.free() >= c.chunks_per_page, class_stats_[id].get_hits};
  }
  const PageMover::Move move = mover_.choose(holdings, sizes_.classes());
  if (move.from == 0 || !rebalances_) {
    return;
  }
  const std::uint32_t page = slabs_.next_page(slabs_[move.from].hand.page);
  drain_to_ = move.to;
  drain_passes_ = 0;
  drain_unit_ = 0;
  if (pages_[page].used == 0) {
    slabs_.drop_page(page);
    slabs_.add_page(move.to);
  } else {
    slabs_.start_draining(page);
  }
}

/// A few slots of the page that is on its way.
void Partition::drain(Seconds now) noexcept {
  const std::uint32_t page = slabs_.draining();
  const std::uint32_t id = pages_[page].class_id;
  const std::uint32_t units = slabs_[id].chunk_units;
  for (std::uint32_t n = 0; n < kDrainSlotsMax && slabs_.draining() == page; ++n) {
    if (drain_unit_ >= slabs_.fresh_unit(page)) {
      drain_unit_ = 0;
      if (++drain_passes_ == kDrainPassesMax) {
        slabs_.stop_draining();
        slabs_[id].hand = {page, 0};  // so that another one is next
      }
      return;
    }
    std::byte* chunk = pages_.address(page) + std::size_t{drain_unit_} * kUnitBytes;
    drain_unit_ += units;
    drain_chunk(chunk, id, now);
  }
  if (pages_[page].use == PageUse::Free) {
    ++counters_.pages_stolen;
    slabs_.add_page(drain_to_);  // fails only while the limit is being lowered
  }
}

void Partition::drain_chunk(std::byte* chunk, std::uint32_t id, Seconds now) noexcept {
  const Kind kind = kind_at(chunk);
  if (kind == Kind::Free || kind == Kind::Held) {
    return;
  }
  Item* item = reinterpret_cast<Item*>(chunk);
  if (kind == Kind::Continuation) {
    item = item_at(reinterpret_cast<Continuation*>(chunk)->head);
  }
  if (item->kind() != Kind::Item || is_pinned(*item)) {
    return;
  }
  const bool is_worth_it = slabs_[id].room != kNoPage || (item->clock() != 0 && !item->is_in_probation());
  if (item->is_chained() || is_dead(*item, now) || !is_worth_it || !relocate(*item, id, now)) {
    evict(*item, now);
  }
}

/// Puts an item elsewhere in its class; with one count less when another had to go: it has been come to, as by the
/// hand. False: no room.
bool Partition::relocate(Item& item, std::uint32_t id, Seconds now) noexcept {
  item.set_kind(Kind::Held);  // what makes room passes it by
  ItemRef ref = slabs_.allocate(id);
  const bool had_room = ref != ItemRef{};
  if (!had_room && evict_from(id, now, false)) {
    ref = slabs_.allocate(id);
  }
  item.set_kind(Kind::Item);
  if (ref == ItemRef{}) {
    return false;
  }
  Item& moved = *item_at(ref);
  std::memcpy(static_cast<void*>(&moved), &item, item.item_bytes());
  if (moved.expires_at() != kNever) {
    pages_.wheel().note(pages_.page_of(ref), moved.expires_at());
  }
  if (moved.is_in_probation()) {
    put_in_probation(moved);
  } else if (!had_room) {
    moved.cool();
  }
  const ItemRef before = pages_.ref_of(&item);
  Index::replace(index_.find_ref(hash_key(item.key(), seed_), before), ref);
  slabs_.free(before);
  ++counters_.rescued;
  return true;
}

}  // namespace millrace::store
