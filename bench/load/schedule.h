// When requests are due in an open loop: a pure function of rate, seed and the instant it begins, so that neither the
// server nor this machine can move it. Whoever falls behind it pays, because latency counts from the due time.
// Owned by one load thread; each of several threads takes a part of the whole rate: constant arrivals interleave
// evenly, and Poisson processes add up to one.
#pragma once

#include <cmath>
#include <cstdint>

#include "base/assert.h"
#include "base/time.h"
#include "bench/load/prng.h"

namespace millrace::load {

enum class Arrivals : std::uint8_t {
  Constant,  ///< evenly spaced
  Poisson,   ///< each gap independent of the last, as from many clients that know nothing of each other
};

[[nodiscard]] constexpr const char* arrivals_name(Arrivals arrivals) noexcept {
  return arrivals == Arrivals::Constant ? "constant" : "poisson";
}

struct Pace {
  double rate_per_s = 0;  ///< of all parts together
  Arrivals arrivals = Arrivals::Constant;
};

class Schedule {
 public:
  /// Part `part` of `parts`.
  Schedule(const Pace& pace, std::uint32_t part, std::uint32_t parts, Instant begin, std::uint64_t seed) noexcept
      : arrivals_(pace.arrivals),
        gap_ns_(1e9 / pace.rate_per_s * parts),
        offset_ns_(1e9 / pace.rate_per_s * part),
        begin_(begin),
        prng_(mix64(seed ^ 0x6172'7269'7665)) {
    MR_ASSERT(pace.rate_per_s > 0);
    MR_ASSERT(part < parts);
    if (arrivals_ == Arrivals::Poisson) {
      offset_ns_ = gap();
    }
    set_next();
  }

  /// When the oldest request not yet taken is due.
  [[nodiscard]] Instant next() const noexcept { return next_; }

  void take() noexcept {
    ++taken_;
    if (arrivals_ == Arrivals::Poisson) {
      offset_ns_ += gap();
    }
    set_next();
  }

 private:
  /// Exponentially distributed, mean gap_ns_.
  double gap() noexcept { return -std::log1p(-prng_.unit()) * gap_ns_; }

  void set_next() noexcept {
    // Constant times are computed, not added up: no rounding error grows over a long run.
    const double at = arrivals_ == Arrivals::Poisson ? offset_ns_ : offset_ns_ + static_cast<double>(taken_) * gap_ns_;
    next_ = begin_ + nanoseconds(static_cast<std::int64_t>(at));
  }

  Arrivals arrivals_;
  double gap_ns_;
  double offset_ns_;  ///< Constant: of the first; Poisson: of the next
  Instant begin_;
  Instant next_{};
  std::uint64_t taken_ = 0;
  Prng prng_;
};

}  // namespace millrace::load
