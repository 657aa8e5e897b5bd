#include "dataplane/ip/arp_input.h"

namespace millrace::ip {

using wire::Drop;

ArpOutcome input_arp(Instant now, wire::Bytes bytes, const HostAddresses& host, NeighborCache& neighbors) noexcept {
  const auto arp = wire::parse_arp(bytes);
  if (!arp || wire::is_group(arp->sender_mac) || wire::is_zero(arp->sender_mac) || arp->sender_ip.is_multicast() ||
      arp->sender_ip.is_loopback() || host.is_broadcast(arp->sender_ip)) {
    return {.drop = Drop::ArpMalformed};
  }
  if (host.is_ours(arp->sender_ip)) {
    return {.drop = arp->sender_mac == host.mac() ? Drop::ArpNotForUs : Drop::AddressConflict};
  }
  const bool is_probe = arp->sender_ip.is_unspecified();  // RFC 5227: whether the address is taken; teaches nothing
  if (!is_probe && !host.is_on_link(arp->sender_ip)) {
    return {.drop = Drop::ArpNotForUs};
  }
  if (arp->operation == wire::ArpOperation::Reply) {
    const bool is_known = !is_probe && neighbors.on_answer(now, arp->sender_ip, arp->sender_mac);
    return {.drop = is_known ? Drop::None : Drop::ArpNotForUs};
  }
  if (!host.is_ours(arp->target_ip)) {
    if (!is_probe) {
      neighbors.on_claim(now, arp->sender_ip, arp->sender_mac);
    }
    return {.drop = Drop::ArpNotForUs};
  }
  if (!is_probe) {
    neighbors.on_request(now, arp->sender_ip, arp->sender_mac);
  }
  return {.reply = wire::ArpPacket{.operation = wire::ArpOperation::Reply,
                                   .sender_mac = host.mac(),
                                   .sender_ip = arp->target_ip,
                                   .target_mac = arp->sender_mac,
                                   .target_ip = arp->sender_ip}};
}

}  // namespace millrace::ip
