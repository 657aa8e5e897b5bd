// What counts as a number to incr and decr: memcached's reading of a value. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::store {

[[nodiscard]] constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// A longer value is no number whatever it begins with, and neither is one in several pieces: where pages are small,
/// that may be from some 300 bytes on.
inline constexpr std::uint32_t kNumberBytesMax = 4096;

/// What strtoull reads, since memcached asks it: digits that fit 64 bits, after blanks and a sign, up to the end, a
/// blank or a zero byte; what follows does not matter (decr leaves blanks behind a number that got shorter). A minus
/// negates modulo 2^64, and what then looks negative is refused: -1 is no number, -0 is 0.
[[nodiscard]] constexpr std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size() && is_space(text[at])) {
    ++at;
  }
  const bool is_negated = at < text.size() && text[at] == '-';
  if (is_negated || (at < text.size() && text[at] == '+')) {
    ++at;
  }
  const std::size_t first = at;
  std::uint64_t number = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    if (__builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
        __builtin_add_overflow(number, static_cast<std::uint64_t>(text[at] - '0'), &number)) {
      return std::nullopt;
    }
  }
  if (at == first || (at < text.size() && !is_space(text[at]) && text[at] != '\0')) {
    return std::nullopt;
  }
  if (is_negated) {
    number = 0 - number;
    return (number >> 63) == 0 ? std::optional{number} : std::nullopt;
  }
  return number;
}

}  // namespace millrace::store
