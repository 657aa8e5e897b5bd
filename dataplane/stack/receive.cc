// Frames up to UDP: Ethernet, VLAN, ARP, IP, fragments.
#include <cstring>

#include "dataplane/ip/arp_input.h"
#include "dataplane/stack/host_stack.h"
#include "dataplane/udp/input.h"
#include "dataplane/wire/ipv6_extensions.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {

using wire::Bytes;
using wire::Drop;

Bytes HostStack::whole_frame(const buf::Packet& packet) noexcept {
  if (!packet.is_chain()) {
    return packet.first();
  }
  if (packet.size() > joined_.size() - joined_used_) {
    return {};
  }
  ++counters_.frames_joined;
  std::byte* begin = joined_.data() + joined_used_;
  packet.for_each_segment([&](Bytes segment) {
    std::memcpy(joined_.data() + joined_used_, segment.data(), segment.size());
    joined_used_ += segment.size();
  });
  return {begin, packet.size()};
}

bool HostStack::strip_vlan(const buf::Packet& packet, wire::EthernetHeader& ethernet, Bytes& bytes) const noexcept {
  std::uint16_t id = packet.rx.has_vlan ? packet.rx.vlan_tci & wire::kVlanIdMask : 0;
  if (ethernet.type == wire::kEtherTypeVlan) {
    const auto tag = wire::parse_vlan(bytes);
    if (!tag || packet.rx.has_vlan) {
      return false;
    }
    id = tag->id();
    ethernet.type = tag->type;
    bytes = bytes.subspan(wire::kVlanTagBytes);
  }
  return id == options_.vlan;  // identifier 0 is a priority on a frame that is untagged otherwise (802.1Q 9.6)
}

void HostStack::take_frame(Instant now, buf::Packet& packet, std::span<Datagram> out, std::size_t& count) noexcept {
  const Bytes frame = whole_frame(packet);
  if (frame.empty() && packet.is_chain()) {
    return counters_.drops.count(Drop::ScatterTooLong);
  }
  auto ethernet = wire::parse_ethernet(frame);
  if (!ethernet) {
    return counters_.drops.count(Drop::FrameShort);
  }
  const bool is_ours = ethernet->destination == host_.mac();
  if (!is_ours && !wire::is_group(ethernet->destination)) {
    return counters_.drops.count(Drop::FrameNotForUs);
  }
  if (wire::is_group(ethernet->source) || ethernet->source == host_.mac()) {
    return counters_.drops.count(Drop::FrameFromGroup);
  }
  Bytes bytes = frame.subspan(wire::kEthernetBytes);
  if (!strip_vlan(packet, *ethernet, bytes)) {
    return counters_.drops.count(Drop::VlanOther);
  }
  switch (ethernet->type) {
    case wire::kEtherTypeIpv4:
      return take_ip(now, ip::input_v4(bytes, packet.rx.ip_checksum, !is_ours, host_), packet.rx, *ethernet, out,
                     count);
    case wire::kEtherTypeIpv6:
      return take_ip(now, ip::input_v6(bytes, !is_ours, host_), packet.rx, *ethernet, out, count);
    case wire::kEtherTypeArp:
      return take_arp(now, bytes);
    default:
      return counters_.drops.count(Drop::EtherTypeUnknown);
  }
}

void HostStack::take_arp(Instant now, Bytes bytes) noexcept {
  const ip::ArpOutcome outcome = ip::input_arp(now, bytes, host_, neighbors_);
  tell_news(outcome.heard);
  if (outcome.drop != Drop::None) {
    return counters_.drops.count(outcome.drop);
  }
  if (outcome.reply) {
    counters_.arp_replies_sent += send_arp(now, *outcome.reply, outcome.reply->target_mac) ? 1 : 0;
  }
}

Drop HostStack::reassemble(Instant now, ip::Arrived& arrived) noexcept {
  const ip::ReassemblyOutcome outcome = reassembler_.add(now, arrived, counters_.drops);
  if (outcome.drop != Drop::None || !outcome.is_whole) {
    return outcome.drop;
  }
  ++counters_.datagrams_reassembled;
  arrived.is_fragment = false;
  arrived.was_fragmented = true;
  arrived.protocol = outcome.protocol;
  arrived.payload = outcome.payload;
  if (!arrived.source.is_v4()) {
    const auto walk = wire::walk_extensions(arrived.protocol, arrived.payload, true);
    arrived.protocol = walk.protocol;
    arrived.payload = walk.payload;
    return walk.drop;
  }
  return Drop::None;
}

void HostStack::take_ip(Instant now, ip::Arrived arrived, const buf::RxFacts& facts,
                        const wire::EthernetHeader& ethernet, std::span<Datagram> out, std::size_t& count) noexcept {
  if (arrived.drop != Drop::None) {
    return counters_.drops.count(arrived.drop);
  }
  if (!arrived.is_fragment) {
    return take_whole(now, arrived, facts.l4_checksum, ethernet, out, count);
  }
  ++counters_.fragments_received;
  if (!hand_over(arrived, ethernet.source)) {
    take_fragment(now, arrived, ethernet, out, count);
  }
}

bool HostStack::hand_over(const ip::Arrived& arrived, const wire::MacAddress& from) noexcept {
  const bool is_all = arrived.fragment.offset_bytes == 0 && !arrived.fragment.more;
  if (options_.fragments == nullptr || is_all) {
    return false;
  }
  const std::size_t core = options_.fragments->core_of(arrived);
  if (core == options_.core) {
    return false;
  }
  if (options_.fragments->give(core, arrived, from)) {
    ++counters_.fragments_handed_over;
  } else {
    counters_.drops.count(Drop::FragmentHandOver);
  }
  return true;
}

void HostStack::take_over(Instant now, std::span<Datagram> out, std::size_t& count) noexcept {
  // A fragment makes one datagram at most.
  for (std::size_t left = kTakeOverMax; left > 0 && count < out.size(); --left) {
    const bool was_there =
        options_.fragments->take(options_.core, [&](const ip::Arrived& arrived, const wire::MacAddress& from) {
          ++counters_.fragments_taken_over;
          take_fragment(now, arrived, {.source = from}, out, count);
        });
    if (MR_LIKELY(!was_there)) {
      return;
    }
  }
}

void HostStack::take_fragment(Instant now, ip::Arrived arrived, const wire::EthernetHeader& ethernet,
                              std::span<Datagram> out, std::size_t& count) noexcept {
  const Drop drop = reassemble(now, arrived);
  if (drop != Drop::None) {
    return counters_.drops.count(drop);
  }
  if (!arrived.is_fragment) {
    // The device has summed what it saw: one fragment.
    take_whole(now, arrived, buf::ChecksumState::Unknown, ethernet, out, count);
  }
}

void HostStack::take_whole(Instant now, const ip::Arrived& arrived, buf::ChecksumState l4_checksum,
                           const wire::EthernetHeader& ethernet, std::span<Datagram> out, std::size_t& count) noexcept {
  Drop drop = Drop::IpProtocolUnknown;
  switch (arrived.protocol) {
    case wire::kProtocolUdp:
      return take_udp(now, arrived, l4_checksum, ethernet, out, count);
    case wire::kProtocolIcmpv4:
    case wire::kProtocolIcmpv6:
      drop = take_icmp(now, arrived, ethernet);
      break;
    default:
      break;
  }
  if (drop != Drop::None) {
    counters_.drops.count(drop);
  }
}

void HostStack::take_udp(Instant now, const ip::Arrived& arrived, buf::ChecksumState checksum,
                         const wire::EthernetHeader& ethernet, std::span<Datagram> out, std::size_t& count) noexcept {
  const udp::UdpArrived udp =
      udp::input_udp(arrived.source, arrived.destination, arrived.payload, checksum, udp_ports_);
  if (udp.drop != Drop::None) {
    counters_.drops.count(udp.drop);
    if (udp.drop == Drop::UdpNoPort) {
      refuse_port(now, arrived);
    }
    return;
  }
  if (!paths_.is_seen(paths_.of(arrived.source), now, arrived.source, ethernet.source)) {
    watch_gateway(now, arrived.source, ethernet.source);
    paths_.note_seen(now, arrived.source, ethernet.source);
  }
  ++counters_.datagrams_received;
  counters_.bytes_received += udp.payload.size();
  out[count++] = {.flow = {.peer = udp.flow.source.bytes,
                           .local = udp.flow.destination.bytes,
                           .peer_port = udp.flow.source_port,
                           .local_port = udp.flow.destination_port,
                           .socket = udp.socket},
                  .bytes = udp.payload};
}

void HostStack::watch_gateway(Instant now, const wire::IpAddress& source, const wire::MacAddress& mac) noexcept {
  // A gateway that failed over forwards to us from another MAC before it announces itself: have it checked.
  const auto next_hop = host_.next_hop(source);
  if (next_hop) {
    neighbors_.on_claim(now, *next_hop, mac);
  }
}

}  // namespace millrace::stack
