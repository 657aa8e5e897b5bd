// Datagrams with slices that a port still reads: how many pieces of each are out. One core; no allocation after the
// constructor.
//
// Invariants: 1. A slot is used from open() until its last piece has come back and close() was called, in any order;
// then its token is told once. 2. Ports are given the slot's number, never the worker's token.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/assert.h"

namespace millrace::stack {

class LentTable {
 public:
  explicit LentTable(std::uint32_t slots) : slots_(slots), told_(slots) {
    for (std::uint32_t i = slots; i-- > 0;) {
      slots_[i].next_free = free_;
      free_ = i;
    }
  }

  /// A datagram begins; nothing: too many are out, so copy.
  [[nodiscard]] std::optional<std::uint32_t> open(std::uint64_t token) noexcept {
    if (free_ == kNone) {
      return std::nullopt;
    }
    const std::uint32_t slot = free_;
    free_ = slots_[slot].next_free;
    slots_[slot] = {.token = token, .pieces = 1};  // one for the sender, until close()
    return slot;
  }
  void add_piece(std::uint32_t slot) noexcept { ++slots_[slot].pieces; }
  /// A piece came back.
  void remove_piece(std::uint32_t slot) noexcept {
    MR_ASSERT(slot < slots_.size() && slots_[slot].pieces > 0);
    if (--slots_[slot].pieces == 0) {
      told_[told_count_++] = slot;  // free when told: so there is room for each
    }
  }
  /// The datagram has been handed over. True: pieces of it are out, and its token will be told. False: none ever were.
  [[nodiscard]] bool close(std::uint32_t slot) noexcept {
    MR_ASSERT(slots_[slot].pieces > 0);
    if (--slots_[slot].pieces > 0) {
      return true;
    }
    slots_[slot].next_free = free_;
    free_ = slot;
    return false;
  }
  /// A token whose bytes nobody reads any more.
  [[nodiscard]] bool take_told(std::uint64_t& token) noexcept {
    if (told_count_ == 0) {
      return false;
    }
    const std::uint32_t slot = told_[--told_count_];
    token = slots_[slot].token;
    slots_[slot].next_free = free_;
    free_ = slot;
    return true;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  struct Slot {
    std::uint64_t token = 0;
    std::uint32_t pieces = 0;
    std::uint32_t next_free = kNone;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> told_;  ///< slots whose pieces are back
  std::size_t told_count_ = 0;
  std::uint32_t free_ = kNone;
};

}  // namespace millrace::stack
