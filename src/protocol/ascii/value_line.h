// How numbers and a value's line are written: for write.cc, and for the one place that does little else and wants no
// call. Numbers of up to eight digits, which most are, are written in one word, all digits at once; longer ones two
// digits at a time from a table of the hundred pairs.
// Pure; any thread. May write what is behind a text, too, as far as the longest one would reach.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/assert.h"
#include "base/attributes.h"
#include "protocol/limits.h"
#include "protocol/reply.h"

namespace millrace::protocol::ascii {

consteval std::array<char, 200> make_pairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
inline constexpr std::array<char, 200> kPairs = make_pairs();

/// Eight digits, the first one in the lowest byte: a number is cut into two of four digits, those into four of two,
/// those into eight of one, all parts of a step in one multiplication (10486 / 2^20 and 103 / 2^10 are as good as 1 /
/// 100 and 1 / 10 for what they divide here).
[[nodiscard]] constexpr std::uint64_t eight_digits(std::uint64_t number) noexcept {
  const std::uint64_t high = number / 10'000;
  const std::uint64_t fours = high | (number - high * 10'000) << 32;
  const std::uint64_t hundreds = (fours * 10'486 >> 20) & 0x0000'007f'0000'007f;
  const std::uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  const std::uint64_t tens = (twos * 103 >> 10) & 0x000f'000f'000f'000f;
  return tens | (twos - tens * 10) << 8;
}

inline constexpr std::uint64_t kShortNumbers = 100'000'000;

/// Below kShortNumbers. Eight bytes are written, however many digits it has: no number's room is smaller.
MR_ALWAYS_INLINE char* write_short_digits(char* at, std::uint64_t number) noexcept {
  constexpr std::uint64_t kZeros = 0x3030'3030'3030'3030;
  const std::uint64_t digits = eight_digits(number);
  const int leading = std::countr_zero(digits | 1ULL << 56) & ~7;  // bits of zeros before the first digit
  const std::uint64_t text = (digits | kZeros) >> leading;
  static_assert(std::endian::native == std::endian::little);
  std::memcpy(at, &text, sizeof text);
  return at + 8 - leading / 8;
}

/// Any other.
char* write_long_digits(char* at, std::uint64_t number) noexcept;

MR_ALWAYS_INLINE char* write_digits(char* at, std::uint64_t number) noexcept {
  if (number < 10) {
    *at = static_cast<char>('0' + number);
    return at + 1;
  }
  if (number < 100) {
    std::memcpy(at, kPairs.data() + number * 2, 2);
    return at + 2;
  }
  return MR_LIKELY(number < kShortNumbers) ? write_short_digits(at, number) : write_long_digits(at, number);
}

inline char* write_text(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

/// Keys are short: a call of memcpy would cost more than they do.
MR_ALWAYS_INLINE char* write_key(char* at, std::string_view key) noexcept {
  const auto copy_both_ends = [&]<std::size_t kEnd>(std::array<char, kEnd> end) {
    std::memcpy(end.data(), key.data(), kEnd);
    std::memcpy(at, end.data(), kEnd);
    std::memcpy(end.data(), key.data() + key.size() - kEnd, kEnd);
    std::memcpy(at + key.size() - kEnd, end.data(), kEnd);
    return at + key.size();
  };
  if (key.size() - 16 <= 16) {
    return copy_both_ends(std::array<char, 16>{});
  }
  if (key.size() - 8 <= 8) {
    return copy_both_ends(std::array<char, 8>{});
  }
  return write_text(at, key);
}

/// `VALUE <key> <flags> <bytes>`.
MR_ALWAYS_INLINE char* write_value_head(char* at, std::string_view key, std::uint32_t flags,
                                        std::uint32_t value_bytes) noexcept {
  MR_ASSERT(!key.empty() && key.size() <= kKeyBytesMax);
  at = write_text(at, "VALUE ");
  at = write_key(at, key);
  *at++ = ' ';
  at = write_digits(at, flags);
  *at++ = ' ';
  return write_digits(at, value_bytes);
}

/// write_value_line() without a call.
MR_ALWAYS_INLINE char* write_value_line_here(char* at, std::string_view key, std::uint32_t flags,
                                             std::uint32_t value_bytes) noexcept {
  return write_text(write_value_head(at, key, flags, value_bytes), reply::kCrlf);
}

}  // namespace millrace::protocol::ascii
