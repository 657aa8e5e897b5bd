// Decimal numbers of the line protocols, out and in. Pure.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "bench/load/parse_whole.h"
#include "bench/load/protocol/reply.h"

namespace millrace::load {

inline char* put(std::string_view text, char* out) noexcept {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}
inline char* put_number(std::uint64_t n, char* out) noexcept { return std::to_chars(out, out + 20, n).ptr; }

[[nodiscard]] inline bool is_value_size(std::string_view text, std::uint32_t& n) noexcept {
  return parse_whole(text, n) && n <= kReplyValueBytesMax;
}

[[nodiscard]] inline bool is_all_digits(std::string_view text) noexcept {
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return false;
    }
  }
  return true;
}

/// The text up to the next space, cut off the front of `text` with that space.
inline std::string_view take_word(std::string_view& text) noexcept {
  std::size_t end = 0;
  while (end < text.size() && text[end] != ' ') {
    ++end;
  }
  const std::string_view word = text.substr(0, end);
  text.remove_prefix(end < text.size() ? end + 1 : end);
  return word;
}

}  // namespace millrace::load
