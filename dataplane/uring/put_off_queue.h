// Completions of receives that wait while others are heard: those of a connection in their order, and the connections
// in turn, one completion each.
//
// Thread: the transport's. Ownership: copies of completions; the buffers they name stay the kernel's to give back
// later. Built once for a fixed count of slots; its records are as many as ever waited together, at most one a buffer
// and one end a connection.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "dataplane/uring/slot_list.h"

namespace millrace::uring {

/// What a completion of a receive says.
struct Received {
  std::int32_t res = 0;
  std::uint32_t flags = 0;
};

class PutOffQueue {
 public:
  explicit PutOffQueue(std::uint32_t slots) : connections_(slots), ends_(slots) {}

  [[nodiscard]] bool empty() const noexcept { return connections_.empty(); }
  [[nodiscard]] bool has(std::uint32_t slot) const noexcept { return connections_.contains(slot); }

  void push(std::uint32_t slot, const Received& received) {
    const std::uint32_t record = take_record();
    records_[record] = {.received = received, .next = kNone};
    Ends& ends = ends_[slot];
    (connections_.contains(slot) ? records_[ends.last].next : ends.first) = record;
    ends.last = record;
    connections_.push_back(slot);
  }

  /// The next of the connection whose turn it is.
  std::pair<std::uint32_t, Received> pop() noexcept {
    const std::uint32_t slot = connections_.pop_front();
    const std::uint32_t record = ends_[slot].first;
    const Record taken = records_[record];
    records_[record].next = free_;
    free_ = record;
    ends_[slot].first = taken.next;
    if (taken.next != kNone) {
      connections_.push_back(slot);
    }
    return {slot, taken.received};
  }

  template <typename Visit>
  void for_each_connection(const Visit& visit) const {
    for (std::uint32_t slot = connections_.first(); slot != kNone; slot = connections_.next_of(slot)) {
      visit(slot);
    }
  }

 private:
  static constexpr std::uint32_t kNone = SlotList::kNone;

  struct Record {
    Received received;
    std::uint32_t next = kNone;
  };
  struct Ends {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };

  std::uint32_t take_record() {
    if (free_ == kNone) {
      records_.emplace_back();
      return static_cast<std::uint32_t>(records_.size() - 1);
    }
    const std::uint32_t record = free_;
    free_ = records_[record].next;
    return record;
  }

  SlotList connections_;  ///< that have something waiting, in turn
  std::vector<Ends> ends_;
  std::vector<Record> records_;
  std::uint32_t free_ = kNone;
};

}  // namespace millrace::uring
