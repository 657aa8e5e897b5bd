// A received ARP packet: what it teaches the neighbour cache and what we answer. RFC 826; RFC 5227 2.4 (conflicts).
//
// One core. Not done: probing an IPv4 address before it is used (RFC 5227 2.1): addresses are the operator's; a
// conflict is counted and the address kept (2.4, case c).
#pragma once

#include <optional>

#include "dataplane/ip/host_addresses.h"
#include "dataplane/ip/neighbor.h"
#include "dataplane/wire/arp.h"

namespace millrace::ip {

struct ArpOutcome {
  wire::Drop drop = wire::Drop::None;
  std::optional<wire::ArpPacket> reply{};  ///< to its target_mac
  std::optional<Heard> heard{};            ///< what the cache was told
};

[[nodiscard]] ArpOutcome input_arp(Instant now, wire::Bytes bytes, const HostAddresses& host,
                                   NeighborCache& neighbors) noexcept;

/// What asks for `target`, or (target == source) announces it. Its frame goes to everybody or to the MAC being asked.
[[nodiscard]] inline wire::ArpPacket make_arp_request(const HostAddresses& host, const wire::IpAddress& source,
                                                      const wire::IpAddress& target) noexcept {
  return {.operation = wire::ArpOperation::Request, .sender_mac = host.mac(), .sender_ip = source, .target_ip = target};
}

}  // namespace millrace::ip
