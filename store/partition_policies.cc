// The policies that are chosen instead of CLOCK: lru, mru, lfu, random, ttl. Owner only.
//
// lru and mru walk the exact order of use of a class; lfu and ttl take the lowest count, or the soonest expiry, of the
// next kWindow items that the hand comes to; random lets the hand jump. What is pinned is passed by, what is dead goes
// first. A class that holds nothing but pieces of large items has no order of its own: there the hand of CLOCK goes on
// (partition_evict.cc).
// Why a window for lfu and ttl and not an exact order: that would be a heap beside the arena, with a walk through it on
// every hit. The lowest of 32 is within the lowest tenth, 97 times in 100.
#include <algorithm>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Items that lfu and ttl choose from.
constexpr std::uint32_t kWindow = 32;
/// Pinned items that lru and mru walk past.
constexpr std::uint32_t kWalkMax = 64;
/// Pages that random jumps over at most.
constexpr std::uint32_t kJumpMax = 64;

}  // namespace

void Partition::make_records() {
  const std::uint64_t bytes = std::uint64_t{pages_.pages()} << pages_.page_shift();
  if (policy_ == EvictionPolicy::Lru || policy_ == EvictionPolicy::Mru) {
    recency_ = std::make_unique<RecencyRecords>(bytes, sizes_.chunk_bytes(1));
  } else if (policy_ == EvictionPolicy::Lfu) {
    frequency_ = std::make_unique<FrequencyRecords>(bytes, sizes_.chunk_bytes(1));
  }
  keeps_records_ = recency_ != nullptr || frequency_ != nullptr;
}

void Partition::record_entry(const Item& item) noexcept {
  const ItemRef ref = pages_.ref_of(&item);
  if (recency_ != nullptr) {
    recency_->enter(ref, class_of(item));
  } else {
    frequency_->enter(ref, counters_.curr_items);
  }
}

void Partition::record_use(const Item& item) noexcept {
  const ItemRef ref = pages_.ref_of(&item);
  if (recency_ != nullptr) {
    recency_->use(ref, class_of(item));
  } else {
    frequency_->use(ref, draw());
  }
}

void Partition::record_succession(const Item& item, const Item& former) noexcept {
  if (recency_ != nullptr) {
    record_leave(former);
    record_entry(item);
  } else {
    frequency_->inherit(pages_.ref_of(&item), pages_.ref_of(&former));
  }
}

void Partition::record_leave(const Item& item) noexcept {
  if (recency_ != nullptr) {
    recency_->leave(pages_.ref_of(&item), class_of(item));
  }
}

/// Evicts from class `id` whom the policy names. False: it names nobody.
bool Partition::evict_chosen(std::uint32_t id, Seconds now) noexcept {
  Item* item = recency_ != nullptr ? last_in_order(id) : best_of_window(id, now);
  if (item == nullptr) {
    return false;
  }
  SlabClass& c = slabs_[id];
  evict(*item, now);
  if (++c.pace.evicted >= c.chunks_per_page) {  // no hand crosses pages, but as many items went as a page holds
    c.pace.evicted = 0;
    c.pace.cross(counters_.total_items);
  }
  return true;
}

Item* Partition::last_in_order(std::uint32_t id) noexcept {
  const bool takes_newest = policy_ == EvictionPolicy::Mru;
  ItemRef ref = takes_newest ? recency_->newest(id) : recency_->oldest(id);
  for (std::uint32_t n = 0; n < kWalkMax && ref != ItemRef{}; ++n) {
    Item* item = item_at(ref);
    if (item->kind() == Kind::Item && !is_pinned(*item)) {
      return item;
    }
    ref = takes_newest ? recency_->older(ref) : recency_->newer(ref);
  }
  return nullptr;
}

/// The hand goes on to a page of the class, each as likely as the other when they are few, and to one of its slots.
void Partition::jump(SlabClass& c) noexcept {
  for (std::uint32_t steps = draw() % std::min(c.pages, kJumpMax); steps != 0; --steps) {
    c.hand.page = slabs_.next_page(c.hand.page);
  }
  const std::uint32_t slots = slabs_.fresh_unit(c.hand.page) / c.chunk_units;
  c.hand.unit = slots == 0 ? 0 : draw() % slots * c.chunk_units;
}

Item* Partition::best_of_window(std::uint32_t id, Seconds now) noexcept {
  SlabClass& c = slabs_[id];
  const bool takes_first = policy_ == EvictionPolicy::Random;
  Item* best = nullptr;
  std::uint32_t best_rank = 0;
  std::uint32_t seen = 0;
  for (std::uint64_t looked = 0; looked < std::min<std::uint64_t>(c.chunks() + c.pages + 1, kSweepSlotsMax); ++looked) {
    if (takes_first) {
      jump(c);
    }
    if (c.hand.unit >= slabs_.fresh_unit(c.hand.page)) {
      c.hand = {slabs_.next_page(c.hand.page), 0};
      continue;
    }
    std::byte* chunk = pages_.address(c.hand.page) + std::size_t{c.hand.unit} * kUnitBytes;
    c.hand.unit += c.chunk_units;
    Item* item = reinterpret_cast<Item*>(chunk);
    if (kind_at(chunk) != Kind::Item || is_pinned(*item)) {
      continue;
    }
    if (takes_first || is_dead(*item, now)) {
      return item;
    }
    // Never, 0, wraps round to the far end.
    const std::uint32_t rank = frequency_ != nullptr ? frequency_->count(pages_.ref_of(item)) : item->expires_at() - 1;
    if (best == nullptr || rank < best_rank) {
      best = item;
      best_rank = rank;
    }
    if (++seen == kWindow) {
      break;
    }
  }
  return best;
}

}  // namespace millrace::store
