// Whether the time that a login takes may tell of a secret. Run by valgrind's memcheck, which is told that the file's
// names and passwords are undefined, and complains of every branch and every address that depends on them. A clock
// would see less, and on a busy machine something else.
//   constant_time            the server's comparison: nothing to complain of
//   constant_time leaking    one that stops at the first wrong byte: complained of, or this test sees nothing

#include <valgrind/memcheck.h>

#include <cstddef>
#include <cstdio>
#include <string_view>

#include "auth/credentials.h"

namespace {

using millrace::auth::Credentials;

constexpr std::size_t kSecretBytes = millrace::auth::kUsersMax * 2 * (millrace::auth::kLineBytesMax + 1);
static_assert(sizeof(Credentials) == kSecretBytes + sizeof(std::size_t),
              "names and passwords, then how many there are");

bool leaking(const Credentials& secrets, std::string_view user, std::string_view /*password*/) {
  const char* name = reinterpret_cast<const char*>(&secrets);
  for (std::size_t i = 0; i < user.size(); ++i) {
    if (name[i] != user[i]) {
      return false;
    }
    asm volatile("" ::: "memory");  // or the compiler makes one comparison of them, which does not leak
  }
  return true;
}

struct Try {
  std::string_view user;
  std::string_view password;
  bool is_right;
};

constexpr Try kTries[] = {{"alice", "secret", true},       {"bob", "another one", true}, {"alice", "Xecret", false},
                          {"alice", "secreX", false},      {"alice", "secre", false},    {"alice", "secret1", false},
                          {"alice", "another one", false}, {"carol", "secret", false},   {"alicf", "secret", false}};

}  // namespace

int main(int argc, char** argv) {
  if (RUNNING_ON_VALGRIND == 0) {
    std::fputs("skipped: this is for valgrind to run\n", stderr);
    return 77;
  }
  const bool leaks = argc > 1 && std::string_view(argv[1]) == "leaking";
  const auto secrets = Credentials::parse("alice:secret\nbob:another one\n");
  if (!secrets) {
    return 1;
  }
  VALGRIND_MAKE_MEM_UNDEFINED(&*secrets, kSecretBytes);
  for (const Try& one : kTries) {
    volatile bool admitted =
        leaks ? leaking(*secrets, one.user, one.password) : secrets->admits(one.user, one.password);
    VALGRIND_MAKE_MEM_DEFINED(&admitted, sizeof(admitted));  // this much everybody is told
    if (!leaks && admitted != one.is_right) {
      std::fprintf(stderr, "wrong answer to %s\n", one.password.data());
      return 1;
    }
  }
  return 0;
}
