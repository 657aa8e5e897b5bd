// The plain datagram: IPv4 without options, whole, in one segment, from or to a peer that was looked at a moment ago.
// Every check of the long way is made here too or was made for the same peer; whatever is not plain, or wrong, is left
// to the long way, which knows its reason. So leaving this file out would change the speed and nothing else.
#include <cstring>

#include "dataplane/stack/host_stack.h"
#include "dataplane/udp/output.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {
namespace {

using buf::ChecksumState;
using dataplane::Slice;

constexpr std::size_t kHeadersBytes = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;
constexpr std::uint8_t kVersionAndLength = 0x45;
constexpr std::uint16_t kDontFragment = 0x4000;
constexpr std::uint16_t kFragmentBits = 0x3fff;
constexpr std::uint8_t kTtl = 64;

bool is_same_mac(const std::byte* at, const wire::MacAddress& mac) noexcept {
  return std::memcmp(at, mac.data(), mac.size()) == 0;
}

std::uint16_t network(std::uint16_t value) noexcept {
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

/// The pseudo header's sum (RFC 768), of addresses as they lie in memory.
std::uint64_t pseudo_sum(std::uint32_t source, std::uint32_t destination, std::uint16_t udp_bytes) noexcept {
  return std::uint64_t{source} + destination + network(wire::kProtocolUdp) + network(udp_bytes);
}

}  // namespace

bool HostStack::take_plain(Instant now, const buf::Packet& packet, Datagram& out) noexcept {
  const wire::Bytes frame = packet.first();
  const std::uint16_t vlan = packet.rx.has_vlan ? packet.rx.vlan_tci & wire::kVlanIdMask : 0;
  if (MR_UNLIKELY(packet.is_chain() || frame.size() < kHeadersBytes || vlan != options_.vlan)) {
    return false;
  }
  const std::byte* at = frame.data();
  const std::byte* ip = at + wire::kEthernetBytes;
  const std::uint16_t ip_bytes = wire::load_be16(ip + 2);
  const bool is_plain = is_same_mac(at, host_.mac()) && wire::load_be16(at + 12) == wire::kEtherTypeIpv4 &&
                        wire::load_u8(ip) == kVersionAndLength && (wire::load_be16(ip + 6) & kFragmentBits) == 0 &&
                        wire::load_u8(ip + 8) != 0 && wire::load_u8(ip + 9) == wire::kProtocolUdp &&
                        ip_bytes >= wire::kIpv4Bytes + wire::kUdpBytes &&
                        ip_bytes <= frame.size() - wire::kEthernetBytes;
  if (MR_UNLIKELY(!is_plain)) {
    return false;
  }
  const bool is_summed = packet.rx.ip_checksum == ChecksumState::Good ||
                         (packet.rx.ip_checksum == ChecksumState::Unknown &&
                          wire::fold_ones(wire::sum_words(ip, wire::kIpv4Bytes)) == 0xffff);
  std::uint32_t source;
  std::uint32_t destination;
  std::memcpy(&source, ip + 12, sizeof source);
  std::memcpy(&destination, ip + 16, sizeof destination);
  bool is_ours = false;
  for (std::size_t i = 0; i < own_v4_count_; ++i) {
    is_ours |= own_v4_[i] == destination;
  }
  const wire::IpAddress peer = wire::IpAddress::v4_at(ip + 12);
  const Path& path = paths_.of(peer);
  if (MR_UNLIKELY(!is_summed || !is_ours || path.peer != peer || !is_same_mac(at + 6, path.seen_mac) ||
                  now >= path.seen_until)) {
    return false;
  }
  const std::byte* udp = ip + wire::kIpv4Bytes;
  const std::uint16_t udp_bytes = wire::load_be16(udp + 4);
  if (MR_UNLIKELY(udp_bytes < wire::kUdpBytes || udp_bytes > ip_bytes - wire::kIpv4Bytes)) {
    return false;
  }
  if (wire::load_be16(udp + 6) != 0 && packet.rx.l4_checksum != ChecksumState::Good) {
    const bool is_good = packet.rx.l4_checksum == ChecksumState::Unknown &&
                         wire::fold_ones(wire::add_ones(pseudo_sum(source, destination, udp_bytes),
                                                        wire::sum_words(udp, udp_bytes))) == 0xffff;
    if (MR_UNLIKELY(!is_good)) {
      return false;
    }
  }
  const std::uint16_t peer_port = wire::load_be16(udp);
  const std::uint16_t own_port = wire::load_be16(udp + 2);
  const auto socket = udp_ports_.find(own_port);
  if (MR_UNLIKELY(peer_port == 0 || !socket)) {
    return false;
  }
  out.flow.source = peer;
  out.flow.destination = wire::IpAddress::v4_at(ip + 16);
  out.flow.source_port = peer_port;
  out.flow.destination_port = own_port;
  out.socket = *socket;
  out.bytes = {udp + wire::kUdpBytes, udp_bytes - wire::kUdpBytes};
  ++counters_.datagrams_received;
  counters_.bytes_received += udp_bytes - wire::kUdpBytes;
  return true;
}

bool HostStack::send_plain(Instant now, const OutDatagram& datagram, std::uint32_t payload_bytes) noexcept {
  const wire::FlowKey& flow = datagram.flow;
  const Path& path = paths_.of(flow.destination);
  const std::uint32_t ip_bytes = payload_bytes + wire::kIpv4Bytes + wire::kUdpBytes;
  if (MR_UNLIKELY(path.peer != flow.destination || now >= path.usable_until || path.epoch != epoch() ||
                  ip_bytes > path.mtu || !flow.source.is_v4() || !flow.destination.is_v4() ||
                  flow.source.v4_word() == 0 || lends(datagram) || !has_fresh(now))) {
    return false;
  }
  buf::Packet& packet = tx_[tx_end_++];
  const auto udp_bytes = static_cast<std::uint16_t>(payload_bytes + wire::kUdpBytes);
  std::byte* payload = packet.append(static_cast<std::uint16_t>(payload_bytes)).data();
  const bool device_sums_udp = capabilities_.tx_udp_checksum;
  const std::uint32_t source = flow.source.v4_word();
  const std::uint32_t destination = flow.destination.v4_word();
  wire::ChecksumSum payload_sum;
  for (const Slice& slice : datagram.slices) {
    if (device_sums_udp) {
      std::memcpy(payload, slice.data, slice.size);
    } else {
      payload_sum.add_sum(wire::copy_and_sum(payload, reinterpret_cast<const std::byte*>(slice.data), slice.size),
                          slice.size);
    }
    payload += slice.size;
  }
  // Headers, from the back. The sums are of words as they lie in memory, as are the addresses.
  std::uint16_t udp_sum = wire::fold_ones(pseudo_sum(source, destination, udp_bytes));
  if (!device_sums_udp) {
    const std::uint64_t words = std::uint64_t{udp_sum} + network(flow.source_port) + network(flow.destination_port) +
                                network(udp_bytes) + network(payload_sum.folded());
    udp_sum = static_cast<std::uint16_t>(~wire::fold_ones(words));
    udp_sum = udp_sum == 0 ? 0xffff : udp_sum;  // 0 would say that there is none
  }
  const bool tags_here = options_.vlan != 0 && !capabilities_.vlan_insert;
  const std::size_t l2_bytes = wire::kEthernetBytes + (tags_here ? wire::kVlanTagBytes : 0);
  std::byte* frame = packet.prepend(static_cast<std::uint16_t>(l2_bytes + wire::kIpv4Bytes + wire::kUdpBytes)).data();
  wire::write_ethernet(frame, {.destination = path.mac,
                               .source = host_.mac(),
                               .type = tags_here ? wire::kEtherTypeVlan : wire::kEtherTypeIpv4});
  if (MR_UNLIKELY(tags_here)) {
    wire::write_vlan(frame + wire::kEthernetBytes, {.tci = options_.vlan, .type = wire::kEtherTypeIpv4});
  }
  std::byte* ip = frame + l2_bytes;
  const bool device_sums_ip = capabilities_.tx_ip_checksum;
  constexpr std::uint16_t kTtlAndProtocol = kTtl << 8 | wire::kProtocolUdp;
  const std::uint64_t ip_words = std::uint64_t{source} + destination + network(kVersionAndLength << 8) +
                                 network(static_cast<std::uint16_t>(ip_bytes)) + network(kDontFragment) +
                                 network(kTtlAndProtocol);
  const std::uint16_t ip_sum = device_sums_ip ? 0 : static_cast<std::uint16_t>(~wire::fold_ones(ip_words));
  wire::store_be32(ip, std::uint32_t{kVersionAndLength} << 24 | ip_bytes);
  wire::store_be32(ip + 4, kDontFragment);  // identification 0 (RFC 6864 4.1)
  wire::store_be16(ip + 8, kTtlAndProtocol);
  std::memcpy(ip + 10, &ip_sum, sizeof ip_sum);
  std::memcpy(ip + 12, &source, sizeof source);
  std::memcpy(ip + 16, &destination, sizeof destination);
  std::byte* udp = ip + wire::kIpv4Bytes;
  wire::store_be32(udp, std::uint32_t{flow.source_port} << 16 | flow.destination_port);
  wire::store_be16(udp + 4, udp_bytes);
  std::memcpy(udp + 6, &udp_sum, sizeof udp_sum);
  packet.tx = {.vlan_tci = options_.vlan,
               .l2_bytes = static_cast<std::uint8_t>(l2_bytes),
               .l3_bytes = wire::kIpv4Bytes,
               .insert_vlan = options_.vlan != 0 && capabilities_.vlan_insert,
               .fill_ip_checksum = device_sums_ip,
               .fill_udp_checksum = device_sums_udp};
  ++counters_.datagrams_sent;
  counters_.bytes_sent += payload_bytes;
  return true;
}

}  // namespace millrace::stack
