// The eventfd behind Transport::waker().
#include "dataplane/uring/waker.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/assert.h"

namespace millrace::uring {

Result<std::unique_ptr<EventfdWaker>> EventfdWaker::create() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    return fail(
        fmt::format("no eventfd to wake a worker with: {}; raise `ulimit -n` (LimitNOFILE=) if descriptors ran out",
                    std::strerror(errno)));
  }
  return std::unique_ptr<EventfdWaker>(new EventfdWaker(fd));
}

EventfdWaker::~EventfdWaker() { close(fd_); }

void EventfdWaker::wake() noexcept {
  if (is_asked_.exchange(true, std::memory_order_acq_rel)) {
    return;
  }
  // Nobody reads the counter: the ring reports each write (a multishot poll is edge-triggered), and 2^64 writes are
  // never reached.
  const std::uint64_t one = 1;
  const ssize_t written = write(fd_, &one, sizeof one);
  MR_ASSERT(written == sizeof one);
}

}  // namespace millrace::uring
