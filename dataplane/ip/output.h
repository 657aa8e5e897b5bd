// IP headers for what we send, and into how many pieces it goes. RFC 791, 1191, 6864 (identification), 8200 4.5. Pure.
//
// Any thread. Why a whole datagram says Don't Fragment: then its identification means nothing (RFC 6864 4.1) and the
// path tells its MTU (RFC 1191). What is too long for the path is cut here, by the source, in both families.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/buf/packet.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"

namespace millrace::ip {

struct OutHeader {
  wire::IpAddress source{};
  wire::IpAddress destination{};
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 64;
};

/// One piece of a datagram's payload. A datagram in one piece is no fragment.
struct FragmentRange {
  std::uint32_t offset_bytes = 0;
  std::uint32_t bytes = 0;
  bool more = false;

  [[nodiscard]] constexpr bool is_fragment() const noexcept { return more || offset_bytes != 0; }
};

[[nodiscard]] constexpr std::uint16_t ip_header_bytes(bool is_v4, bool is_fragment) noexcept {
  return static_cast<std::uint16_t>(is_v4 ? wire::kIpv4Bytes
                                          : wire::kIpv6Bytes + (is_fragment ? wire::kIpv6FragmentBytes : 0));
}

/// The piece of a payload of `payload_bytes` that begins at `offset_bytes`, for a path of `mtu`.
[[nodiscard]] constexpr FragmentRange fragment_at(std::uint32_t payload_bytes, std::uint32_t offset_bytes,
                                                  std::uint16_t mtu, bool is_v4) noexcept {
  if (offset_bytes == 0 && payload_bytes + ip_header_bytes(is_v4, false) <= mtu) {
    return {.bytes = payload_bytes};
  }
  const std::uint32_t whole = (std::uint32_t{mtu} - ip_header_bytes(is_v4, true)) / 8 * 8;
  const std::uint32_t left = payload_bytes - offset_bytes;
  return {.offset_bytes = offset_bytes, .bytes = left < whole ? left : whole, .more = left > whole};
}

/// Puts the IP header before `packet`, whose bytes are the payload (a piece of it), with the IPv4 checksum or the wish
/// that the device fills it.
void prepend_ip(buf::Packet& packet, const OutHeader& header, const FragmentRange& range, std::uint32_t id,
                bool device_fills_checksum) noexcept;

/// Identifications for datagrams that are cut: one counter for some of all destinations, from where the seed says, so
/// that nobody reads in his own datagrams how many others we send (RFC 7739 5).
class Identifications {
 public:
  explicit Identifications(std::uint64_t seed) noexcept;
  [[nodiscard]] std::uint32_t next(const wire::IpAddress& destination) noexcept;

 private:
  std::uint64_t seed_;
  std::array<std::uint32_t, 64> counters_{};
};

}  // namespace millrace::ip
