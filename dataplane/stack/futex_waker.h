// Ends a nap of a transport that polls: one word that a sleeper waits on, without a descriptor.
//
// Thread: wake() on any; the rest on the transport's. Ownership: none. Invariant: a wake() is remembered until a nap
// takes it; it costs a system call only while somebody sleeps.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/attributes.h"
#include "base/time.h"
#include "dataplane/api/transport.h"

namespace millrace::stack {

class FutexWaker final : public dataplane::Waker {
 public:
  void wake() noexcept override;

  /// Whether wake() was called since the last time; forgets it.
  [[nodiscard]] bool take() noexcept { return word_.exchange(kNothing, std::memory_order_acq_rel) == kAsked; }
  /// Sleeps for so long, or until wake(); returns take().
  bool nap(Duration time) noexcept;

 private:
  static constexpr std::uint32_t kNothing = 0;
  static constexpr std::uint32_t kAsked = 1;
  static constexpr std::uint32_t kSleeping = 2;
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> word_ = kNothing;
};

}  // namespace millrace::stack
