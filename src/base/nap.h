// How long somebody who polls rests when there is nothing: first not at all, then a little, then longer; and the loop
// of looks and naps that all who poll share. Pure, but for the processor's own pause. One thread.
//
// Why in steps: a request that comes right behind another finds a core that looks; an idle machine costs little.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace millrace {

/// Tells the processor that this loop waits: its other hardware thread gets the room, and it saves power.
inline void pause_processor() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class NapSchedule {
 public:
  /// Looks in a row before the first nap: with a pause between them some 0.1 to 0.5 ms. Less, and two hosts that play
  /// ping-pong send each other to sleep.
  static constexpr std::uint32_t kLooks = 4096;
  static constexpr Duration kFirst = microseconds(50);
  static constexpr Duration kLongest = milliseconds(1);

  /// There was something.
  void reset() noexcept {
    looks_ = 0;
    nap_ = kFirst;
  }
  /// There was nothing, again. 0: pause, and look again.
  [[nodiscard]] Duration next() noexcept {
    if (looks_ < kLooks) {
      ++looks_;
      return {};
    }
    const Duration nap = nap_;
    nap_ = std::min(kLongest, nap_ + nap_);
    return nap;
  }

 private:
  std::uint32_t looks_ = 0;
  Duration nap_ = kFirst;
};

/// What came of one nap.
struct Napped {
  std::size_t count = 0;   ///< found by the nap itself
  Duration took{};         ///< as it was meant: nobody reads a clock here
  bool was_sleep = false;  ///< until something called: how long is not known, so the rest ends with it
};

/// Looks until `look(now)` finds something, somebody has called, or `wait` has passed: with a pause in between first,
/// then with naps. `nap(now, time, left)` rests for `time`, or sleeps for `left` at most until something calls.
/// `was_called()`: a reason to return with nothing. Returns what was found.
template <typename Counters, typename Look, typename Nap, typename WasCalled>
std::size_t rest(NapSchedule& naps, Instant now, Duration wait, Counters& counters, Look&& look, Nap&& nap,
                 WasCalled&& was_called) {
  constexpr Duration kPause = nanoseconds(50);  // about what one pause takes
  const Instant end = now + wait;
  bool has_slept = false;
  while (now < end) {
    const Duration time = std::min(naps.next(), end - now);
    Napped napped;
    if (time.ns == 0) {
      pause_processor();
      now = now + kPause;
    } else {
      counters.polls_that_slept += has_slept ? 0 : 1;
      has_slept = true;
      napped = nap(now, time, end - now);
      if (napped.was_sleep) {
        ++counters.sleeps;
      } else {
        ++counters.naps;
        counters.napped_us += static_cast<std::uint64_t>(napped.took.ns / 1000);
        now = now + napped.took;
      }
    }
    const bool is_called = was_called();
    const std::size_t count = napped.count > 0 ? napped.count : look(now);
    if (count > 0 || is_called) {
      naps.reset();
      return count;
    }
    if (napped.was_sleep) {
      return 0;
    }
  }
  return 0;
}

}  // namespace millrace
