#include "protocol/meta/base64.h"

#include <array>
#include <cstdint>

namespace millrace::protocol::meta {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kForeign = 0x80;

consteval std::array<std::uint8_t, 256> make_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(kForeign);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
  }
  values['='] = 0;
  return values;
}
constexpr std::array<std::uint8_t, 256> kValues = make_values();

[[nodiscard]] std::uint8_t value_of(char c) noexcept { return kValues[static_cast<unsigned char>(c)]; }

}  // namespace

char* encode_base64(char* at, std::string_view bytes) noexcept {
  const auto byte = [&](std::size_t i) {
    return i < bytes.size() ? std::uint32_t{static_cast<unsigned char>(bytes[i])} : 0U;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t group = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *at++ = kAlphabet[group >> 18];
    *at++ = kAlphabet[group >> 12 & 63];
    *at++ = i + 1 < bytes.size() ? kAlphabet[group >> 6 & 63] : '=';
    *at++ = i + 2 < bytes.size() ? kAlphabet[group & 63] : '=';
  }
  return at;
}

std::size_t decode_base64(char* to, std::string_view text) noexcept {
  std::size_t digits = 0;
  for (const char c : text) {
    digits += value_of(c) != kForeign ? 1U : 0U;
  }
  if (digits == 0 || digits % 4 != 0) {
    return 0;
  }
  std::size_t written = 0;
  std::uint32_t group = 0;
  std::uint32_t in_group = 0;
  std::uint32_t padding = 0;
  for (const char c : text) {
    if (value_of(c) == kForeign) {
      continue;
    }
    padding += c == '=' ? 1 : 0;
    group = group << 6 | value_of(c);
    if (++in_group < 4) {
      continue;
    }
    if (padding > 2) {
      return 0;
    }
    for (std::uint32_t i = 0; i < 3 - padding; ++i) {
      to[written++] = static_cast<char>(group >> (16 - 8 * i));
    }
    if (padding != 0) {
      break;
    }
    group = 0;
    in_group = 0;
  }
  return written;
}

}  // namespace millrace::protocol::meta
