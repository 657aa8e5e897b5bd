#include "dataplane/ip/ndp_input.h"

namespace millrace::ip {
namespace {

using wire::Drop;

bool is_usable(const wire::MacAddress& mac) noexcept { return !wire::is_group(mac) && !wire::is_zero(mac); }

NdpOutcome input_advertisement(Instant now, const Arrived& arrived, const wire::NeighborMessage& message,
                               const HostAddresses& host, NeighborCache& neighbors) noexcept {
  if (arrived.source.is_unspecified() || (arrived.to_group && message.is_solicited)) {
    return {.drop = Drop::NdpMalformed};
  }
  if (host.is_ours(message.target)) {
    return {.drop = Drop::AddressConflict};
  }
  if (!message.link_address || !is_usable(*message.link_address)) {
    return {.drop = Drop::NdpNotForUs};  // Ethernet's neighbours have one; without it there is nothing to learn
  }
  const Heard heard{.kind = message.is_solicited ? Heard::Kind::Answer : Heard::Kind::Claim,
                    .from = message.target,
                    .mac = *message.link_address};
  const bool is_known = neighbors.hear(now, heard) && neighbors.is_known(message.target);
  return {.drop = is_known ? Drop::None : Drop::NdpNotForUs, .heard = heard};
}

NdpOutcome input_solicitation(Instant now, const Arrived& arrived, const wire::NeighborMessage& message,
                              const wire::MacAddress& frame_source, const HostAddresses& host,
                              NeighborCache& neighbors) noexcept {
  const bool is_probe = arrived.source.is_unspecified();  // RFC 4862: somebody would like to have this address
  if (is_probe && (message.link_address || !arrived.to_group || arrived.destination == wire::kAllNodes)) {
    return {.drop = Drop::NdpMalformed};
  }
  if (message.link_address && !is_usable(*message.link_address)) {
    return {.drop = Drop::NdpMalformed};
  }
  if (!host.is_ours(message.target)) {
    return {.drop = Drop::NdpNotForUs};
  }
  if (!is_probe && !host.is_on_link(arrived.source)) {
    return {.drop = Drop::NdpNotForUs};  // CVE-2008-2476: an off-link source would enter the cache
  }
  std::optional<Heard> heard;
  if (!is_probe && message.link_address) {
    heard = {.kind = Heard::Kind::Request, .from = arrived.source, .mac = *message.link_address};
    (void)neighbors.hear(now, *heard);
  }
  return {.reply = NeighborReply{.message = {.is_advertisement = true,
                                             .is_solicited = !is_probe,
                                             .overrides = true,
                                             .target = message.target,
                                             .link_address = host.mac()},
                                 .source = message.target,
                                 .destination = is_probe ? wire::kAllNodes : arrived.source,
                                 .to = is_probe               ? wire::group_mac(wire::kAllNodes)
                                       : message.link_address ? *message.link_address
                                                              : frame_source},
          .heard = heard};
}

}  // namespace

NdpOutcome input_ndp(Instant now, const Arrived& arrived, const wire::MacAddress& frame_source,
                     const HostAddresses& host, NeighborCache& neighbors) noexcept {
  const auto message = wire::parse_neighbor(arrived.payload);
  // RFC 6980: neighbour discovery is never fragmented.
  if (!message || arrived.ttl != kNdpHopLimit || arrived.was_fragmented || message->target.is_multicast() ||
      message->target.is_v4() || message->target.is_unspecified()) {
    return {.drop = Drop::NdpMalformed};
  }
  return message->is_advertisement ? input_advertisement(now, arrived, *message, host, neighbors)
                                   : input_solicitation(now, arrived, *message, frame_source, host, neighbors);
}

NeighborReply make_neighbor_solicitation(const HostAddresses& host, const wire::IpAddress& source,
                                         const Solicitation& wanted) noexcept {
  const wire::IpAddress group = wire::solicited_node(wanted.target);
  return {.message = {.target = wanted.target, .link_address = host.mac()},
          .source = source,
          .destination = wanted.asks_everybody ? group : wanted.target,
          .to = wanted.asks_everybody ? wire::group_mac(group) : wanted.to};
}

NeighborReply make_neighbor_announcement(const HostAddresses& host, const wire::IpAddress& own) noexcept {
  return {.message = {.is_advertisement = true, .overrides = true, .target = own, .link_address = host.mac()},
          .source = own,
          .destination = wire::kAllNodes,
          .to = wire::group_mac(wire::kAllNodes)};
}

}  // namespace millrace::ip
