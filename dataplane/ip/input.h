// A received IP datagram or fragment: every check before anybody believes it. RFC 791, 1122 3.2.1, 8200; pure
// functions.
//
// Any thread. Ownership: `Arrived` views the bytes given. Bytes are never asserted about: what is wrong has a reason.
// Not done: forwarding; acting on IPv4 options (they are skipped, and must be well-formed; source routing is refused);
// Parameter Problem and Time Exceeded are never sent.
#pragma once

#include <cstdint>

#include "dataplane/buf/packet.h"
#include "dataplane/ip/host_addresses.h"
#include "dataplane/wire/drop.h"

namespace millrace::ip {

struct FragmentFacts {
  std::uint32_t id = 0;
  std::uint16_t offset_bytes = 0;
  bool more = false;
};

struct Arrived {
  wire::Drop drop = wire::Drop::None;
  bool is_fragment = false;
  bool was_fragmented = false;  ///< put together from fragments
  bool to_group = false;        ///< sent to a multicast group we are in: ICMPv6 only
  std::uint8_t protocol = 0;
  std::uint8_t ttl = 0;  ///< or hop limit
  FragmentFacts fragment{};
  wire::IpAddress source{};
  wire::IpAddress destination{};
  wire::Bytes payload{};   ///< what the protocol gets
  wire::Bytes datagram{};  ///< from the IP header on, without the frame's padding: what ICMP errors quote
};

/// `bytes`: what follows the Ethernet header, padding included. `frame_to_group`: the frame's destination was one.
[[nodiscard]] Arrived input_v4(wire::Bytes bytes, buf::ChecksumState ip_checksum, bool frame_to_group,
                               const HostAddresses& host) noexcept;
[[nodiscard]] Arrived input_v6(wire::Bytes bytes, bool frame_to_group, const HostAddresses& host) noexcept;

}  // namespace millrace::ip
