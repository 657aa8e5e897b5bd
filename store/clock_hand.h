// A place in a class's ring of pages that moves on slot by slot: the hand of CLOCK, and housekeeping's bookmark.
//
// Thread: the partition's owner. Ownership: inside its class; the slab allocator moves it off a page that leaves.
// Invariant: `page` is kNoPage exactly when the class has no page; `unit` may be past the page's fresh mark (then the
// next step goes to the next page).
// New pages enter the ring just behind the hand, so ring order from the hand on is oldest first: what came last is
// swept last, as in CLOCK over one array.
#pragma once

#include <cstdint>

#include "store/limits.h"

namespace millrace::store {

struct ClockHand {
  std::uint32_t page = kNoPage;
  std::uint32_t unit = 0;
};

/// How fast a hand goes round, in stores of the whole partition: comparable between classes, and needs no clock.
/// age = stores that pass while the hand goes round once = how long an item lives without a hit.
struct HandPace {
  std::uint64_t crossed_at = 0;   ///< the partition's store count when the hand last left a page
  std::uint64_t per_page_x8 = 0;  ///< moving mean of stores per page crossed, times eight
  std::uint32_t evicted = 0;      ///< of the page being crossed, where items are chosen and no hand goes
  std::uint32_t crossings = 0;    ///< since the class was last considered for a page

  void cross(std::uint64_t stores) noexcept {
    const std::uint64_t taken = stores - crossed_at;
    per_page_x8 = per_page_x8 == 0 ? taken * 8 : per_page_x8 - per_page_x8 / 8 + taken;
    crossed_at = stores;
    ++crossings;
  }
  [[nodiscard]] std::uint64_t age(std::uint64_t stores, std::uint64_t pages) const noexcept {
    const std::uint64_t mean = per_page_x8 / 8;
    const std::uint64_t waiting = stores - crossed_at;
    return (mean > waiting ? mean : waiting) * pages;
  }
};

}  // namespace millrace::store
