// Outcome of an operation on the hot path. A miss is a value, not an error. Any thread.
#pragma once

#include <cstdint>

namespace millrace {

enum class [[nodiscard]] Status : std::uint8_t {
  Ok,
  Busy,       ///< no room just now: try again after the other side has moved
  Exhausted,  ///< a fixed resource (descriptor, buffer, memory) is used up
  Invalid,    ///< the argument names nothing that exists
  Unsupported,
};

}  // namespace millrace
