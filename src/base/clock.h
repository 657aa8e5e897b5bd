// The one place that reads clocks. Owned by whoever runs a loop; each worker reads it once a turn.
// Two lines of time: `now()` never steps; `wall_s()` is Unix time and may, so it is read afresh for absolute expiry
// times.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace millrace {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Monotonic time since this clock's epoch.
  virtual Instant now() noexcept = 0;
  /// Unix time in whole seconds.
  virtual std::int64_t wall_s() noexcept = 0;
  /// The same in microseconds, as exactly as the clock has it: to say when something happened.
  virtual std::int64_t wall_us() noexcept { return wall_s() * 1'000'000; }
};

/// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME). All SystemClocks of a process share one epoch: process
/// start.
class SystemClock final : public Clock {
 public:
  Instant now() noexcept override;
  std::int64_t wall_s() noexcept override;
  std::int64_t wall_us() noexcept override;
};

/// Unix time of SystemClock's Instant{0}, in nanoseconds, as the wall clock stands now.
std::int64_t wall_at_epoch_ns() noexcept;

/// A clock that moves when told: tests and simulation.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(std::int64_t wall_s = 1'700'000'000) : wall_epoch_s_(wall_s) {}
  Instant now() noexcept override { return now_ = now_ + reading_; }
  std::int64_t wall_s() noexcept override { return wall_epoch_s_ + wall_step_s_ + now_.ns / 1'000'000'000; }
  void advance(Duration by) { now_ = now_ + by; }
  /// From now on each reading finds it so much later, as where something takes long between two.
  void set_reading(Duration takes) { reading_ = takes; }
  /// Steps wall time alone, as an operator or NTP does.
  void step_wall(std::int64_t by_s) { wall_step_s_ += by_s; }

 private:
  Instant now_{};
  Duration reading_{};
  std::int64_t wall_epoch_s_;
  std::int64_t wall_step_s_ = 0;
};

}  // namespace millrace
