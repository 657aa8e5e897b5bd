// What the operator reads when this host has no io_uring for us: each sentence says what is missing and what would
// help.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>

#include "base/assert.h"
#include "dataplane/uring/ring.h"
#include "dataplane/uring/uring_transport.h"

namespace millrace::uring {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(SetupFailure, NoIoUringAtAll) {
  EXPECT_THAT(explain_setup_failure({.error = ENOSYS, .release = "5.0.0"}),
              AllOf(HasSubstr("this is Linux 5.0.0"), HasSubstr("needs Linux 6.1"), HasSubstr("seccomp")));
}

TEST(SetupFailure, SwitchedOff) {
  for (const int error : {EPERM, EACCES}) {
    EXPECT_THAT(
        explain_setup_failure({.error = error, .disabled_sysctl = 2}),
        AllOf(HasSubstr("kernel.io_uring_disabled=2"), HasSubstr("sysctl -w"), Not(HasSubstr("io_uring_group"))));
    EXPECT_THAT(explain_setup_failure({.error = error, .disabled_sysctl = 1}), HasSubstr("io_uring_group"));
    EXPECT_THAT(explain_setup_failure({.error = error}), AllOf(HasSubstr("seccomp"), Not(HasSubstr("sysctl"))));
  }
}

TEST(SetupFailure, AnOlderKernel) {
  EXPECT_THAT(explain_setup_failure({.error = EINVAL, .release = "5.10.0"}),
              AllOf(HasSubstr("at all"), HasSubstr("Linux 5.10.0"), HasSubstr("6.1 or newer")));
  EXPECT_THAT(explain_setup_failure({.error = EINVAL, .release = "5.15.0", .has_any_ring = true}),
              AllOf(HasSubstr("SINGLE_ISSUER"), HasSubstr("6.1")));
  EXPECT_THAT(
      explain_setup_failure({.error = EINVAL, .release = "6.0.0", .has_single_issuer = true, .has_any_ring = true}),
      AllOf(HasSubstr("DEFER_TASKRUN"), HasSubstr("6.1")));
}

TEST(SetupFailure, NoMemoryOrDescriptors) {
  EXPECT_THAT(explain_setup_failure({.error = ENOMEM, .locked_bytes_max = 64 * 1024}),
              AllOf(HasSubstr("64 KiB"), HasSubstr("ulimit -l")));
  for (const int error : {EMFILE, ENFILE}) {
    EXPECT_THAT(explain_setup_failure({.error = error}), HasSubstr("ulimit -n"));
  }
}

TEST(SetupFailure, AnythingElseIsNamed) {
  EXPECT_THAT(explain_setup_failure({.error = EFAULT}), HasSubstr("Bad address"));
}

/// The sentence with which a transport is refused.
std::string refusal(const UringOptions& options = {}) {
  const auto made = UringTransport::create(options);
  return made ? "no refusal" : made.error().what;
}

TEST(SetupFailure, OptionsThatCannotBe) {
  EXPECT_THAT(refusal({.connections_max = 0}), HasSubstr("a transport takes 1 to"));
  EXPECT_THAT(refusal({.connections_max = kSlotsMax}), HasSubstr("a transport takes 1 to"));
  EXPECT_THAT(refusal({.receive_buffers = 100}), HasSubstr("a power of two"));
  EXPECT_THAT(refusal({.receive_buffers = 65536}), HasSubstr("up to 32768"));
}

/// Says what create() says once io_uring_setup fails with `error`, as under a container's seccomp filter.
[[noreturn]] void refuse_io_uring(std::uint32_t error) {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = std::size(program), .filter = program};
  MR_ASSERT(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  MR_ASSERT(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
  std::fputs(refusal().c_str(), stderr);
  std::_Exit(0);
}

TEST(SetupFailure, OnAHostThatForbidsIt) {
  EXPECT_EXIT(refuse_io_uring(EPERM), testing::ExitedWithCode(0), "io_uring may not be used here: a seccomp filter");
  EXPECT_EXIT(refuse_io_uring(ENOSYS), testing::ExitedWithCode(0), "io_uring is not there .this is Linux");
}

[[noreturn]] void run_out_of_descriptors() {
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  MR_ASSERT(setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::fputs(refusal().c_str(), stderr);
  std::_Exit(0);
}

TEST(SetupFailure, WithoutDescriptors) {
  EXPECT_EXIT(run_out_of_descriptors(), testing::ExitedWithCode(0), "no file descriptor left for an io_uring");
}

}  // namespace
}  // namespace millrace::uring
