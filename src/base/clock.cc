#include "base/clock.h"

#include <ctime>

namespace millrace {
namespace {

std::int64_t read_ns(clockid_t which) noexcept {
  timespec at{};
  clock_gettime(which, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

/// The full second of wall time in which the process started, on the monotonic line: seconds of both begin together, so
/// that a date is met to the second. Steps of the wall clock part them, by less than one.
const std::int64_t process_epoch_ns = read_ns(CLOCK_MONOTONIC) - read_ns(CLOCK_REALTIME) % 1'000'000'000;

}  // namespace

Instant SystemClock::now() noexcept { return {read_ns(CLOCK_MONOTONIC) - process_epoch_ns}; }

std::int64_t SystemClock::wall_s() noexcept {
  return read_ns(CLOCK_REALTIME) /
         1'000'000'000;  // not the coarse one, which begins its seconds some milliseconds late
}

std::int64_t SystemClock::wall_us() noexcept { return read_ns(CLOCK_REALTIME) / 1000; }

std::int64_t wall_at_epoch_ns() noexcept {
  return read_ns(CLOCK_REALTIME) - (read_ns(CLOCK_MONOTONIC) - process_epoch_ns);
}

}  // namespace millrace
