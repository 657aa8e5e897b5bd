#include "dataplane/ip/input.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6_extensions.h"

namespace millrace::ip {
namespace {

using wire::Bytes;
using wire::Drop;
using wire::IpAddress;

/// RFC 4291 2.5.3, 2.7. An IPv4-mapped address inside IPv6 would pass for an IPv4 neighbour's. The unspecified address
/// is a neighbour solicitation's for an address not yet taken (RFC 4862), and nobody else's.
bool is_martian_source(const IpAddress& source, const HostAddresses& host) noexcept {
  return source.is_multicast() || source.is_loopback() || source.is_v4() || host.is_ours(source);
}

Drop check_destination(const IpAddress& destination, bool frame_to_group, const HostAddresses& host) noexcept {
  if (destination.is_loopback() || destination.is_unspecified() || destination.is_v4()) {
    return Drop::MartianDestination;
  }
  if (destination.is_multicast()) {
    return host.is_our_group(destination) ? Drop::None : Drop::IpBroadcast;
  }
  if (!host.is_ours(destination)) {
    return Drop::IpNotForUs;
  }
  return frame_to_group ? Drop::IpBroadcast : Drop::None;
}

Drop check_fragment(const wire::Ipv6Fragment& fragment, std::size_t payload_bytes) noexcept {
  const bool is_whole_blocks = !fragment.more_fragments || payload_bytes % 8 == 0;
  const bool fits = std::size_t{fragment.offset_bytes} + payload_bytes <= 65'535;
  return payload_bytes > 0 && is_whole_blocks && fits ? Drop::None : Drop::FragmentMalformed;
}

}  // namespace

Arrived input_v6(Bytes bytes, bool frame_to_group, const HostAddresses& host) noexcept {
  const auto header = wire::parse_ipv6(bytes);
  if (!header) {
    return {.drop = Drop::FrameShort};
  }
  if (header->version != 6) {
    return {.drop = Drop::IpVersion};
  }
  if (wire::kIpv6Bytes + header->payload_bytes > bytes.size()) {
    return {.drop = Drop::IpTotalLength};
  }
  if (header->hop_limit == 0) {
    return {.drop = Drop::IpTtl};
  }
  if (is_martian_source(header->source, host)) {
    return {.drop = Drop::MartianSource};
  }
  const Drop drop = check_destination(header->destination, frame_to_group, host);
  if (drop != Drop::None) {
    return {.drop = drop};
  }
  const Bytes datagram = bytes.first(wire::kIpv6Bytes + header->payload_bytes);
  const wire::ExtensionWalk walk = wire::walk_extensions(header->next_header, datagram.subspan(wire::kIpv6Bytes));
  Arrived arrived{.drop = walk.drop,
                  .to_group = header->destination.is_multicast(),
                  .protocol = walk.protocol,
                  .ttl = header->hop_limit,
                  .source = header->source,
                  .destination = header->destination,
                  .payload = walk.payload,
                  .datagram = datagram};
  if (arrived.drop == Drop::None && walk.fragment) {
    arrived.drop = check_fragment(*walk.fragment, walk.payload.size());
    arrived.is_fragment = true;
    arrived.fragment = {
        .id = walk.fragment->id, .offset_bytes = walk.fragment->offset_bytes, .more = walk.fragment->more_fragments};
  }
  if (arrived.drop == Drop::None && arrived.protocol != wire::kProtocolIcmpv6) {
    arrived.drop = arrived.to_group                  ? Drop::IpBroadcast
                   : arrived.source.is_unspecified() ? Drop::MartianSource
                                                     : Drop::None;
  }
  return arrived;
}

}  // namespace millrace::ip
