// One io_uring: its set-up, which says clearly why it cannot be had, and the few verbs the transport uses of it.
//
// Thread: create() on any; enable() makes the calling thread the owner, and every later call has to come from it.
// The ring is created disabled so that the main thread can build all transports and report what fails before a worker
// runs (IORING_SETUP_SINGLE_ISSUER binds a ring to one task: here that of enable()).
// Ownership: owns the ring. Invariant: in_flight() = entries handed out minus final completions popped.
// Needs Linux 6.1: SINGLE_ISSUER, DEFER_TASKRUN (completion work runs in our own calls only: bursts, and no interrupt
// of the worker), multishot accept and receive, provided buffer rings.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/assert.h"
#include "base/result.h"
#include "base/time.h"
#include "dataplane/uring/user_data.h"

namespace millrace::uring {

/// What the sentence about a failed set-up depends on; read from the system by Ring::create.
struct SetupFacts {
  int error = 0;                   ///< positive errno of io_uring_setup
  std::string release{};           ///< uname -r
  int disabled_sysctl = 0;         ///< kernel.io_uring_disabled; 0 when there is none
  bool has_single_issuer = false;  ///< after EINVAL: what a second, smaller attempt showed
  bool has_any_ring = false;
  std::uint64_t locked_bytes_max = 0;  ///< RLIMIT_MEMLOCK
};

/// The operator's sentence: what is missing, and what would help. Pure.
[[nodiscard]] std::string explain_setup_failure(const SetupFacts& facts);

class Ring {
 public:
  static Result<std::unique_ptr<Ring>> create(std::uint32_t submission_entries, std::uint32_t completion_entries);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  void enable() noexcept;
  [[nodiscard]] bool is_enabled() const noexcept { return is_enabled_; }

  /// An entry to fill; the caller sets everything with a prep function, then its user_data. Never null: a full queue is
  /// submitted first.
  io_uring_sqe* entry() noexcept;
  /// Hands every entry to the kernel at once: what they point at or name need not outlive the call.
  void submit_all() noexcept;

  /// One system call: submits every entry, runs what completed, does not sleep. Negative errno when it failed.
  int enter() noexcept;
  /// The same, but sleeps until there is a completion or `wait` has passed.
  int enter_and_sleep(Duration wait) noexcept;
  /// Whether enter() would do anything: entries to submit, or completions the kernel holds until we come.
  [[nodiscard]] bool wants_enter() const noexcept;

  [[nodiscard]] const io_uring_cqe* front() const noexcept {
    const unsigned head = *ring_.cq.khead;
    if (head == __atomic_load_n(ring_.cq.ktail, __ATOMIC_ACQUIRE)) {
      return nullptr;
    }
    return &ring_.cq.cqes[head & ring_.cq.ring_mask];
  }
  void pop() noexcept;

  [[nodiscard]] std::uint64_t in_flight() const noexcept { return in_flight_; }
  [[nodiscard]] bool has_zero_copy() const noexcept { return has_zero_copy_; }
  [[nodiscard]] io_uring* raw() noexcept { return &ring_; }

 private:
  Ring() = default;
  Result<void> probe();

  io_uring ring_{};
  std::uint64_t in_flight_ = 0;
  bool is_set_up_ = false;
  bool is_enabled_ = false;
  bool has_zero_copy_ = false;
};

}  // namespace millrace::uring
