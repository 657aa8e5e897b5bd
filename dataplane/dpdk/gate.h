// What stands between a worker and its queue pair: open, link down, device gone, or shut while the device is reset.
//
// Threads: the control thread writes; the worker asks at each burst, and by asking says that it is not in the device.
// A gate that is shut is acknowledged by the number of its shutting, so that a late acknowledgement of an earlier one
// cannot be taken for one of this.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "dataplane/port/frame_port.h"

namespace millrace::dpdk {

class Gate {
 public:
  /// Worker: may the device be touched in this burst?
  [[nodiscard]] bool passes() noexcept {
    const std::uint32_t word = word_.load(std::memory_order_acquire);
    if (MR_LIKELY(word % kStates == kUp)) {
      return true;
    }
    acknowledged_.store(word, std::memory_order_release);
    return false;
  }
  [[nodiscard]] port::LinkState link() const noexcept {
    switch (word_.load(std::memory_order_relaxed) % kStates) {
      case kUp:
        return port::LinkState::Up;
      case kRemoved:
        return port::LinkState::Removed;
      default:
        return port::LinkState::Down;
    }
  }

  // Control thread.
  void set_link(port::LinkState link) noexcept {
    set(link == port::LinkState::Up ? kUp : link == port::LinkState::Removed ? kRemoved : kDown);
  }
  void shut() noexcept { set(kShut); }
  /// The worker has seen that it is shut, and stays out until set_link().
  [[nodiscard]] bool is_acknowledged() const noexcept {
    return acknowledged_.load(std::memory_order_acquire) == word_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint32_t kUp = 0;
  static constexpr std::uint32_t kDown = 1;
  static constexpr std::uint32_t kRemoved = 2;
  static constexpr std::uint32_t kShut = 3;
  static constexpr std::uint32_t kStates = 4;

  void set(std::uint32_t state) noexcept {
    const std::uint32_t word = word_.load(std::memory_order_relaxed);
    if (word % kStates != state) {
      word_.store((word / kStates + 1) * kStates + state, std::memory_order_release);
    }
  }

  std::atomic<std::uint32_t> word_{kDown};
  std::atomic<std::uint32_t> acknowledged_{0};
};

}  // namespace millrace::dpdk
