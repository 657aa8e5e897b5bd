#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace millrace {

void assert_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "millrace: %s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace millrace
