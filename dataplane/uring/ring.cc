// Set-up, probing and the system calls of one io_uring. Cold, but for entry(), enter() and pop().
#include "dataplane/uring/ring.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace millrace::uring {
namespace {

constexpr unsigned kSetupFlags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE |
                                 IORING_SETUP_CLAMP;

int read_disabled_sysctl() {
  int value = 0;
  if (std::FILE* file = std::fopen("/proc/sys/kernel/io_uring_disabled", "re")) {
    if (std::fscanf(file, "%d", &value) != 1) {
      value = 0;
    }
    std::fclose(file);
  }
  return value;
}

bool can_set_up(unsigned flags) {
  io_uring_params params{};
  params.flags = flags;
  io_uring ring{};
  if (io_uring_queue_init_params(2, &ring, &params) < 0) {
    return false;
  }
  io_uring_queue_exit(&ring);
  return true;
}

SetupFacts gather_facts(int error) {
  SetupFacts facts{.error = error};
  utsname name{};
  if (uname(&name) == 0) {
    facts.release = name.release;
  }
  facts.disabled_sysctl = read_disabled_sysctl();
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
    facts.locked_bytes_max = limit.rlim_cur;
  }
  if (error == EINVAL) {
    facts.has_any_ring = can_set_up(0);
    facts.has_single_issuer = can_set_up(IORING_SETUP_SINGLE_ISSUER);
  }
  return facts;
}

}  // namespace

std::string explain_setup_failure(const SetupFacts& facts) {
  const std::string here = facts.release.empty() ? "" : fmt::format(" (this is Linux {})", facts.release);
  switch (facts.error) {
    case ENOSYS:
      return fmt::format(
          "io_uring is not there{}: it needs Linux 6.1 or newer, and a container whose seccomp filter "
          "allows io_uring_setup, io_uring_enter and io_uring_register",
          here);
    case EPERM:
    case EACCES:
      if (facts.disabled_sysctl != 0) {
        return fmt::format(
            "io_uring is switched off by kernel.io_uring_disabled={}: run `sysctl -w "
            "kernel.io_uring_disabled=0`{}",
            facts.disabled_sysctl, facts.disabled_sysctl == 1 ? ", or add our group to kernel.io_uring_group" : "");
      }
      return "io_uring may not be used here: a seccomp filter or security module forbids it; in a container, allow "
             "io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile";
    case EINVAL:
      if (!facts.has_any_ring) {
        return fmt::format("this kernel cannot set up an io_uring at all{}: Linux 6.1 or newer is needed", here);
      }
      if (!facts.has_single_issuer) {
        return fmt::format("io_uring lacks IORING_SETUP_SINGLE_ISSUER{}: Linux 6.0 has it, and 6.1 all that is needed",
                           here);
      }
      return fmt::format("io_uring lacks IORING_SETUP_DEFER_TASKRUN{}: Linux 6.1 or newer has it", here);
    case ENOMEM:
      return fmt::format(
          "no memory for an io_uring: RLIMIT_MEMLOCK is {} KiB (raise it with `ulimit -l unlimited` or "
          "LimitMEMLOCK=infinity), or the memory limit of this container is reached",
          facts.locked_bytes_max / 1024);
    case EMFILE:
    case ENFILE:
      return "no file descriptor left for an io_uring: raise `ulimit -n` (LimitNOFILE=)";
    default:
      return fmt::format("io_uring_setup failed{}: {}", here, std::strerror(facts.error));
  }
}

Result<std::unique_ptr<Ring>> Ring::create(std::uint32_t submission_entries, std::uint32_t completion_entries) {
  std::unique_ptr<Ring> ring(new Ring);
  io_uring_params params{};
  params.flags = kSetupFlags;
  params.cq_entries = completion_entries;
  const int error = io_uring_queue_init_params(submission_entries, &ring->ring_, &params);
  if (error < 0) {
    return fail(explain_setup_failure(gather_facts(-error)));
  }
  ring->is_set_up_ = true;
  if (auto probed = ring->probe(); !probed) {
    return std::unexpected(probed.error());
  }
  return ring;
}

Result<void> Ring::probe() {
  struct Need {
    unsigned flag;
    const char* name;
  };
  constexpr Need kFeatures[] = {{IORING_FEAT_NODROP, "NODROP (5.5)"},
                                {IORING_FEAT_SUBMIT_STABLE, "SUBMIT_STABLE (5.5)"},
                                {IORING_FEAT_FAST_POLL, "FAST_POLL (5.7)"},
                                {IORING_FEAT_EXT_ARG, "EXT_ARG (5.11)"}};
  for (const Need& need : kFeatures) {
    if ((ring_.features & need.flag) == 0) {
      return fail(fmt::format("io_uring lacks the feature {}: Linux 6.1 or newer is needed", need.name));
    }
  }
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(io_uring_get_probe_ring(&ring_),
                                                                              &io_uring_free_probe);
  if (probe == nullptr) {
    return fail(
        "io_uring cannot be asked for its operations: io_uring_register is forbidden by a seccomp filter; allow it");
  }
  constexpr Need kOperations[] = {{IORING_OP_ACCEPT, "ACCEPT (5.5)"},
                                  {IORING_OP_RECV, "RECV (5.6)"},
                                  {IORING_OP_SEND, "SEND (5.6)"},
                                  {IORING_OP_SENDMSG, "SENDMSG (5.3)"},
                                  {IORING_OP_CONNECT, "CONNECT (5.5)"},
                                  {IORING_OP_ASYNC_CANCEL, "ASYNC_CANCEL (5.5)"},
                                  {IORING_OP_POLL_ADD, "POLL_ADD (5.1)"},
                                  // Came with 6.0, as multishot receive did, which has no probe of its own.
                                  {IORING_OP_SEND_ZC, "SEND_ZC, and with it multishot receive (6.0)"}};
  for (const Need& need : kOperations) {
    if (io_uring_opcode_supported(probe.get(), static_cast<int>(need.flag)) == 0) {
      return fail(fmt::format("io_uring lacks the operation {}: Linux 6.1 or newer is needed", need.name));
    }
  }
  has_zero_copy_ = io_uring_opcode_supported(probe.get(), IORING_OP_SENDMSG_ZC) != 0;
  return {};
}

Ring::~Ring() {
  if (is_set_up_) {
    io_uring_queue_exit(&ring_);
  }
}

void Ring::enable() noexcept {
  MR_ASSERT(!is_enabled_);
  // liburing 2.3 declares io_uring_enable_rings but does not export it.
  const int enabled = io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  MR_ASSERT(enabled == 0);
  // Saves the kernel the look-up of the descriptor in each call. A task has 16 such places; without one all works too.
  static_cast<void>(io_uring_register_ring_fd(&ring_));
  is_enabled_ = true;
}

io_uring_sqe* Ring::entry() noexcept {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (MR_UNLIKELY(sqe == nullptr)) {
    submit_all();
    sqe = io_uring_get_sqe(&ring_);
  }
  MR_ASSERT(sqe != nullptr);
  ++in_flight_;
  return sqe;
}

void Ring::submit_all() noexcept {
  // The kernel takes them all, unless it is short of memory for a moment.
  for (int tries = 0; io_uring_sq_ready(&ring_) != 0 && tries < 100; ++tries) {
    static_cast<void>(io_uring_submit(&ring_));
  }
}

int Ring::enter() noexcept { return io_uring_submit_and_get_events(&ring_); }

int Ring::enter_and_sleep(Duration wait) noexcept {
  __kernel_timespec timeout{.tv_sec = wait.ns / 1'000'000'000, .tv_nsec = wait.ns % 1'000'000'000};
  io_uring_cqe* first = nullptr;
  return io_uring_submit_and_wait_timeout(&ring_, &first, 1, &timeout, nullptr);
}

bool Ring::wants_enter() const noexcept {
  return io_uring_sq_ready(&ring_) != 0 ||
         (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void Ring::pop() noexcept {
  const unsigned head = *ring_.cq.khead;
  const std::uint32_t flags = ring_.cq.cqes[head & ring_.cq.ring_mask].flags;
  if ((flags & IORING_CQE_F_MORE) == 0) {
    MR_ASSERT(in_flight_ > 0);
    --in_flight_;
  }
  __atomic_store_n(ring_.cq.khead, head + 1, __ATOMIC_RELEASE);
}

}  // namespace millrace::uring
