// The plain datagram: IPv4 without options, whole, in one segment, from or to a peer that was looked at a moment ago.
// Every check of the long way is made here too or was made for the same peer; whatever is not plain, or wrong, is left
// to the long way, which knows its reason. So leaving this file out would change the speed and nothing else.
//
// Headers are looked at and written in words of eight bytes, as they lie in memory:
//
//   0            6            12   14        16       18   20    22    23   24       26        30             34
//   | to (6)     | from (6)   |type|45 | tos | length | id | frag | ttl | 17 | sum    | source  | destination  | UDP
//   |------ word 0 ------|------- word 1 ----|-------- word 2 ------------|-------- word 3 ----------|-- 4 --|
#include <algorithm>
#include <cstring>
#include <span>

#include "dataplane/stack/host_stack.h"
#include "dataplane/udp/output.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {
namespace {

using buf::ChecksumState;
using dataplane::Slice;

static_assert(std::endian::native == std::endian::little);

/// Frames whose first line is on its way while one is looked at.
constexpr std::size_t kPrefetchAhead = 4;
constexpr std::size_t kIpAt = wire::kEthernetBytes;
constexpr std::size_t kUdpAt = kIpAt + wire::kIpv4Bytes;

template <typename Word>
Word load(const std::byte* at) noexcept {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
template <typename Word>
void store(std::byte* at, Word word) noexcept {
  std::memcpy(at, &word, sizeof word);
}

constexpr std::uint16_t network(std::uint16_t value) noexcept { return __builtin_bswap16(value); }

/// Bytes 12 to 15 of a plain frame: IPv4, 20 bytes of header; the type of service is 0.
constexpr std::uint32_t kTypeAndVersion = std::uint32_t{network(wire::kEtherTypeIpv4)} | 0x45U << 16;
constexpr std::uint64_t kWithoutTos = 0x00ff'ffff'ffff'ffff;
/// Bytes 16 to 23. Ours: may not be cut, so identification 0 (RFC 6864 4.1), 64 hops.
constexpr std::uint64_t kProtocolBits = std::uint64_t{wire::kProtocolUdp} << 56;
constexpr std::uint64_t kHopsBits = 0xffULL << 48;
constexpr std::uint64_t kFragmentBits = std::uint64_t{network(0x3fff)} << 32;
constexpr std::uint64_t kOurWord2 = kProtocolBits | 64ULL << 48 | std::uint64_t{network(0x4000)} << 32;

/// The pseudo header's sum (RFC 768), of addresses as they lie in memory.
std::uint64_t pseudo_sum(std::uint32_t source, std::uint32_t destination, std::uint16_t udp_bytes) noexcept {
  return std::uint64_t{source} + destination + network(wire::kProtocolUdp) + network(udp_bytes);
}

/// What the device wants to find where it shall write the checksum.
std::uint16_t begun_checksum(const PlainFlow& flow, std::uint16_t udp_bytes) noexcept {
  return wire::fold_ones(pseudo_sum(flow.source, flow.destination, udp_bytes));
}

/// `payload_sum` is folded, and of words as they lie in memory.
std::uint16_t udp_checksum(const PlainFlow& flow, std::uint16_t udp_bytes, std::uint16_t payload_sum) noexcept {
  const auto sum = static_cast<std::uint16_t>(~wire::fold_ones(pseudo_sum(flow.source, flow.destination, udp_bytes) +
                                                               flow.ports + network(udp_bytes) + payload_sum));
  return sum == 0 ? 0xffff : sum;  // 0 would say that there is none
}

std::uint32_t port_words(std::uint16_t source_port, std::uint16_t destination_port) noexcept {
  return std::uint32_t{network(source_port)} | std::uint32_t{network(destination_port)} << 16;
}

}  // namespace

std::size_t HostStack::take_burst(Instant now, std::span<Datagram> out) noexcept {
  std::size_t count = 0;
  std::size_t plain = 0;
  std::uint64_t plain_bytes = 0;
  for (std::size_t i = 0; i < std::min(kPrefetchAhead, rx_count_); ++i) {
    prefetch(rx_[i].first().data());
  }
  for (std::size_t i = 0; i < rx_count_; ++i) {
    if (i + kPrefetchAhead < rx_count_) {
      prefetch(rx_[i + kPrefetchAhead].first().data());
    }
    if (MR_LIKELY(take_plain(now, rx_[i], out[count]))) {
      out[count].frame = static_cast<std::uint16_t>(i);
      plain_bytes += out[count].bytes.size();
      ++plain;
      ++count;
    } else {
      take_frame(now, rx_[i], out, count);
    }
  }
  counters_.datagrams_received += plain;
  counters_.bytes_received += plain_bytes;
  return count;
}

bool HostStack::is_other_own_v4(std::uint32_t word) const noexcept {
  return std::ranges::any_of(std::span(own_v4_).first(own_v4_count_), [&](std::uint32_t own) { return own == word; });
}

inline bool HostStack::take_plain(Instant now, const buf::Packet& packet, Datagram& out) noexcept {
  const std::span<std::byte> frame = packet.first();
  const std::uint16_t vlan = packet.rx.has_vlan ? packet.rx.vlan_tci & wire::kVlanIdMask : 0;
  if (MR_UNLIKELY(packet.is_chain() || frame.size() < kPlainHeadersBytes || vlan != options_.vlan)) {
    return false;
  }
  const std::byte* const at = frame.data();
  const auto word0 = load<std::uint64_t>(at);
  const auto word1 = load<std::uint64_t>(at + 8);
  const auto word2 = load<std::uint64_t>(at + 16);
  const auto word3 = load<std::uint64_t>(at + 24);
  const auto word4 = load<std::uint64_t>(at + kUdpAt);
  const auto source = static_cast<std::uint32_t>(word3 >> 16);
  const auto destination = load<std::uint32_t>(at + 30);
  const Path& path = paths_.of_v4(source);
  const std::uint64_t odds = (word0 ^ (own_mac_ | path.seen_mac << 48)) |
                             ((word1 & kWithoutTos) ^ (path.seen_mac >> 16 | std::uint64_t{kTypeAndVersion} << 32)) |
                             ((word2 & (kFragmentBits | 0xffULL << 56)) ^ kProtocolBits);
  const std::uint16_t ip_bytes = network(static_cast<std::uint16_t>(word2));
  if (MR_UNLIKELY(odds != 0 || (word2 & kHopsBits) == 0 || now >= path.seen_until || !path.is_of_v4(source) ||
                  ip_bytes < wire::kIpv4Bytes + wire::kUdpBytes || ip_bytes > frame.size() - kIpAt)) {
    return false;
  }
  if (packet.rx.ip_checksum != ChecksumState::Good) {
    const std::uint64_t rest = (word1 >> 48) + static_cast<std::uint16_t>(destination >> 16);
    if (MR_UNLIKELY(packet.rx.ip_checksum == ChecksumState::Bad ||
                    wire::fold_ones(wire::add_ones(wire::add_ones(word2, word3), rest)) != 0xffff)) {
      return false;
    }
  }
  const std::uint16_t peer_port = network(static_cast<std::uint16_t>(word4));
  const std::uint16_t own_port = network(static_cast<std::uint16_t>(word4 >> 16));
  const std::uint16_t udp_bytes = network(static_cast<std::uint16_t>(word4 >> 32));
  const std::uint16_t socket = udp_ports_.find_or_none(own_port);
  if (MR_UNLIKELY(!is_own_v4(destination) || udp_bytes < wire::kUdpBytes || udp_bytes > ip_bytes - wire::kIpv4Bytes ||
                  peer_port == 0 || socket == udp::PortTable::kNone)) {
    return false;
  }
  const std::byte* udp = at + kUdpAt;
  const bool was_summed = word4 >> 48 != 0;
  if (was_summed && packet.rx.l4_checksum != ChecksumState::Good) {
    const bool is_good = packet.rx.l4_checksum == ChecksumState::Unknown &&
                         wire::fold_ones(wire::add_ones(pseudo_sum(source, destination, udp_bytes),
                                                        wire::sum_words(udp, udp_bytes))) == 0xffff;
    if (MR_UNLIKELY(!is_good)) {
      return false;
    }
  }
  out.flow.source = wire::IpAddress::v4_of(source);
  out.flow.destination = wire::IpAddress::v4_of(destination);
  out.flow.source_port = peer_port;
  out.flow.destination_port = own_port;
  out.socket = socket;
  out.was_summed = was_summed;
  out.bytes = {udp + wire::kUdpBytes, udp_bytes - wire::kUdpBytes};
  // Headers of the answer fit before it.
  const std::uint32_t room = packet.tailroom() > headers_bytes_ ? packet.tailroom() - headers_bytes_ : 0;
  out.room = {frame.data() + frame.size() + headers_bytes_, room};
  return true;
}

Sent HostStack::answer(Instant now, const Datagram& question, std::uint32_t bytes) noexcept {
  buf::Packet& packet = rx_[question.frame];
  MR_ASSERT(!packet.is_empty() && bytes <= question.room.size());
  const wire::IpAddress& peer = question.flow.source;
  const Path& path = paths_.of_v4(peer.v4_word());
  std::byte* const payload = question.room.data();
  if (MR_UNLIKELY(!is_open(path, now, peer, bytes + wire::kIpv4Bytes + wire::kUdpBytes))) {
    return answer_long_way(now, question, bytes);
  }
  const PlainFlow flow{.source = question.flow.destination.v4_word(),
                       .destination = peer.v4_word(),
                       .ports = port_words(question.flow.destination_port, question.flow.source_port)};
  const auto udp_bytes = static_cast<std::uint16_t>(bytes + wire::kUdpBytes);
  const bool device_sums = question.was_summed && capabilities_.tx_udp_checksum;
  std::uint16_t sum = 0;
  if (question.was_summed) {
    sum = device_sums ? begun_checksum(flow, udp_bytes)
                      : udp_checksum(flow, udp_bytes, wire::fold_ones(wire::sum_words(payload, bytes)));
  }
  packet.place(payload - headers_bytes_, headers_bytes_ + bytes);
  write_headers(packet, path, flow, udp_bytes, sum);
  packet.tx.fill_udp_checksum = device_sums;
  if (MR_UNLIKELY(!enqueue_answer(now, question.frame))) {
    return Sent::Dropped;
  }
  ++counters_.datagrams_sent;
  counters_.bytes_sent += bytes;
  return Sent::Copied;
}

MR_COLD Sent HostStack::answer_long_way(Instant now, const Datagram& question, std::uint32_t bytes) noexcept {
  const Slice slice{.data = reinterpret_cast<const char*>(question.room.data()), .size = bytes};
  return send(now, {.flow = question.flow.reversed(), .slices = {&slice, 1}, .may_lend = false});
}

bool HostStack::send_plain(Instant now, const OutDatagram& datagram, std::uint32_t payload_bytes) noexcept {
  const wire::FlowKey& flow = datagram.flow;
  const Path& path = paths_.of(flow.destination);
  if (MR_UNLIKELY(!is_open(path, now, flow.destination, payload_bytes + wire::kIpv4Bytes + wire::kUdpBytes) ||
                  !flow.source.is_v4() || !flow.destination.is_v4() || flow.source.v4_word() == 0 || lends(datagram) ||
                  !has_fresh(now))) {
    return false;
  }
  buf::Packet& packet = tx_[tx_end_++];
  const auto udp_bytes = static_cast<std::uint16_t>(payload_bytes + wire::kUdpBytes);
  std::byte* payload = packet.append(static_cast<std::uint16_t>(payload_bytes)).data();
  const bool device_sums = capabilities_.tx_udp_checksum;
  wire::ChecksumSum payload_sum;
  for (const Slice& slice : datagram.slices) {
    if (device_sums) {
      std::memcpy(payload, slice.data, slice.size);
    } else {
      payload_sum.add_sum(wire::copy_and_sum(payload, reinterpret_cast<const std::byte*>(slice.data), slice.size),
                          slice.size);
    }
    payload += slice.size;
  }
  const PlainFlow words{.source = flow.source.v4_word(),
                        .destination = flow.destination.v4_word(),
                        .ports = port_words(flow.source_port, flow.destination_port)};
  (void)packet.prepend(static_cast<std::uint16_t>(headers_bytes_));
  write_headers(
      packet, path, words, udp_bytes,
      device_sums ? begun_checksum(words, udp_bytes) : udp_checksum(words, udp_bytes, network(payload_sum.folded())));
  packet.tx.fill_udp_checksum = device_sums;
  ++counters_.datagrams_sent;
  counters_.bytes_sent += payload_bytes;
  return true;
}

/// The first headers_bytes_ of a packet, and what the device shall do besides.
inline void HostStack::write_headers(buf::Packet& packet, const Path& path, const PlainFlow& flow,
                                     std::uint16_t udp_bytes, std::uint16_t udp_sum) const noexcept {
  std::byte* const frame = packet.first().data();
  std::byte* ip = frame + kIpAt;
  store(frame, path.mac | own_mac_ << 48);
  const std::uint64_t own_mac_end = own_mac_ >> 16;
  if (MR_LIKELY(headers_bytes_ == kPlainHeadersBytes)) {
    store(frame + 8, own_mac_end | std::uint64_t{kTypeAndVersion} << 32);
  } else {
    store(frame + 8, own_mac_end | std::uint64_t{network(wire::kEtherTypeVlan)} << 32 |
                         std::uint64_t{network(options_.vlan)} << 48);
    store(frame + 16, kTypeAndVersion);
    ip += wire::kVlanTagBytes;
  }
  const std::uint64_t word2 = kOurWord2 | network(static_cast<std::uint16_t>(udp_bytes + wire::kIpv4Bytes));
  const std::uint64_t ip_words =
      wire::add_ones(word2, std::uint64_t{flow.source} + flow.destination + (kTypeAndVersion >> 16));
  const auto ip_sum = static_cast<std::uint16_t>(~wire::fold_ones(ip_words));
  store(ip + 2, word2);
  store(ip + 10, capabilities_.tx_ip_checksum ? std::uint16_t{0} : ip_sum);
  store(ip + 12, flow.source);
  store(ip + 16, flow.destination);
  store(ip + wire::kIpv4Bytes,
        std::uint64_t{flow.ports} | std::uint64_t{network(udp_bytes)} << 32 | std::uint64_t{udp_sum} << 48);
  packet.tx = plain_wishes_;
}

}  // namespace millrace::stack
