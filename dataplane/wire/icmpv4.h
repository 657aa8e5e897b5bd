// ICMP (RFC 792; RFC 1191 4 for the MTU in "fragmentation needed"). Pure; any thread.
#pragma once

#include <optional>

#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

inline constexpr std::size_t kIcmpBytes = 8;  ///< of ICMPv6 too

inline constexpr std::uint8_t kIcmpv4EchoReply = 0;
inline constexpr std::uint8_t kIcmpv4Unreachable = 3;
inline constexpr std::uint8_t kIcmpv4EchoRequest = 8;
inline constexpr std::uint8_t kIcmpv4TimeExceeded = 11;
inline constexpr std::uint8_t kIcmpv4ParameterProblem = 12;
inline constexpr std::uint8_t kIcmpv4CodeProtocol = 2;    ///< of Unreachable
inline constexpr std::uint8_t kIcmpv4CodePort = 3;        ///< of Unreachable
inline constexpr std::uint8_t kIcmpv4CodeFragNeeded = 4;  ///< of Unreachable

/// The eight bytes that ICMP and ICMPv6 messages begin with. `rest`: echo: identifier and sequence; unreachable with
/// "fragmentation needed": the next hop's MTU in the lower half; ICMPv6 packet too big: the MTU.
struct IcmpHeader {
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint16_t checksum = 0;
  std::uint32_t rest = 0;

  friend bool operator==(const IcmpHeader&, const IcmpHeader&) = default;
};

[[nodiscard]] inline std::optional<IcmpHeader> parse_icmp(Bytes bytes) noexcept {
  if (bytes.size() < kIcmpBytes) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  return IcmpHeader{
      .type = load_u8(at), .code = load_u8(at + 1), .checksum = load_be16(at + 2), .rest = load_be32(at + 4)};
}

/// `to` has kIcmpBytes.
inline void write_icmp(std::byte* to, const IcmpHeader& header) noexcept {
  store_u8(to, header.type);
  store_u8(to + 1, header.code);
  store_be16(to + 2, header.checksum);
  store_be32(to + 4, header.rest);
}

}  // namespace millrace::wire
