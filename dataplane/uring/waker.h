// Ends a sleep in poll(): an eventfd that the ring watches.
//
// Thread: wake() on any; the rest on the transport's. Ownership: owns the eventfd.
// Invariant: is_asked_ is set from the first wake() until the transport has seen its completion; only that first one
// costs a system call. A wake() that finds it set is seen too: the completion it stands behind has not been taken yet.
#pragma once

#include <atomic>
#include <memory>

#include "base/attributes.h"
#include "base/result.h"
#include "dataplane/api/transport.h"

namespace millrace::uring {

class EventfdWaker final : public dataplane::Waker {
 public:
  static Result<std::unique_ptr<EventfdWaker>> create();
  ~EventfdWaker() override;
  EventfdWaker(const EventfdWaker&) = delete;
  EventfdWaker& operator=(const EventfdWaker&) = delete;

  void wake() noexcept override;

  /// The transport has taken the completion: the next wake() has to write again.
  void acknowledge() noexcept { is_asked_.exchange(false, std::memory_order_acq_rel); }
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  explicit EventfdWaker(int fd) : fd_(fd) {}

  const int fd_;
  alignas(kCacheLineBytes) std::atomic<bool> is_asked_ = false;
};

}  // namespace millrace::uring
