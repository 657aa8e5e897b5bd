// Numbers on the wire. Two kinds, because memcached has two and clients have met both: strict ones (digits, for
// integers a minus), and those of a storage header (what C's strtol takes, cut to 32 bits). Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "protocol/limits.h"

namespace millrace::protocol::ascii {

/// So many digits fit 64 bits, whatever they are.
inline constexpr std::size_t kDigitsThatFit = 19;

/// Digits only; nothing that does not fit.
[[nodiscard]] inline std::optional<std::uint64_t> parse_digits(std::string_view word) noexcept {
  if (word.empty()) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  const std::size_t first_bytes = word.size() < kDigitsThatFit ? word.size() : kDigitsThatFit;
  std::size_t at = 0;
  for (; at < first_bytes; ++at) {
    const unsigned digit = static_cast<unsigned char>(word[at]) - unsigned{'0'};
    if (digit > 9) {
      return std::nullopt;
    }
    number = number * 10 + digit;
  }
  for (; at < word.size(); ++at) {
    const unsigned digit = static_cast<unsigned char>(word[at]) - unsigned{'0'};
    if (digit > 9 || __builtin_mul_overflow(number, std::uint64_t{10}, &number) ||
        __builtin_add_overflow(number, std::uint64_t{digit}, &number)) {
      return std::nullopt;
    }
  }
  return number;
}

/// Deltas and cas tokens.
[[nodiscard]] inline std::optional<std::uint64_t> parse_u64(std::string_view word) noexcept {
  return word.size() > kNumber64BytesMax ? std::nullopt : parse_digits(word);
}

/// Levels and sizes.
[[nodiscard]] inline std::optional<std::uint32_t> parse_u32(std::string_view word) noexcept {
  if (word.size() > kNumber32BytesMax) {
    return std::nullopt;
  }
  const std::optional<std::uint64_t> number = parse_digits(word);
  if (!number || *number > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*number);
}

/// Expiry of touch and gat, delay of flush_all, length of a data block. A lone minus is zero, as in memcached.
[[nodiscard]] inline std::optional<std::int32_t> parse_i32(std::string_view word) noexcept {
  if (word.empty() || word.size() > kNumber32BytesMax) {
    return std::nullopt;
  }
  const bool is_negative = word.front() == '-';
  if (is_negative && word.size() == 1) {
    return 0;
  }
  const std::optional<std::uint64_t> magnitude = parse_digits(word.substr(is_negative ? 1 : 0));
  if (!magnitude || *magnitude > 0x7fffffffU + (is_negative ? 1U : 0U)) {
    return std::nullopt;
  }
  const auto number = static_cast<std::int64_t>(*magnitude);
  return static_cast<std::int32_t>(is_negative ? -number : number);
}

struct SignedDigits {
  bool is_negative = false;
  std::uint64_t magnitude = 0;
};

/// What strtol and strtoul see in a word: white space, a sign, digits, then the end, white space or a zero byte.
[[nodiscard]] inline std::optional<SignedDigits> parse_header_number(std::string_view word) noexcept {
  if (const std::optional<std::uint64_t> plain = parse_digits(word)) {  // as nearly always
    return SignedDigits{.is_negative = false, .magnitude = *plain};
  }
  const auto is_white = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  std::size_t at = 0;
  while (at < word.size() && is_white(word[at])) {
    ++at;
  }
  SignedDigits found;
  if (at < word.size() && (word[at] == '-' || word[at] == '+')) {
    found.is_negative = word[at] == '-';
    ++at;
  }
  std::size_t end = at;
  while (end < word.size() && word[end] >= '0' && word[end] <= '9') {
    ++end;
  }
  const std::optional<std::uint64_t> magnitude = parse_digits(word.substr(at, end - at));
  if (!magnitude || (end < word.size() && !is_white(word[end]) && word[end] != '\0')) {
    return std::nullopt;
  }
  found.magnitude = *magnitude;
  return found;
}

/// Client flags of a storage header: cut to 32 bits (4294967296 is 0), not negative.
[[nodiscard]] inline std::optional<std::uint32_t> parse_flags(std::string_view word) noexcept {
  const std::optional<SignedDigits> found = parse_header_number(word);
  if (!found) {
    return std::nullopt;
  }
  const std::uint64_t number = found->is_negative ? std::uint64_t{0} - found->magnitude : found->magnitude;
  if (found->is_negative && (number >> 63) != 0) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(number);
}

/// Expiry of a storage header: fits 64 bits, then cut to 32 (4294967296 is 0, 2147483648 is negative: expired).
[[nodiscard]] inline std::optional<std::int32_t> parse_header_exptime(std::string_view word) noexcept {
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  const std::optional<SignedDigits> found = parse_header_number(word);
  if (!found || found->magnitude > kMax + (found->is_negative ? 1U : 0U)) {
    return std::nullopt;
  }
  const std::uint64_t number = found->is_negative ? std::uint64_t{0} - found->magnitude : found->magnitude;
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
}

}  // namespace millrace::protocol::ascii
