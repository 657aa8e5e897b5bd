// The built replies. Numbers are written two digits at a time from a table of the hundred pairs: half the divisions,
// and the length known beforehand, so that nothing is turned round afterwards.

#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "protocol/limits.h"
#include "protocol/reply.h"

namespace millrace::protocol {
namespace {

consteval std::array<char, 200> make_pairs() {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}
constexpr std::array<char, 200> kPairs = make_pairs();

consteval std::array<std::uint64_t, 20> make_powers() {
  std::array<std::uint64_t, 20> powers{};
  std::uint64_t power = 1;
  for (std::uint64_t& p : powers) {
    p = power;
    power *= 10;
  }
  return powers;
}
constexpr std::array<std::uint64_t, 20> kPowers = make_powers();

/// 1233 / 4096 is a little more than log10(2), and near enough for 64 bits; one comparison corrects it.
[[nodiscard]] unsigned count_digits(std::uint64_t number) noexcept {
  const auto bits = static_cast<unsigned>(std::bit_width(number | 1));
  const unsigned guess = bits * 1233 >> 12;
  return guess + (guess == 20 || number < kPowers[guess] ? 0U : 1U);
}

char* write_digits(char* at, std::uint64_t number) noexcept {
  if (number < 10) {
    *at = static_cast<char>('0' + number);
    return at + 1;
  }
  char* const end = at + count_digits(number);
  char* to = end;
  while (number >= 100) {
    to -= 2;
    std::memcpy(to, kPairs.data() + number % 100 * 2, 2);
    number /= 100;
  }
  if (number >= 10) {
    std::memcpy(to - 2, kPairs.data() + number * 2, 2);
    to -= 2;
  } else {
    *--to = static_cast<char>('0' + number);
  }
  MR_DCHECK(to == at);
  return end;
}

char* write_text(char* at, std::string_view text) noexcept {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

/// Keys are short: a call of memcpy would cost more than they do.
char* write_key(char* at, std::string_view key) noexcept {
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

char* write_value_head(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes) noexcept {
  MR_ASSERT(!key.empty() && key.size() <= kKeyBytesMax);
  at = write_text(at, "VALUE ");
  at = write_key(at, key);
  *at++ = ' ';
  at = write_digits(at, flags);
  *at++ = ' ';
  return write_digits(at, value_bytes);
}

}  // namespace

char* write_number(char* at, std::uint64_t number) noexcept { return write_digits(at, number); }

char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes) noexcept {
  return write_text(write_value_head(at, key, flags, value_bytes), reply::kCrlf);
}

char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes,
                       std::uint64_t cas) noexcept {
  at = write_value_head(at, key, flags, value_bytes);
  *at++ = ' ';
  return write_text(write_digits(at, cas), reply::kCrlf);
}

char* write_number_line(char* at, std::uint64_t number) noexcept {
  return write_text(write_digits(at, number), reply::kCrlf);
}

}  // namespace millrace::protocol
