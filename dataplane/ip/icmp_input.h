// A received ICMP or ICMPv6 message (not neighbour discovery): RFC 792, 1122 3.2.2, 4443, 1191, 8201, 5927. Pure.
//
// Any thread. Errors are believed only when they quote a datagram from an address of ours; whoever owns the protocol
// they quote checks its ports (UDP) or sequence numbers (TCP) before acting.
#pragma once

#include <cstdint>

#include "dataplane/ip/input.h"
#include "dataplane/wire/flow_key.h"

namespace millrace::ip {

enum class IcmpMeaning : std::uint8_t {
  Nothing,      ///< `drop` says why
  EchoRequest,  ///< answer with `echo_rest` and the payload behind the header
  PathMtu,      ///< the quoted datagram was too big: `mtu`
  Unreachable,  ///< the quoted datagram was refused (port, host, network)
};

struct IcmpArrived {
  wire::Drop drop = wire::Drop::None;
  IcmpMeaning meaning = IcmpMeaning::Nothing;
  std::uint8_t code = 0;
  std::uint8_t quoted_protocol = 0;
  std::uint16_t echo_rest_high = 0;  ///< identifier
  std::uint16_t echo_rest_low = 0;   ///< sequence number
  std::uint32_t mtu = 0;
  wire::FlowKey quoted{};          ///< as we sent it: source is ours
  wire::Bytes quoted_transport{};  ///< at least its first eight bytes
};

[[nodiscard]] IcmpArrived input_icmpv4(const Arrived& arrived, const HostAddresses& host) noexcept;
[[nodiscard]] IcmpArrived input_icmpv6(const Arrived& arrived, const HostAddresses& host) noexcept;

/// Whether the checksum of an ICMPv6 message is right; asked before anything else of it is looked at.
[[nodiscard]] bool has_good_icmpv6_checksum(const Arrived& arrived) noexcept;

}  // namespace millrace::ip
