// Items lent to replies: how often each, in a small open-addressing table.
//
// Thread: the partition's owner (a neighbour that holds a pin reads the item's bytes, never this). Ownership: the
// entries; allocated once. Invariant: an entry's count is above 0; distinct items never exceed kPinsMax, so that the
// table stays at most half full. Why not a count in the item: it would cost every item two bytes for what a few
// thousand have at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/assert.h"
#include "base/attributes.h"
#include "store/item.h"
#include "store/limits.h"

namespace millrace::store {

class PinTable {
 public:
  PinTable() : slots_(std::make_unique<Slot[]>(kSlots)) {}

  /// False when the table is full.
  bool add(ItemRef ref) noexcept {
    const std::uint32_t at = find(ref);
    if (slots_[at].ref == ItemRef{}) {
      if (distinct_ == kPinsMax) {
        return false;
      }
      slots_[at].ref = ref;
      ++distinct_;
    }
    ++slots_[at].count;
    return true;
  }

  /// True when this was the last pin of `ref`.
  bool drop(ItemRef ref) noexcept {
    const std::uint32_t at = find(ref);
    MR_ASSERT(slots_[at].ref == ref && ref != ItemRef{});
    if (--slots_[at].count != 0) {
      return false;
    }
    --distinct_;
    close_gap(at);
    return true;
  }

  [[nodiscard]] bool contains(ItemRef ref) const noexcept {
    return MR_UNLIKELY(distinct_ != 0) && slots_[find(ref)].ref == ref;
  }
  [[nodiscard]] static constexpr std::uint64_t table_bytes() noexcept { return std::uint64_t{kSlots} * sizeof(Slot); }
  [[nodiscard]] std::uint32_t distinct() const noexcept { return distinct_; }

 private:
  struct Slot {
    ItemRef ref{};
    std::uint32_t count = 0;
  };
  static constexpr std::uint32_t kSlots = kPinsMax * 2;
  static constexpr std::uint32_t kMask = kSlots - 1;
  static_assert((kSlots & kMask) == 0);

  [[nodiscard]] static std::uint32_t home(ItemRef ref) noexcept {
    return (static_cast<std::uint32_t>(ref) * 0x9e37'79b1U) >> 16 & kMask;
  }
  /// The slot of `ref`, or the empty one where it would go.
  [[nodiscard]] std::uint32_t find(ItemRef ref) const noexcept {
    std::uint32_t at = home(ref);
    while (slots_[at].ref != ref && slots_[at].ref != ItemRef{}) {
      at = (at + 1) & kMask;
    }
    return at;
  }
  /// Moves entries back over an emptied slot, so that no probe ends early and no tombstones pile up.
  void close_gap(std::uint32_t gap) noexcept {
    for (std::uint32_t at = (gap + 1) & kMask; slots_[at].ref != ItemRef{}; at = (at + 1) & kMask) {
      if (((at - home(slots_[at].ref)) & kMask) >= ((at - gap) & kMask)) {
        slots_[gap] = slots_[at];
        gap = at;
      }
    }
    slots_[gap] = Slot{};
  }

  std::uint32_t distinct_ = 0;
  std::unique_ptr<Slot[]> slots_;
};

}  // namespace millrace::store
