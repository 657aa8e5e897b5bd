// IPv6 header (RFC 8200 3) and fragment header (4.5). Pure; any thread. The other extension headers: ipv6_extensions.h.
#pragma once

#include <cstring>
#include <optional>

#include "dataplane/wire/address.h"

namespace millrace::wire {

inline constexpr std::size_t kIpv6Bytes = 40;
inline constexpr std::size_t kIpv6FragmentBytes = 8;
inline constexpr std::uint16_t kIpv6MtuMin = 1280;  ///< RFC 8200 5

inline constexpr std::uint8_t kNextHopByHop = 0;
inline constexpr std::uint8_t kNextRouting = 43;
inline constexpr std::uint8_t kNextFragment = 44;
inline constexpr std::uint8_t kNextNone = 59;
inline constexpr std::uint8_t kNextDestination = 60;

struct Ipv6Header {
  std::uint8_t version = 6;
  std::uint8_t traffic_class = 0;
  std::uint8_t next_header = 0;
  std::uint8_t hop_limit = 64;
  std::uint16_t payload_bytes = 0;
  std::uint32_t flow_label = 0;  ///< 20 bits
  IpAddress source{};
  IpAddress destination{};

  friend bool operator==(const Ipv6Header&, const Ipv6Header&) = default;
};

[[nodiscard]] inline std::optional<Ipv6Header> parse_ipv6(Bytes bytes) noexcept {
  if (bytes.size() < kIpv6Bytes) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  const std::uint32_t word = load_be32(at);
  Ipv6Header header;
  header.version = static_cast<std::uint8_t>(word >> 28);
  header.traffic_class = static_cast<std::uint8_t>(word >> 20);
  header.flow_label = word & 0x000f'ffff;
  header.payload_bytes = load_be16(at + 4);
  header.next_header = load_u8(at + 6);
  header.hop_limit = load_u8(at + 7);
  header.source = IpAddress::v6(at + 8);
  header.destination = IpAddress::v6(at + 24);
  return header;
}

/// `to` has kIpv6Bytes.
inline void write_ipv6(std::byte* to, const Ipv6Header& header) noexcept {
  store_be32(to, std::uint32_t{header.version} << 28 | std::uint32_t{header.traffic_class} << 20 |
                     (header.flow_label & 0x000f'ffff));
  store_be16(to + 4, header.payload_bytes);
  store_u8(to + 6, header.next_header);
  store_u8(to + 7, header.hop_limit);
  std::memcpy(to + 8, header.source.data(), 16);
  std::memcpy(to + 24, header.destination.data(), 16);
}

struct Ipv6Fragment {
  std::uint8_t next_header = 0;
  bool more_fragments = false;
  std::uint16_t offset_bytes = 0;  ///< a multiple of 8
  std::uint32_t id = 0;

  friend bool operator==(const Ipv6Fragment&, const Ipv6Fragment&) = default;
};

[[nodiscard]] inline std::optional<Ipv6Fragment> parse_ipv6_fragment(Bytes bytes) noexcept {
  if (bytes.size() < kIpv6FragmentBytes) {
    return std::nullopt;
  }
  const std::uint16_t word = load_be16(bytes.data() + 2);
  return Ipv6Fragment{.next_header = load_u8(bytes.data()),
                      .more_fragments = (word & 1) != 0,
                      .offset_bytes = static_cast<std::uint16_t>(word & 0xfff8),
                      .id = load_be32(bytes.data() + 4)};
}

/// `to` has kIpv6FragmentBytes.
inline void write_ipv6_fragment(std::byte* to, const Ipv6Fragment& fragment) noexcept {
  store_u8(to, fragment.next_header);
  store_u8(to + 1, 0);
  store_be16(to + 2, static_cast<std::uint16_t>((fragment.offset_bytes & 0xfff8) | (fragment.more_fragments ? 1 : 0)));
  store_be32(to + 4, fragment.id);
}

}  // namespace millrace::wire
