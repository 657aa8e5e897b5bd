// Compiler attributes the hot rooms use. Any thread. No ownership.
#pragma once

#include <cstddef>

#define MR_LIKELY(x) __builtin_expect(!!(x), 1)
#define MR_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define MR_COLD __attribute__((noinline, cold))
#define MR_ALWAYS_INLINE inline __attribute__((always_inline))

namespace millrace {

/// Bytes that travel together between caches on every processor we run on.
inline constexpr std::size_t kCacheLineBytes = 64;

/// Asks for the line at `address`, to be read soon. Costs nothing when the address is wrong.
MR_ALWAYS_INLINE void prefetch(const void* address) noexcept {
  __builtin_prefetch(address, 0, 3);
  // g++ 12 takes a function that does nothing but prefetch for one without effect, and drops calls of it.
  asm volatile("");
}

}  // namespace millrace
