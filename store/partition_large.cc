// The share of values that take several chunks. Owner only.
//
// Large values (chained, the ones still arriving included) may take memory that nobody uses, as much as there is. What
// others use they may take until they hold their share of the limit; beyond it a new one makes older ones go, in the
// order in which they came, those that were asked for in between later. While they hold more than their share, whoever
// is short of memory takes theirs first. So a client that stores nothing but large values fills an empty cache, and
// cannot flush one that others fill.
// Why not a share of what arrives: what matters to the others is what is taken from them.
#include <algorithm>

#include "store/partition.h"

namespace millrace::store {
namespace {

/// Large values that are asked whether they may go before the next one has to.
constexpr std::uint32_t kAskedMax = 256;

}  // namespace

void Partition::set_large_bytes_max() noexcept {
  large_bytes_max_ = limit_bytes() / 100 * std::min(large_value_share_, 100U);
}

/// Gives the memory of a value that nobody can find any more back: what is beyond a step's worth while its head waits,
/// held, in a list of its own.
void Partition::release_large(Item& item) noexcept {
  item.set_kind(Kind::Held);
  if (!release_pieces(item, kStepChunksMax)) {
    item.set_newer_large(leaving_);
    leaving_ = pages_.ref_of(&item);
    ++counters_.large_leaving;
    needs_tending_ = true;
  }
}

/// True: no piece was left, and the head has gone, too.
bool Partition::release_pieces(Item& item, std::uint32_t pieces_max) noexcept {
  for (std::uint32_t n = 0; item.next() != ItemRef{}; ++n) {
    if (n == pieces_max) {
      return false;
    }
    const ItemRef piece = item.next();
    item.set_next(continuation_at(piece)->next);
    counters_.large_bytes -= slabs_[slabs_.class_of(piece)].chunk_bytes;
    ++counters_.slots_looked;
    slabs_.free(piece);
  }
  counters_.large_bytes -= slabs_[class_of(item)].chunk_bytes;
  slabs_.free(pages_.ref_of(&item));
  return true;
}

/// Goes on with the value that was let go last. False: there is none.
bool Partition::release_step(std::uint32_t pieces_max) noexcept {
  if (MR_LIKELY(leaving_ == ItemRef{})) {
    return false;
  }
  Item& item = *item_at(leaving_);
  const ItemRef next = item.newer_large();
  if (release_pieces(item, pieces_max)) {
    leaving_ = next;
    --counters_.large_leaving;
  }
  return true;
}

/// What large values could come to hold now: their share, or what they have and nobody else does.
std::uint64_t Partition::large_bytes_reachable() const noexcept {
  const std::uint64_t unused = std::uint64_t{pages_.available()} << pages_.page_shift();
  const std::uint64_t index = std::uint64_t{index_.pages()} << pages_.page_shift();
  return std::min(std::max(evicts_ ? large_bytes_max_ : limit_bytes(), counters_.large_bytes + unused),
                  limit_bytes() - std::min(limit_bytes(), index));
}

/// The oldest large value goes that nobody has asked for since it was last come to. False: none can.
bool Partition::evict_large(Seconds now) noexcept {
  for (std::uint32_t asked = 0; asked < 2 * kAskedMax && large_values_.oldest() != ItemRef{}; ++asked) {
    Item& item = *item_at(large_values_.oldest());
    ++counters_.slots_looked;
    if (item.kind() == Kind::Item && !is_pinned(item) &&
        (is_dead(item, now) || asked >= kAskedMax || has_lost_its_place(item, Kind::Continuation))) {
      counters_.large_evictions += is_dead(item, now) ? 0 : 1;
      evict(item, now);
      return true;
    }
    large_values_.leave(item, pages_);
    large_values_.enter(item, pages_);
  }
  return false;
}

/// Where pieces share their pages with other large values, many would have to go before a page is free: empties the
/// page in which the oldest begins. What lies there are large chunks.
bool Partition::empty_large_page(Seconds now) noexcept {
  ItemRef ref = large_values_.oldest();
  for (std::uint32_t tries = 0; tries < kStealPagesMax && ref != ItemRef{}; ++tries) {
    const std::uint32_t page = pages_.page_of(ref);
    if (can_empty(page)) {
      const std::uint64_t evictions = counters_.evictions;
      empty(page, false, now);
      counters_.large_evictions += counters_.evictions - evictions;
      return true;
    }
    ref = item_at(ref)->newer_large();
  }
  return false;
}

/// Memory from large values that hold more than their share, for a chunk of their own or of somebody else's.
bool Partition::take_from_large(std::uint32_t round, bool for_large, Seconds now) noexcept {
  if (for_large && round >= kLargeRoundsMax) {
    return empty_large_page(now);
  }
  return (for_large || round == 0) && evict_large(now);
}

}  // namespace millrace::store
