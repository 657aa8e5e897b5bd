// The built replies.
#include "protocol/ascii/value_line.h"

namespace millrace::protocol {
namespace {

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

}  // namespace

char* ascii::write_long_digits(char* at, std::uint64_t number) noexcept {
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

char* write_number(char* at, std::uint64_t number) noexcept { return ascii::write_digits(at, number); }

char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes) noexcept {
  return ascii::write_value_line_here(at, key, flags, value_bytes);
}

char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes,
                       std::uint64_t cas) noexcept {
  at = ascii::write_value_head(at, key, flags, value_bytes);
  *at++ = ' ';
  return ascii::write_text(ascii::write_digits(at, cas), reply::kCrlf);
}

char* write_number_line(char* at, std::uint64_t number) noexcept {
  return ascii::write_text(ascii::write_digits(at, number), reply::kCrlf);
}

}  // namespace millrace::protocol
