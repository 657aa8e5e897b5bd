// Assertions about our own program, never about bytes from the wire. Any thread.
// MR_ASSERT stays on in release builds; MR_DCHECK is for checks that cost, and is off there.
#pragma once

#include "base/attributes.h"

namespace millrace {

/// Prints what did not hold and where, then aborts.
[[noreturn]] MR_COLD void assert_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace millrace

#define MR_ASSERT(condition)                                     \
  do {                                                           \
    if (MR_UNLIKELY(!(condition))) {                             \
      ::millrace::assert_failed(#condition, __FILE__, __LINE__); \
    }                                                            \
  } while (false)

#ifdef NDEBUG
#define MR_DCHECK(condition) \
  do {                       \
  } while (false)
#else
#define MR_DCHECK(condition) MR_ASSERT(condition)
#endif

#define MR_UNREACHABLE() ::millrace::assert_failed("unreachable", __FILE__, __LINE__)
