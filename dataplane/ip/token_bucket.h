// At most so many a second, and so many at once: what we answer to anybody who asks (RFC 1812 4.3.2.8, RFC 4443 2.4 f).
// One core; no clock: `now` is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace millrace::ip {

class TokenBucket {
 public:
  /// Both at least 1; full at the start.
  constexpr TokenBucket(std::uint32_t per_second, std::uint32_t burst) noexcept
      : per_second_(per_second), burst_(burst), level_ns_(std::int64_t{burst} * kSecondNs) {}

  /// Whether one more is allowed now; if so, it is counted.
  [[nodiscard]] bool take(Instant now) noexcept {
    // The level is kept in tokens times a second, so that no fraction of a token is ever lost. What would fill an empty
    // bucket caps the idle time before it is multiplied.
    const std::int64_t full_ns = std::int64_t{burst_} * kSecondNs;
    const std::int64_t idle_ns = std::clamp<std::int64_t>((now - last_).ns, 0, full_ns / per_second_ + 1);
    level_ns_ = std::min(level_ns_ + idle_ns * per_second_, full_ns);
    last_ = std::max(last_, now);
    if (level_ns_ < kSecondNs) {
      return false;
    }
    level_ns_ -= kSecondNs;
    return true;
  }

 private:
  static constexpr std::int64_t kSecondNs = 1'000'000'000;
  std::uint32_t per_second_;
  std::uint32_t burst_;
  std::int64_t level_ns_;
  Instant last_{};
};

}  // namespace millrace::ip
