#include "base/clock.h"

#include <ctime>

namespace millrace {
namespace {

std::int64_t read_ns(clockid_t which) noexcept {
  timespec at{};
  clock_gettime(which, &at);
  return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec;
}

const std::int64_t process_epoch_ns = read_ns(CLOCK_MONOTONIC);

}  // namespace

Instant SystemClock::now() noexcept { return {read_ns(CLOCK_MONOTONIC) - process_epoch_ns}; }

std::int64_t SystemClock::wall_s() noexcept {
  timespec at{};
  clock_gettime(CLOCK_REALTIME_COARSE, &at);
  return at.tv_sec;
}

std::int64_t SystemClock::wall_us() noexcept { return read_ns(CLOCK_REALTIME) / 1000; }

std::int64_t wall_at_epoch_ns() noexcept {
  return read_ns(CLOCK_REALTIME) - (read_ns(CLOCK_MONOTONIC) - process_epoch_ns);
}

}  // namespace millrace
