// Tells AddressSanitizer which of our own memory nobody may touch: allocators of ours are blind spots otherwise. Does
// nothing in other builds. Any thread; ranges begin and end on multiples of 8.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MR_HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MR_HAS_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef MR_HAS_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace millrace {

inline void poison([[maybe_unused]] const std::byte* start, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MR_HAS_ADDRESS_SANITIZER
  __asan_poison_memory_region(start, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const std::byte* start, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MR_HAS_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(start, bytes);
#endif
}

}  // namespace millrace
