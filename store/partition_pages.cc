// Whose page to take: at once for a class that has none, bit by bit for a class that would make more of it and for
// whoever can wait. Owner only.
//
// In both cases what was hit since the hand came by last moves into another page of its class, where the hand makes
// room for it, and the rest is evicted; without probation everything in a page that is taken at once goes. Bit by bit:
// a page is closed to new items, and each storing command sees to a few of its slots. What is pinned or reserved is
// passed by, and waited for during some passes; then the page stays, and another one may go. One page at a time goes
// that way: to another class (page_mover.h says from whom to whom), or to the pool, for the index, for probation, for a
// large value, and for the reserve.
// The reserve: with probation, once a class without a page had to take one at once, a page in kReserveShare is kept
// free for the next that comes without one; when nobody has come for two turnovers of the cache, it ends. So memory is
// held back only while sizes drift, and then it is rare that a command has to empty a page itself.
// Bounds: that is up to 2,048 items (1,365 with the default -n), evicted with their buckets asked for ahead; of these
// kRescuesMax move instead.
// Why rescue what was hit: a value of many pages would else throw a piece of the cache away each time it comes.
#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Slots ahead of the one that is emptied.
constexpr std::uint32_t kItemsAhead = 16;
constexpr std::uint32_t kBucketsAhead = 8;

}  // namespace

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

/// Asks for what the slots ahead need: the items, then the buckets of those that are nearer.
void Partition::foresee(std::uint32_t page, std::uint32_t unit, std::uint32_t units) const noexcept {
  const std::uint32_t end = slabs_.fresh_unit(page);
  const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
  const std::size_t chunk_bytes = std::size_t{units} * kUnitBytes;
  if (unit + kItemsAhead * units < end) {
    prefetch(chunk + kItemsAhead * chunk_bytes);
  }
  chunk += kBucketsAhead * chunk_bytes;
  if (unit + kBucketsAhead * units < end && kind_at(chunk) == Kind::Item) {
    index_.prefetch_bucket(hash_key(reinterpret_cast<const Item*>(chunk)->key(), seed_));
  }
}

/// Frees a page of items at once. With `rescues` some of what was hit goes to other pages of the class, from which
/// something else goes for it; the rest is evicted.
void Partition::empty(std::uint32_t page, bool rescues, Seconds now) noexcept {
  ++counters_.pages_stolen;
  if (pages_[page].used == 0) {
    slabs_.drop_page(page);
    return;
  }
  const std::uint32_t id = pages_[page].class_id;
  const std::uint32_t units = slabs_[id].chunk_units;
  const std::uint32_t end = slabs_.fresh_unit(page);
  rescues = rescues && has_probation_ && slabs_[id].pages > 1 && slabs_.draining() == kNoPage;
  if (rescues) {
    slabs_.start_draining(page);
  }
  const std::uint64_t rescued_max = counters_.rescued + kRescuesMax;
  const std::uint64_t looked_max = counters_.slots_looked + kRescueLooksMax;
  for (std::uint32_t unit = 0; unit < end && pages_[page].use == PageUse::Slab; unit += units) {
    foresee(page, unit, units);
    ++counters_.slots_looked;
    const bool may_rescue = rescues && counters_.rescued < rescued_max && counters_.slots_looked < looked_max;
    clear_chunk(pages_.address(page) + std::size_t{unit} * kUnitBytes, id, may_rescue, now);
  }
  while (MR_UNLIKELY(pages_[page].use != PageUse::Free)) {  // a piece of a large value that is given back in steps
    const bool is_leaving = release_step(kStepChunksMax);
    MR_ASSERT(is_leaving);
  }
}

/// Tries the pages the class's hand will come to next: what is left in them is oldest.
bool Partition::steal_from(std::uint32_t id, Seconds now) noexcept {
  const SlabClass& c = slabs_[id];
  const std::uint32_t tries = std::min(c.pages, kStealPagesMax);
  std::uint32_t page = c.hand.page;
  for (std::uint32_t n = 0; n < tries; ++n) {
    page = slabs_.next_page(page);
    if (can_empty(page)) {
      empty(page, true, now);
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
    if (wants_next_page()) {
      filling_ = 0;  // it gets none
    }
    return;
  }
  filling_ = move.giver_is_silent ? move.to : 0;
  start_draining(slabs_.next_page(slabs_[move.from].hand.page), move.to);
}

/// The page begins to be emptied, for class `to`; 0: for the pool.
void Partition::start_draining(std::uint32_t page, std::uint32_t to) noexcept {
  drain_to_ = to;
  drain_passes_ = 0;
  drain_unit_ = 0;
  if (pages_[page].used != 0) {
    slabs_.start_draining(page);
    return;
  }
  slabs_.drop_page(page);
  if (to != 0) {
    slabs_.add_page(to);
  }
}

/// The page of the class to be emptied bit by bit; kNoPage: those that its hand comes to next are lent. Pages of many
/// chunks are taken unseen: to look is as much work as to begin.
std::uint32_t Partition::page_to_free(std::uint32_t id) const noexcept {
  const SlabClass& c = slabs_[id];
  std::uint32_t page = slabs_.next_page(c.hand.page);
  for (std::uint32_t n = 0; n < std::min(c.pages, kStealPagesMax); ++n, page = slabs_.next_page(page)) {
    if (c.chunks_per_page > kStealPagesMax || can_empty(page)) {
      return page;
    }
  }
  return kNoPage;
}

/// Begins to empty a page for whoever will need one: of a class with as much room as a page has, else of the largest.
bool Partition::start_freeing_page() noexcept {
  for (std::uint64_t tried = 0;;) {
    std::uint32_t from = 0;
    for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
      const SlabClass& c = slabs_[id];
      if ((tried >> id & 1) != 0 || c.pages < 2) {
        continue;
      }
      if (c.free() >= c.chunks_per_page) {
        from = id;
        break;
      }
      from = from == 0 || c.pages > slabs_[from].pages ? id : from;
    }
    if (from == 0) {
      return false;
    }
    if (const std::uint32_t page = page_to_free(from); page != kNoPage) {
      start_draining(page, 0);
      return true;
    }
    tried |= std::uint64_t{1} << from;
  }
}

/// Somebody wants a page, and comes again for it.
void Partition::ask_for_page() noexcept {
  reserve_ = std::max(pages_.limit() / kReserveShare, 1U);
  reserve_asked_at_ = counters_.total_items;
  needs_tending_ = true;
}

/// A step towards a page above the reserve. False: not yet, if `drought` says that it waits, else there is none.
bool Partition::approach_page(Seconds now, Drought& drought) noexcept {
  const std::uint64_t stolen_before = counters_.pages_stolen;
  const bool has_begun = slabs_.draining() != kNoPage || start_freeing_page();
  if (slabs_.draining() != kNoPage) {
    drain(kStepSlotsMax, now);
  }
  if (pages_.available() > reserve_) {
    return true;
  }
  if (!has_begun || (slabs_.draining() == kNoPage && counters_.pages_stolen == stolen_before)) {
    drought.in_steps = false;  // something in that page is lent: whichever can be had, and that at once
    return steal_page(now);
  }
  drought.waits = true;
  return false;
}

/// Some slots of the page that is on its way.
void Partition::drain(std::uint32_t slots_max, Seconds now) noexcept {
  if (MR_UNLIKELY(release_step(slots_max))) {
    return;  // perhaps of a value that has a piece in this page
  }
  const std::uint32_t page = slabs_.draining();
  const std::uint32_t id = pages_[page].class_id;
  const std::uint32_t units = slabs_[id].chunk_units;
  const std::uint64_t looked_max = counters_.slots_looked + kDrainLooksMax;
  for (std::uint32_t n = 0; n < slots_max && counters_.slots_looked < looked_max && slabs_.draining() == page; ++n) {
    if (drain_unit_ >= slabs_.fresh_unit(page)) {
      drain_unit_ = 0;
      if (++drain_passes_ == kDrainPassesMax) {
        slabs_.stop_draining();
        slabs_[id].hand = {page, 0};  // so that another one is next
      }
      return;
    }
    foresee(page, drain_unit_, units);
    ++counters_.slots_looked;
    std::byte* chunk = pages_.address(page) + std::size_t{drain_unit_} * kUnitBytes;
    drain_unit_ += units;
    clear_chunk(chunk, id, true, now);
  }
  if (pages_[page].use == PageUse::Free) {
    ++counters_.pages_stolen;
    if (drain_to_ != 0) {
      slabs_.add_page(drain_to_);  // fails only while the limit is being lowered
    }
  }
}

/// What the chunk belongs to moves elsewhere in its class, or goes. What is lent stays.
void Partition::clear_chunk(std::byte* chunk, std::uint32_t id, bool may_rescue, Seconds now) noexcept {
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
  if (!may_rescue || !is_worth_it || item->is_chained() || is_dead(*item, now) || !relocate(*item, id, now)) {
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
    succeed(moved, item);  // with an entry of its own
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
