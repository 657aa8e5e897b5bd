// The 24 bytes before every binary request and reply. Pure; any thread. Numbers are big-endian on the wire; `opaque` is
// the client's own and stays as its bytes are.
//
//      0        1        2        3        4        5        6        7
//   +--------+--------+-----------------+--------+--------+-----------------+
//   | magic  | opcode |   key bytes     | extras | type 0 | vbucket, status |
//   +--------+--------+-----------------+--------+--------+-----------------+
//   |  body bytes: extras, key, value   |             opaque                |
//   +-----------------------------------+-----------------------------------+
//   |                                  cas                                  |
//   +-----------------------------------------------------------------------+
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace millrace::protocol::binary {

inline constexpr char kRequestMagic = '\x80';
inline constexpr char kReplyMagic = '\x81';
inline constexpr std::uint32_t kHeaderBytes = 24;

template <std::unsigned_integral Number>
[[nodiscard]] inline Number load_big(const char* at) noexcept {
  Number number;
  std::memcpy(&number, at, sizeof number);
  if constexpr (sizeof(Number) > 1 && std::endian::native == std::endian::little) {
    number = std::byteswap(number);
  }
  return number;
}

template <std::unsigned_integral Number>
inline char* store_big(char* at, Number number) noexcept {
  if constexpr (sizeof(Number) > 1 && std::endian::native == std::endian::little) {
    number = std::byteswap(number);
  }
  std::memcpy(at, &number, sizeof number);
  return at + sizeof number;
}

struct Header {
  char magic = kRequestMagic;
  std::uint8_t opcode = 0;
  std::uint16_t key_bytes = 0;
  std::uint8_t extras_bytes = 0;
  std::uint16_t status = 0;  ///< of a reply; the vbucket of a request, which means nothing here
  std::uint32_t body_bytes = 0;
  std::uint32_t opaque = 0;
  std::uint64_t cas = 0;
};

[[nodiscard]] inline Header read_header(const char* at) noexcept {
  Header header{.magic = at[0],
                .opcode = static_cast<std::uint8_t>(at[1]),
                .key_bytes = load_big<std::uint16_t>(at + 2),
                .extras_bytes = static_cast<std::uint8_t>(at[4]),
                .status = load_big<std::uint16_t>(at + 6),
                .body_bytes = load_big<std::uint32_t>(at + 8),
                .cas = load_big<std::uint64_t>(at + 16)};
  std::memcpy(&header.opaque, at + 12, sizeof header.opaque);
  return header;
}

/// Returns the end of what was written: kHeaderBytes further on.
inline char* write_header(char* at, const Header& header) noexcept {
  *at++ = header.magic;
  *at++ = static_cast<char>(header.opcode);
  at = store_big(at, header.key_bytes);
  *at++ = static_cast<char>(header.extras_bytes);
  *at++ = 0;
  at = store_big(at, header.status);
  at = store_big(at, header.body_bytes);
  std::memcpy(at, &header.opaque, sizeof header.opaque);
  return store_big(at + sizeof header.opaque, header.cas);
}

}  // namespace millrace::protocol::binary
