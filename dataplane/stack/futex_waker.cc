#include "dataplane/stack/futex_waker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace millrace::stack {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

void FutexWaker::wake() noexcept {
  if (word_.exchange(kAsked, std::memory_order_acq_rel) == kSleeping) {
    syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

bool FutexWaker::nap(Duration time) noexcept {
  std::uint32_t expected = kNothing;
  if (word_.compare_exchange_strong(expected, kSleeping, std::memory_order_acq_rel)) {
    const timespec limit{.tv_sec = time.ns / 1'000'000'000, .tv_nsec = time.ns % 1'000'000'000};
    // Returns at once when the word is no longer kSleeping; a signal ends it too soon, which is no harm.
    syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, kSleeping, &limit, nullptr, 0);
  }
  return take();
}

}  // namespace millrace::stack
