#include "dataplane/dpdk/unmap_guard.h"

#include <rte_interrupts.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#include "base/attributes.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MR_SANITIZER_UNMAPS 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MR_SANITIZER_UNMAPS 1
#endif

#ifndef MR_SANITIZER_UNMAPS

/// In place of the C library's, for everything in this process that calls it by name: drivers are libraries that look
/// names up in the program first (meson.build exports this one).
extern "C" int munmap(void* address, std::size_t bytes) noexcept {
  if (MR_UNLIKELY(rte_thread_is_intr() != 0)) {
    ::usleep(millrace::dpdk::kUnmapWaitUs);
  }
  return static_cast<int>(::syscall(SYS_munmap, address, bytes));
}

#endif

namespace millrace::dpdk {

void guard_unmaps() noexcept {}

}  // namespace millrace::dpdk
