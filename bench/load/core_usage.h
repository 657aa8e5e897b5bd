// How much of a core a thread used, so that a result can say which side was the bottleneck. Linux only.
// Read by the thread itself at the edges of a measured window.
#pragma once

#include <cstdint>

namespace millrace::load {

struct CoreUsage {
  std::int64_t ran_ns = 0;     ///< on a core, user and kernel
  std::int64_t waited_ns = 0;  ///< ready to run while others had the core; 0 where the kernel does not say

  friend CoreUsage operator-(CoreUsage a, CoreUsage b) noexcept {
    return {a.ran_ns - b.ran_ns, a.waited_ns - b.waited_ns};
  }
};

/// The calling thread's, since it began.
[[nodiscard]] CoreUsage this_thread_usage() noexcept;

}  // namespace millrace::load
