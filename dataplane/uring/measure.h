// How many bytes one poll() tells, so that the turn which they make stays short: what the worker makes of them is the
// time that everybody else waits. A byte of small sets into a full store costs a hundred times a byte of a large value,
// so the measure follows the clock: a turn that was long halves it, and it doubles when a turn with so many would have
// been short.
//
// Thread: the transport's. Pure but for what it remembers; the clock's readings are arguments.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace millrace::uring {

class Measure {
 public:
  static constexpr std::size_t kBytesMin = 4 * 1024;
  static constexpr std::size_t kBytesAtStart = 16 * 1024;
  static constexpr std::size_t kBytesMax = 64 * 1024;  ///< rule 20
  static constexpr Duration kTurnLong = microseconds(250);
  static constexpr Duration kTurnShort = microseconds(100);

  /// Once as much has been told in a poll(), no more is.
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  /// Bytes cost so much time that they are told in smaller measure.
  [[nodiscard]] bool is_lowered() const noexcept { return bytes_ < kBytesMax; }

  /// The turn in which `told` bytes were told took as long, without what it slept.
  void learn(std::size_t told, Duration took) noexcept {
    const auto measure = static_cast<std::int64_t>(bytes_);
    const auto bytes = static_cast<std::int64_t>(told);
    if (took > kTurnLong && bytes > measure / 2) {
      bytes_ = std::max(bytes_ / 2, kBytesMin);
    } else if (told >= kBytesMin && took < kTurnLong && took.ns * measure < kTurnShort.ns * bytes) {
      bytes_ = std::min(bytes_ * 2, kBytesMax);
    }
  }

 private:
  std::size_t bytes_ = kBytesAtStart;
};

}  // namespace millrace::uring
