// IPv4 header (RFC 791 3.1). Pure; any thread. Only fields are read here: what they may be is ip/input_v4.h's affair.
#pragma once

#include <cstring>
#include <optional>

#include "dataplane/wire/address.h"
#include "dataplane/wire/checksum.h"

namespace millrace::wire {

inline constexpr std::size_t kIpv4Bytes = 20;  ///< without options
inline constexpr std::size_t kIpv4BytesMax = 60;

inline constexpr std::uint8_t kProtocolIcmpv4 = 1;
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;
inline constexpr std::uint8_t kProtocolIcmpv6 = 58;

struct Ipv4Header {
  std::uint8_t version = 4;
  std::uint8_t header_bytes = kIpv4Bytes;  ///< IHL in bytes: 0 to 60 on the wire
  std::uint8_t tos = 0;
  std::uint8_t ttl = 64;
  std::uint8_t protocol = 0;
  bool reserved_flag = false;  ///< must be zero (RFC 791); nothing is done about it
  bool dont_fragment = false;
  bool more_fragments = false;
  std::uint16_t total_bytes = 0;  ///< header and payload
  std::uint16_t id = 0;
  std::uint16_t fragment_offset_bytes = 0;  ///< a multiple of 8
  std::uint16_t checksum = 0;
  IpAddress source{};
  IpAddress destination{};

  [[nodiscard]] bool is_fragment() const noexcept { return more_fragments || fragment_offset_bytes != 0; }
  friend bool operator==(const Ipv4Header&, const Ipv4Header&) = default;
};

[[nodiscard]] inline std::optional<Ipv4Header> parse_ipv4(Bytes bytes) noexcept {
  if (bytes.size() < kIpv4Bytes) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  const std::uint16_t fragment = load_be16(at + 6);
  Ipv4Header header;
  header.version = load_u8(at) >> 4;
  header.header_bytes = static_cast<std::uint8_t>((load_u8(at) & 0x0f) * 4);
  header.tos = load_u8(at + 1);
  header.total_bytes = load_be16(at + 2);
  header.id = load_be16(at + 4);
  header.reserved_flag = (fragment & 0x8000) != 0;
  header.dont_fragment = (fragment & 0x4000) != 0;
  header.more_fragments = (fragment & 0x2000) != 0;
  header.fragment_offset_bytes = static_cast<std::uint16_t>((fragment & 0x1fff) * 8);
  header.ttl = load_u8(at + 8);
  header.protocol = load_u8(at + 9);
  header.checksum = load_be16(at + 10);
  header.source = IpAddress::v4_at(at + 12);
  header.destination = IpAddress::v4_at(at + 16);
  return header;
}

/// Writes the header without options and with `header.checksum` as it is; `to` has kIpv4Bytes.
inline void write_ipv4(std::byte* to, const Ipv4Header& header) noexcept {
  store_u8(to, static_cast<std::uint8_t>(header.version << 4 | header.header_bytes / 4));
  store_u8(to + 1, header.tos);
  store_be16(to + 2, header.total_bytes);
  store_be16(to + 4, header.id);
  store_be16(to + 6,
             static_cast<std::uint16_t>((header.reserved_flag ? 0x8000 : 0) | (header.dont_fragment ? 0x4000 : 0) |
                                        (header.more_fragments ? 0x2000 : 0) | header.fragment_offset_bytes / 8));
  store_u8(to + 8, header.ttl);
  store_u8(to + 9, header.protocol);
  store_be16(to + 10, header.checksum);
  std::memcpy(to + 12, header.source.data() + 12, 4);
  std::memcpy(to + 16, header.destination.data() + 12, 4);
}

/// Puts the right checksum into a header of `header_bytes` that was written with 0 there.
inline void fill_ipv4_checksum(std::byte* header, std::size_t header_bytes = kIpv4Bytes) noexcept {
  store_be16(header + 10, checksum_of({header, header_bytes}));
}

}  // namespace millrace::wire
