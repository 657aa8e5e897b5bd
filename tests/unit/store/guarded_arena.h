// Memory for a partition under test, between two regions that may not be touched: who writes beside it dies at once.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>

#include "store/limits.h"

namespace millrace::store::tests {

/// An arena under test is made of the largest pages, unless it is said otherwise.
inline constexpr std::uint32_t kPageBytes = kPageBytesMax;

class GuardedArena {
 public:
  /// Without `is_usable` it is only address space, for tests of addresses.
  explicit GuardedArena(std::size_t pages, bool is_usable = true) : bytes_(pages * kPageBytes) {
    void* mapped =
        mmap(nullptr, bytes_ + 2 * kPageBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) {
      throw std::runtime_error("no address space for an arena");
    }
    start_ = static_cast<std::byte*>(mapped) + kPageBytes;
    if (is_usable && mprotect(start_, bytes_, PROT_READ | PROT_WRITE) != 0) {
      throw std::runtime_error("no memory for an arena");
    }
  }
  GuardedArena(const GuardedArena&) = delete;
  GuardedArena& operator=(const GuardedArena&) = delete;
  ~GuardedArena() { munmap(start_ - kPageBytes, bytes_ + 2 * kPageBytes); }

  [[nodiscard]] std::span<std::byte> bytes() const { return {start_, bytes_}; }

 private:
  std::size_t bytes_;
  std::byte* start_;
};

}  // namespace millrace::store::tests
