// Datagrams down to frames: the UDP header, cutting for the path, copying or attaching, the neighbour, the port.
#include <algorithm>
#include <cstring>

#include "dataplane/ip/arp_input.h"
#include "dataplane/stack/host_stack.h"
#include "dataplane/udp/output.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {
namespace {

using dataplane::Slice;
using wire::Bytes;
using wire::Drop;

constexpr std::uint32_t kDatagramBytesMax = 65'535;

/// Calls `visit(Bytes, may_lend)` for the parts of header and slices that lie in [begin, begin + bytes) of the two
/// together, until it returns false.
template <typename Visit>
bool for_each_part(Bytes header, std::span<const Slice> slices, std::uint32_t begin, std::uint32_t bytes,
                   Visit&& visit) noexcept {
  const std::uint32_t end = begin + bytes;
  std::uint32_t at = 0;
  const auto visit_part = [&](Bytes part, bool may_lend) {
    const auto size = static_cast<std::uint32_t>(part.size());
    const std::uint32_t from = std::max(begin, at);
    const std::uint32_t to = std::min(end, at + size);
    const bool goes_on = from >= to || visit(part.subspan(from - at, to - from), may_lend);
    at += size;
    return goes_on;
  };
  if (!visit_part(header, false)) {
    return false;
  }
  for (const Slice& slice : slices) {
    if (at >= end) {
      break;
    }
    if (!visit_part({reinterpret_cast<const std::byte*>(slice.data), slice.size}, !slice.must_copy)) {
      return false;
    }
  }
  return true;
}

void copy_behind(buf::Packet& packet, Bytes part) noexcept {
  std::memcpy(packet.append(static_cast<std::uint16_t>(part.size())).data(), part.data(), part.size());
}

}  // namespace

Sent HostStack::send(Instant now, const OutDatagram& datagram) noexcept {
  const std::uint64_t payload_bytes = udp::payload_bytes(datagram.slices);
  if (MR_LIKELY(payload_bytes <= capabilities_.mtu &&
                send_plain(now, datagram, static_cast<std::uint32_t>(payload_bytes)))) {
    return Sent::Copied;
  }
  wire::FlowKey flow = datagram.flow;
  if (flow.source.is_unspecified()) {
    const auto source = host_.source_for(flow.destination);
    if (!source) {
      counters_.drops.count(Drop::NoRoute);
      return Sent::Dropped;
    }
    flow.source = *source;
  }
  const bool is_v4 = flow.source.is_v4();
  const std::uint64_t bytes = payload_bytes + wire::kUdpBytes;
  if (bytes + (is_v4 ? wire::kIpv4Bytes : 0) > kDatagramBytesMax) {
    counters_.drops.count(Drop::DatagramTooLong);
    return Sent::Dropped;
  }
  const auto total_bytes = static_cast<std::uint16_t>(bytes);
  const bool is_whole = total_bytes + ip::ip_header_bytes(is_v4, false) <= path_mtu_.of(now, flow.destination);
  const bool device_sums = is_whole && capabilities_.tx_udp_checksum;
  std::byte header[wire::kUdpBytes];
  udp::write_udp_for(header, flow, total_bytes, datagram.slices, device_sums);

  Payload payload{.ip = {.source = flow.source, .destination = flow.destination, .protocol = wire::kProtocolUdp},
                  .header = header,
                  .slices = datagram.slices,
                  .bytes = total_bytes,
                  .device_sums_udp = device_sums};
  const bool lends = datagram.may_lend && options_.zero_copy_bytes_min > 0 && capabilities_.tx_segments_max > 1 &&
                     std::ranges::any_of(datagram.slices, [&](const Slice& slice) {
                       return !slice.must_copy && slice.size >= options_.zero_copy_bytes_min;
                     });
  if (lends) {
    payload.lent = lent_.open(datagram.token);
  }
  const bool is_sent = transmit_payload(now, payload);
  const bool is_lent = payload.lent && lent_.close(*payload.lent);
  if (is_sent) {
    ++counters_.datagrams_sent;
    counters_.bytes_sent += total_bytes - wire::kUdpBytes;
    counters_.datagrams_lent += is_lent ? 1 : 0;
  }
  // Also a dropped one may have pieces out: fragments that went before.
  return is_lent ? Sent::Lent : is_sent ? Sent::Copied : Sent::Dropped;
}

bool HostStack::transmit_payload(Instant now, const Payload& payload) noexcept {
  const auto next_hop = host_.next_hop(payload.ip.destination);
  if (!next_hop || payload.ip.source.is_v4() != payload.ip.destination.is_v4()) {
    counters_.drops.count(Drop::NoRoute);
    return false;
  }
  const bool is_v4 = payload.ip.source.is_v4();
  const std::uint16_t mtu = path_mtu_.of(now, payload.ip.destination);
  std::uint32_t id = 0;
  ip::NeighborCache::Resolution resolution;
  for (std::uint32_t offset = 0; offset < payload.bytes;) {
    const ip::FragmentRange range = ip::fragment_at(payload.bytes, offset, mtu, is_v4);
    if (range.is_fragment()) {
      id = offset == 0 ? identifications_.next(payload.ip.destination) : id;
    }
    buf::Packet packet;
    if (!fill_packet(now, packet, payload, range)) {
      return false;
    }
    packet.tx.fill_udp_checksum = payload.device_sums_udp;
    ip::prepend_ip(packet, payload.ip, range, id, is_v4 && capabilities_.tx_ip_checksum);
    if (!transmit_ip(now, *next_hop, packet, resolution)) {
      return false;
    }
    counters_.fragments_sent += range.is_fragment() ? 1 : 0;
    offset += range.bytes;
  }
  if (resolution.is_known) {
    paths_.note_way(now, payload.ip.destination, resolution.mac, mtu, resolution.until, epoch());
  }
  return true;
}

bool HostStack::fill_packet(Instant now, buf::Packet& packet, const Payload& payload,
                            const ip::FragmentRange& range) noexcept {
  if (!alloc(now, packet)) {
    return false;
  }
  if (payload.lent && attach_from(packet, payload, range)) {
    return true;
  }
  if (payload.lent) {
    packet = buf::Packet{};  // with what was attached, which so comes back
    if (!alloc(now, packet)) {
      return false;
    }
  }
  for_each_part(payload.header, payload.slices, range.offset_bytes, range.bytes, [&](Bytes part, bool) {
    copy_behind(packet, part);
    return true;
  });
  return true;
}

/// Copies up to the first part that is worth attaching, and attaches the rest: nothing can be copied behind a chain.
/// False: it takes too many segments, or the port had none left.
bool HostStack::attach_from(buf::Packet& packet, const Payload& payload, const ip::FragmentRange& range) noexcept {
  std::uint32_t segments = 1;
  return for_each_part(payload.header, payload.slices, range.offset_bytes, range.bytes, [&](Bytes part, bool may_lend) {
    if (segments == 1 && (!may_lend || part.size() < options_.zero_copy_bytes_min)) {
      copy_behind(packet, part);
      return true;
    }
    if (++segments > capabilities_.tx_segments_max || port_.attach(packet, part, *payload.lent) != Status::Ok) {
      return false;
    }
    lent_.add_piece(*payload.lent);
    return true;
  });
}

bool HostStack::transmit_ip(Instant now, const wire::IpAddress& next_hop, buf::Packet& packet,
                            ip::NeighborCache::Resolution& resolution) noexcept {
  const std::uint16_t type = next_hop.is_v4() ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6;
  resolution = neighbors_.resolve(now, next_hop, host_.is_gateway(next_hop), packet);
  if (resolution.drop != Drop::None) {
    counters_.drops.count(resolution.drop);
  }
  if (!resolution.is_known) {
    return resolution.drop == Drop::None || resolution.drop == Drop::NeighborQueueFull;
  }
  return transmit_frame(now, packet, resolution.mac, type);
}

bool HostStack::transmit_frame(Instant now, buf::Packet& packet, const wire::MacAddress& to,
                               std::uint16_t type) noexcept {
  const bool device_tags = options_.vlan != 0 && capabilities_.vlan_insert;
  if (options_.vlan != 0 && !device_tags) {
    wire::write_vlan(packet.prepend(wire::kVlanTagBytes).data(), {.tci = options_.vlan, .type = type});
    type = wire::kEtherTypeVlan;
  }
  wire::write_ethernet(packet.prepend(wire::kEthernetBytes).data(),
                       {.destination = to, .source = host_.mac(), .type = type});
  packet.tx.insert_vlan = device_tags;
  packet.tx.vlan_tci = options_.vlan;
  packet.tx.l2_bytes =
      static_cast<std::uint8_t>(wire::kEthernetBytes + (type == wire::kEtherTypeVlan ? wire::kVlanTagBytes : 0));
  return enqueue(now, packet);
}

bool HostStack::send_arp(Instant now, const wire::ArpPacket& arp, const wire::MacAddress& to) noexcept {
  buf::Packet packet;
  if (!alloc(now, packet)) {
    return false;
  }
  wire::write_arp(packet.append(wire::kArpBytes).data(), arp);
  return transmit_frame(now, packet, to, wire::kEtherTypeArp);
}

bool HostStack::send_neighbor(Instant now, const ip::NeighborReply& reply) noexcept {
  buf::Packet packet;
  if (!alloc(now, packet)) {
    return false;
  }
  std::byte message[wire::kNeighborBytes + wire::kLinkAddressOptionBytes];
  const std::size_t bytes = wire::write_neighbor(message, reply.message);
  wire::ChecksumSum sum;
  sum.add_pseudo_header(reply.source, reply.destination, wire::kProtocolIcmpv6, static_cast<std::uint32_t>(bytes));
  sum.add({message, bytes});
  wire::store_be16(message + 2, sum.checksum());
  copy_behind(packet, {message, bytes});
  ip::prepend_ip(packet,
                 {.source = reply.source,
                  .destination = reply.destination,
                  .protocol = wire::kProtocolIcmpv6,
                  .ttl = ip::kNdpHopLimit},
                 {.bytes = static_cast<std::uint32_t>(bytes)}, 0, false);
  return transmit_frame(now, packet, reply.to, wire::kEtherTypeIpv6);
}

}  // namespace millrace::stack
