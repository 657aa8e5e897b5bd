// Where a line ends. A line ends with LF; one CR right before it belongs to the end. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/assert.h"

namespace millrace::protocol::ascii {

inline constexpr std::size_t kNoLineEnd = std::string_view::npos;

/// Index of the first LF, or kNoLineEnd. The C library's memchr is the vector loop one would write here.
[[nodiscard]] inline std::size_t find_line_end(std::string_view in) noexcept {
  const void* at = in.empty() ? nullptr : std::memchr(in.data(), '\n', in.size());
  return at == nullptr ? kNoLineEnd : static_cast<std::size_t>(static_cast<const char*>(at) - in.data());
}

/// `line` up to its LF, which is included, becomes what stands before the line end.
[[nodiscard]] inline std::string_view without_line_end(std::string_view line) noexcept {
  MR_DCHECK(!line.empty() && line.back() == '\n');
  std::size_t bytes = line.size() - 1;
  if (bytes > 0 && line[bytes - 1] == '\r') {
    --bytes;
  }
  return line.substr(0, bytes);
}

}  // namespace millrace::protocol::ascii
