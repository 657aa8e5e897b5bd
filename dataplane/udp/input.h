// A received UDP datagram: its checks (RFC 768, RFC 1122 4.1, RFC 8200 8.1). Pure; any thread.
//
// Bytes behind the UDP length are ignored, as elsewhere. A checksum of 0 is "none" over IPv4 and refused over IPv6
// (RFC 6935's exception for tunnels is not ours). The port is looked up last: only a sound datagram earns an ICMP
// error.
#pragma once

#include <cstdint>

#include "dataplane/buf/packet.h"
#include "dataplane/udp/port_table.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/flow_key.h"

namespace millrace::udp {

struct UdpArrived {
  wire::Drop drop = wire::Drop::None;
  std::uint16_t socket = 0;  ///< PortTable's number
  wire::FlowKey flow{};
  wire::Bytes payload{};
};

/// `bytes`: the IP payload. `checksum`: what the device said; of a datagram put together from fragments: Unknown.
[[nodiscard]] UdpArrived input_udp(const wire::IpAddress& source, const wire::IpAddress& destination, wire::Bytes bytes,
                                   buf::ChecksumState checksum, const PortTable& ports) noexcept;

}  // namespace millrace::udp
