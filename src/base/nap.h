// How long somebody who polls rests when there is nothing: first not at all, then a little, then longer. Pure, but for
// the processor's own pause. One thread.
//
// Why in steps: a request that comes right behind another finds a core that looks; an idle machine costs little.
#pragma once

#include <algorithm>
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

}  // namespace millrace
