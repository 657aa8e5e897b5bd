#include "bench/load/core_usage.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <ctime>

namespace millrace::load {

CoreUsage this_thread_usage() noexcept {
  CoreUsage usage;
  timespec ran{};
  if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ran) == 0) {
    usage.ran_ns = std::int64_t{ran.tv_sec} * 1'000'000'000 + ran.tv_nsec;
  }
  // `<ran ns> <waited ns> <slices>`
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return usage;
  }
  std::array<char, 128> text;
  const ssize_t length = read(file, text.data(), text.size());
  close(file);
  if (length > 0) {
    const char* const end = text.data() + length;
    const char* const space = static_cast<const char*>(std::memchr(text.data(), ' ', static_cast<std::size_t>(length)));
    if (space != nullptr) {
      std::from_chars(space + 1, end, usage.waited_ns);
    }
  }
  return usage;
}

}  // namespace millrace::load
