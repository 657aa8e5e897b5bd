// A list of slot numbers in which each slot is at most once; every operation takes constant time and no memory.
//
// Thread: the transport's. Ownership: holds numbers only. Built once for a fixed count of slots.
// Why not std::deque: a connection that dies has to leave the middle of a queue, and nothing may allocate.
#pragma once

#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace millrace::uring {

class SlotList {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  explicit SlotList(std::uint32_t slots) : links_(slots) {}

  [[nodiscard]] bool empty() const noexcept { return first_ == kNone; }
  [[nodiscard]] std::uint32_t first() const noexcept { return first_; }
  /// Behind a slot that is listed; kNone behind the last.
  [[nodiscard]] std::uint32_t next_of(std::uint32_t slot) const noexcept { return links_[slot].next; }
  [[nodiscard]] bool contains(std::uint32_t slot) const noexcept { return links_[slot].is_listed; }

  /// Does nothing when the slot is listed already, here and below.
  void push_back(std::uint32_t slot) noexcept {
    MR_ASSERT(slot < links_.size());
    Link& link = links_[slot];
    if (link.is_listed) {
      return;
    }
    link = {.next = kNone, .previous = last_, .is_listed = true};
    (last_ == kNone ? first_ : links_[last_].next) = slot;
    last_ = slot;
  }

  void push_front(std::uint32_t slot) noexcept {
    MR_ASSERT(slot < links_.size());
    Link& link = links_[slot];
    if (link.is_listed) {
      return;
    }
    link = {.next = first_, .previous = kNone, .is_listed = true};
    (first_ == kNone ? last_ : links_[first_].previous) = slot;
    first_ = slot;
  }

  /// Does nothing when the slot is not listed.
  void erase(std::uint32_t slot) noexcept {
    Link& link = links_[slot];
    if (!link.is_listed) {
      return;
    }
    (link.previous == kNone ? first_ : links_[link.previous].next) = link.next;
    (link.next == kNone ? last_ : links_[link.next].previous) = link.previous;
    link = {};
  }

  std::uint32_t pop_front() noexcept {
    MR_ASSERT(!empty());
    const std::uint32_t slot = first_;
    erase(slot);
    return slot;
  }

 private:
  struct Link {
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    bool is_listed = false;
  };
  std::vector<Link> links_;
  std::uint32_t first_ = kNone;
  std::uint32_t last_ = kNone;
};

}  // namespace millrace::uring
