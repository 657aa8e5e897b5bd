// A model of CLOCK as store/README.md words it: rings of pages, a hand in each class, two-bit counts. It shares no code
// with the store. It is told where an item lies, for that is the allocator's choice; who goes next it says itself.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {

/// One slot of a page, as the hand meets it.
struct ClockSlot {
  enum class What : std::uint8_t {
    Free,
    Item,
    Held,  ///< reserved, or gone but still lent
  };
  What what = What::Free;
  std::string key;
  std::uint32_t count = 0;
  Seconds expires_at = kNever;
  bool is_pinned = false;
};

class ClockModel {
 public:
  struct Place {
    std::uint32_t page;
    std::uint32_t slot;
    friend bool operator==(Place, Place) = default;
  };

  explicit ClockModel(std::uint32_t slots_per_page) : slots_per_page_(slots_per_page) {}

  [[nodiscard]] bool has_pages() const { return !ring_.empty(); }
  [[nodiscard]] ClockSlot& at(Place place) { return pages_.at(place.page)[place.slot]; }
  [[nodiscard]] const std::map<std::uint32_t, std::vector<ClockSlot>>& pages() const { return pages_; }

  /// The hand goes round until something has to go, and that goes. None: nothing can.
  std::optional<Place> sweep(Seconds now) {
    for (std::size_t looked = 0; looked < 5 * ring_.size() * slots_per_page_; ++looked) {
      if (hand_slot_ == slots_per_page_) {
        hand_ = (hand_ + 1) % ring_.size();
        hand_slot_ = 0;
      }
      const Place place{ring_[hand_], hand_slot_++};
      ClockSlot& slot = at(place);
      if (slot.what != ClockSlot::What::Item || slot.is_pinned) {
        continue;
      }
      const bool is_dead = slot.expires_at != kNever && slot.expires_at <= now;
      if (is_dead || slot.count == 0) {
        return place;
      }
      --slot.count;
    }
    return std::nullopt;
  }

  /// Something lies there from now on. A page not seen before has come in just behind the hand.
  ClockSlot& occupy(Place place) {
    if (!pages_.contains(place.page)) {
      pages_[place.page].resize(slots_per_page_);
      ring_.insert(ring_.begin() + static_cast<std::ptrdiff_t>(hand_), place.page);
      hand_ = ring_.size() == 1 ? 0 : hand_ + 1;
    }
    EXPECT_EQ(at(place).what, ClockSlot::What::Free) << "two things in one place";
    return at(place);
  }

  /// Nothing lies there any more. A page leaves with its last chunk.
  void vacate(Place place) {
    at(place) = ClockSlot{};
    const std::vector<ClockSlot>& slots = pages_.at(place.page);
    if (std::ranges::all_of(slots, [](const ClockSlot& slot) { return slot.what == ClockSlot::What::Free; })) {
      remove_page(place.page);
    }
  }

 private:
  void remove_page(std::uint32_t page) {
    const auto found = std::ranges::find(ring_, page);
    const auto number = static_cast<std::size_t>(found - ring_.begin());
    ring_.erase(found);
    pages_.erase(page);
    if (number < hand_) {
      --hand_;
    } else if (number == hand_) {
      hand_slot_ = 0;
      hand_ = hand_ == ring_.size() ? 0 : hand_;
    }
  }

  std::uint32_t slots_per_page_;
  std::vector<std::uint32_t> ring_;  ///< pages in the order the hand comes to them
  std::map<std::uint32_t, std::vector<ClockSlot>> pages_;
  std::size_t hand_ = 0;
  std::uint32_t hand_slot_ = 0;
};

}  // namespace millrace::store::tests
