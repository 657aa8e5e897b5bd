// What CLOCK has in front of it with EvictionPolicy::Clock. Owner only.
//
// A new item is in probation, for as long as it takes a tenth of its class's slots to be filled anew; a hit in that
// time makes it one of CLOCK's, no hit makes it go, and the ghost remembers its key. When a key that the ghost knows
// comes back, it is CLOCK's at once. So what is asked for once passes through a tenth of the memory, and the rest is
// kept for what is asked for again. Items never move for it: probation is a value of the item's reference bits, and a
// queue of references says whose turn it is. A hit costs what it costs with CLOCK alone. This is S3-FIFO (Yang et al.,
// SOSP 2023) with promotion at the first re-hit, in place.
#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// What is CLOCK's without the hand having given it its place in the ring gets a count: the hand may be about to come.
constexpr std::uint32_t kEntryCount = 1;
/// Entries above the target that are kept, and how many a new one lets out: memory is not short, so nothing has to go.
constexpr std::uint64_t kSlack = 16;
constexpr std::uint32_t kLetOutMax = 2;

}  // namespace

/// Takes the oldest entry off. True when its item, which `ref` then names, is in probation still; one that was hit
/// becomes CLOCK's.
MR_ALWAYS_INLINE bool Partition::take_oldest_in_probation(std::uint32_t id, ItemRef& ref) noexcept {
  ref = probation_[id].pop(pages_, slabs_);
  const Page& page = pages_[pages_.page_of(ref)];
  // A page that left the class and came back has its chunks where they were.
  if (MR_UNLIKELY(page.use != PageUse::Slab || page.class_id != id || pages_.unit_of(ref) >= page.fresh_unit)) {
    return false;
  }
  Item& item = *item_at(ref);
  if (MR_LIKELY(item.is_item_in_probation())) {
    return true;
  }
  if (item.kind() == Kind::Item && item.clock() > kEntryCount) {
    item.set_clock(kEntryCount);
  }
  return false;
}

/// Longer than its share of the slots and a quarter of that, and what is kept besides.
MR_ALWAYS_INLINE bool Partition::is_probation_too_long(std::uint32_t id) const noexcept {
  return probation_[id].size() > slabs_[id].chunks() / (kProbationShare * 4 / 5) + kSlack;
}

MR_ALWAYS_INLINE void Partition::put_in_probation(Item& item, ItemRef ref, std::uint32_t id) noexcept {
  if (MR_UNLIKELY(!probation_[id].push(ref, pages_))) {
    return put_in_new_segment(item, ref, id);
  }
  item.set_in_probation();
  if (MR_UNLIKELY(is_probation_too_long(id))) {
    let_out_of_probation(id);
  }
}

/// One time in fifteen: out of the way of the others, which then need few registers.
[[gnu::noinline]] void Partition::put_in_new_segment(Item& item, ItemRef ref, std::uint32_t id) noexcept {
  ProbationQueue& queue = probation_[id];
  if (!queue.begin_segment(pages_, slabs_, Index::kOverflowReserve) &&
      !(slabs_.add_page(kOverflowClass) && queue.begin_segment(pages_, slabs_, Index::kOverflowReserve))) {
    needs_tending_ = probation_wants_room_ = true;
    item.set_clock(0);  // meanwhile it is CLOCK's
    return;
  }
  queue.push(ref, pages_);
  item.set_in_probation();
  if (MR_UNLIKELY(is_probation_too_long(id))) {
    let_out_of_probation(id);
  }
}

void Partition::let_out_of_probation(std::uint32_t id) noexcept {
  for (std::uint32_t n = 0; n < kLetOutMax && is_probation_too_long(id); ++n) {
    if (ItemRef out; take_oldest_in_probation(id, out)) {
      item_at(out)->set_clock(0);
    }
  }
}

bool Partition::end_probation(std::uint32_t id, Seconds now) noexcept {
  ItemRef ref;
  if (!take_oldest_in_probation(id, ref)) {
    return false;
  }
  if (MR_UNLIKELY(pins_.contains(ref))) {
    item_at(ref)->set_clock(0);
    return false;
  }
  const bool frees_room = pages_.page_of(ref) != slabs_.draining();
  evict(*item_at(ref), now);
  return frees_room;
}

void Partition::admit(KeyHash hash, Item& item, ItemRef ref, std::uint32_t id) noexcept {
  const bool was_known = ghost_.take(hash);
  if (MR_LIKELY(!item.is_chained()) || !is_beyond_large_share(pages_.page_bytes())) {
    mover_.note_new(id, was_known);  // who has its share gets no more pages
  }
  if (was_known) {
    ++counters_.ghost_hits;
    item.set_clock(kEntryCount);
    return;
  }
  put_in_probation(item, ref, id);
}

void Partition::succeed(Item& item, const Item& former) noexcept {
  if (MR_UNLIKELY(former.is_in_probation())) {
    put_in_probation(item, pages_.ref_of(&item), class_of(item));
  } else {
    item.set_reference_bits(former.reference_bits());
  }
}

}  // namespace millrace::store
