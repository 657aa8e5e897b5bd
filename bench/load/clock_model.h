// A model of a cache with a 2-bit CLOCK, to hold a server's hit ratio against on the same requests and memory.
// New items enter with count 0; a hit counts up to 3; the hand takes the oldest item and either evicts it (count 0) or
// puts it back as the newest with one less (order of reinsertion). One queue for all sizes: no size classes, whose
// rounding costs a slab store some 10 % of its memory, and no expiry. A value that exceeds the memory is not admitted.
// Single-threaded; keys are dense numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/load/trace.h"

namespace millrace::load {

class ClockModel {
 public:
  /// What an item costs beside key and value: header and index share.
  static constexpr std::uint32_t kOverheadBytes = 22;

  ClockModel(std::uint64_t memory_bytes, std::uint32_t keys, std::uint32_t key_bytes)
      : items_(keys), memory_bytes_(memory_bytes), bytes_beside_value_(key_bytes + kOverheadBytes) {}

  /// A read: true when the item is there.
  bool get(std::uint32_t key) noexcept;
  /// A write: replaces, as a new item.
  void set(std::uint32_t key, std::uint32_t value_bytes) noexcept;

  /// A record as the replay treats it: a get, and a set when it misses.
  void replay(const TraceRecord& record) noexcept;

  [[nodiscard]] std::uint64_t gets() const noexcept { return gets_; }
  [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }
  [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_bytes_; }
  [[nodiscard]] std::uint64_t items() const noexcept { return count_; }
  [[nodiscard]] double hit_ratio() const noexcept {
    return gets_ == 0 ? 0.0 : static_cast<double>(hits_) / static_cast<double>(gets_);
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::uint8_t kCountMax = 3;

  struct Item {
    std::uint32_t newer = kNone;
    std::uint32_t older = kNone;
    std::uint32_t value_bytes = 0;
    std::uint8_t count = 0;
    bool is_held = false;
  };

  [[nodiscard]] std::uint64_t cost(const Item& item) const noexcept {
    return std::uint64_t{item.value_bytes} + bytes_beside_value_;
  }
  void push_newest(std::uint32_t key) noexcept;
  void unlink(std::uint32_t key) noexcept;
  void evict_one() noexcept;

  std::vector<Item> items_;
  std::uint64_t memory_bytes_;
  std::uint32_t bytes_beside_value_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t gets_ = 0;
  std::uint64_t hits_ = 0;
  std::uint32_t newest_ = kNone;
  std::uint32_t oldest_ = kNone;
};

}  // namespace millrace::load
