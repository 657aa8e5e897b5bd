// `get <key>\r\n` and nothing else, of ordinary bytes: what almost every datagram holds. A short way past the session,
// which is right about everything and takes four times as long; whatever is not plain is left to it, so leaving this
// file out would change the speed and nothing else (tests/property/protocol).
// Pure; any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "protocol/limits.h"
#include "protocol/request.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::protocol::ascii {

/// Whether all eight bytes lie between '!' and '~'.
[[nodiscard]] constexpr bool are_graphic(std::uint64_t eight) noexcept {
  constexpr std::uint64_t kEach = 0x0101'0101'0101'0101;
  constexpr std::uint64_t kHigh = 0x80 * kEach;
  // Of bytes below 0x80: those below '!' borrow, and 0x7f carries; the high bit shows it, as it does of those above.
  const std::uint64_t below = (eight | kHigh) - '!' * kEach;
  const std::uint64_t above = (eight & ~kHigh) + kEach;
  return (((~below | above) & kHigh) | (eight & kHigh)) == 0;
}

/// The same of `bytes` of them, at least eight.
[[nodiscard]] inline bool are_graphic_portable(const char* at, std::size_t bytes) noexcept {
  const auto are_graphic_here = [](const char* here) {
    std::uint64_t eight;
    std::memcpy(&eight, here, sizeof eight);
    return are_graphic(eight);
  };
  for (std::size_t done = 0; done + 8 < bytes; done += 8) {
    if (!are_graphic_here(at + done)) {
      return false;
    }
  }
  return are_graphic_here(at + bytes - 8);  // some of them for the second time
}

#ifdef __SSE2__
[[nodiscard]] inline bool are_graphic_sse2(const char* at, std::size_t bytes) noexcept {
  if (bytes < 16) {
    return are_graphic_portable(at, bytes);
  }
  // As signed numbers: those from 0x80 on are below.
  const auto graphic_at = [](const char* here) {
    const __m128i sixteen = _mm_loadu_si128(reinterpret_cast<const __m128i*>(here));
    return _mm_and_si128(_mm_cmpgt_epi8(sixteen, _mm_set1_epi8('!' - 1)), _mm_cmplt_epi8(sixteen, _mm_set1_epi8(0x7f)));
  };
  __m128i graphic = graphic_at(at + bytes - 16);
  for (std::size_t done = 0; done + 16 < bytes; done += 16) {
    graphic = _mm_and_si128(graphic, graphic_at(at + done));
  }
  return _mm_movemask_epi8(graphic) == 0xffff;
}
#endif

[[nodiscard]] inline bool are_graphic(const char* at, std::size_t bytes) noexcept {
#ifdef __SSE2__
  return are_graphic_sse2(at, bytes);
#else
  return are_graphic_portable(at, bytes);
#endif
}

/// The key that `commands` ask for; none: the session has to look.
[[nodiscard]] inline std::string_view plain_get_key(std::string_view commands) noexcept {
  constexpr std::string_view kVerb = "get ";
  constexpr std::size_t kAround = kVerb.size() + 2;
  if (commands.size() < kAround + 8 || commands.size() > kAround + kKeyBytesMax ||
      std::memcmp(commands.data(), kVerb.data(), kVerb.size()) != 0 ||
      std::memcmp(commands.data() + commands.size() - 2, "\r\n", 2) != 0) {
    return {};
  }
  const std::string_view key(commands.data() + kVerb.size(), commands.size() - kAround);
  return are_graphic(key.data(), key.size()) ? key : std::string_view{};
}

/// The request for it.
[[nodiscard]] constexpr Request plain_get(std::string_view key) noexcept {
  return {.command = Command::Get, .key = key};
}

}  // namespace millrace::protocol::ascii
