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
  const auto hear = [&](Heard::Kind kind, Drop unknown) -> ArpOutcome {
    if (is_probe) {
      return {.drop = unknown};
    }
    const Heard heard{.kind = kind, .from = arp->sender_ip, .mac = arp->sender_mac};
    return {.drop = neighbors.hear(now, heard) ? Drop::None : unknown, .heard = heard};
  };
  if (arp->operation == wire::ArpOperation::Reply) {
    return hear(Heard::Kind::Answer, Drop::ArpNotForUs);
  }
  if (!host.is_ours(arp->target_ip)) {
    ArpOutcome outcome = hear(Heard::Kind::Claim, Drop::ArpNotForUs);
    outcome.drop = Drop::ArpNotForUs;
    return outcome;
  }
  ArpOutcome outcome = hear(Heard::Kind::Request, Drop::None);
  outcome.reply = wire::ArpPacket{.operation = wire::ArpOperation::Reply,
                                  .sender_mac = host.mac(),
                                  .sender_ip = arp->target_ip,
                                  .target_mac = arp->sender_mac,
                                  .target_ip = arp->sender_ip};
  return outcome;
}

}  // namespace millrace::ip
