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

/// Of a number of 16 bits.
constexpr std::uint16_t network(std::uint32_t value) noexcept {
  return __builtin_bswap16(static_cast<std::uint16_t>(value));
}

constexpr std::uint64_t kWithoutTos = 0x00ff'ffff'ffff'ffff;
/// Bytes 16 to 23. Ours: may not be cut, so identification 0 (RFC 6864 4.1), 64 hops.
constexpr std::uint64_t kProtocolBits = std::uint64_t{wire::kProtocolUdp} << 56;
constexpr std::uint64_t kHopsBits = 0xffULL << 48;
constexpr std::uint64_t kFragmentBits = std::uint64_t{network(0x3fff)} << 32;
constexpr std::uint64_t kOurWord2 = kProtocolBits | 64ULL << 48 | std::uint64_t{network(0x4000)} << 32;

/// Of a plain frame: what an answer to it has to have.
PlainFlow answering(const std::byte* frame) noexcept {
  return {.addresses = std::rotl(load<std::uint64_t>(frame + kIpAt + 12), 32),
          .ports = std::rotl(load<std::uint32_t>(frame + kUdpAt), 16)};
}

/// Of 32-bit words as they lie in memory.
std::uint64_t address_sum(std::uint64_t addresses) noexcept {
  return (addresses >> 32) + static_cast<std::uint32_t>(addresses);
}

/// The pseudo header's sum (RFC 768).
std::uint64_t pseudo_sum(std::uint64_t addresses, std::uint32_t udp_bytes) noexcept {
  return address_sum(addresses) + network(wire::kProtocolUdp) + network(udp_bytes);
}

/// What the device wants to find where it shall write the checksum.
std::uint16_t begun_checksum(const PlainFlow& flow, std::uint32_t udp_bytes) noexcept {
  return wire::fold_ones(pseudo_sum(flow.addresses, udp_bytes));
}

/// `payload_sum` is folded, and of words as they lie in memory.
std::uint16_t udp_checksum(const PlainFlow& flow, std::uint32_t udp_bytes, std::uint16_t payload_sum) noexcept {
  const auto sum = static_cast<std::uint16_t>(
      ~wire::fold_ones(pseudo_sum(flow.addresses, udp_bytes) + flow.ports + network(udp_bytes) + payload_sum));
  return sum == 0 ? 0xffff : sum;  // 0 would say that there is none
}

std::uint32_t port_words(std::uint16_t source_port, std::uint16_t destination_port) noexcept {
  return std::uint32_t{network(source_port)} | std::uint32_t{network(destination_port)} << 16;
}

}  // namespace

std::size_t HostStack::take_burst(Instant now, std::span<Datagram> out) noexcept {
  const std::size_t frames = rx_count_;
  Datagram* next = out.data();
  std::uint64_t others = 0;  // datagrams that came the long way
  std::uint64_t plain_bytes = 0;
  for (std::size_t i = 0; i < std::min(kPrefetchAhead, frames); ++i) {
    prefetch(rx_[i].first().data());
  }
  for (std::size_t i = 0; i < frames; ++i) {
    if (i + kPrefetchAhead < frames) {
      prefetch(rx_[i + kPrefetchAhead].first().data());
    }
    if (MR_LIKELY(take_plain(now, rx_[i], *next))) {
      next->frame = static_cast<std::uint16_t>(i);
      plain_bytes += next->bytes.size();
      ++next;
    } else {
      const auto count = static_cast<std::size_t>(next - out.data());
      std::size_t now_count = count;
      take_frame(now, rx_[i], out, now_count);
      others += now_count - count;
      next = out.data() + now_count;
    }
  }
  const auto count = static_cast<std::size_t>(next - out.data());
  counters_.datagrams_received += count - others;
  counters_.bytes_received += plain_bytes;
  return count;
}

bool HostStack::is_other_own_v4(std::uint32_t word) const noexcept {
  return std::ranges::any_of(std::span(own_v4_).first(own_v4_count_), [&](std::uint32_t own) { return own == word; });
}

inline bool HostStack::take_plain(Instant now, const buf::Packet& packet, Datagram& out) noexcept {
  const std::span<std::byte> frame = packet.first();
  if (MR_UNLIKELY(packet.is_chain() || frame.size() < kPlainHeadersBytes)) {
    return false;
  }
  if (MR_UNLIKELY(packet.rx.has_vlan || options_.vlan != 0)) {
    const std::uint16_t vlan = packet.rx.has_vlan ? packet.rx.vlan_tci & wire::kVlanIdMask : 0;
    if (vlan != options_.vlan) {
      return false;
    }
  }
  const std::byte* const at = frame.data();
  const auto word0 = load<std::uint64_t>(at);
  const auto word1 = load<std::uint64_t>(at + 8);
  const auto word2 = load<std::uint64_t>(at + 16);
  const auto word3 = load<std::uint64_t>(at + 24);
  const auto word4 = load<std::uint64_t>(at + kUdpAt);
  const auto source = static_cast<std::uint32_t>(word3 >> 16);
  const auto destination = load<std::uint32_t>(at + 30);
  const std::uint16_t path_number = paths_.number_of_v4(source);
  const Path& path = paths_[path_number];
  const std::uint64_t odds = (word0 ^ path.seen[0]) | ((word1 & kWithoutTos) ^ path.seen[1]) |
                             ((word2 & (kFragmentBits | 0xffULL << 56)) ^ kProtocolBits);
  const std::uint32_t ip_bytes = network(static_cast<std::uint32_t>(word2));
  if (MR_UNLIKELY(odds != 0 || (word2 & kHopsBits) == 0 || now >= path.seen_until || !path.is_of_v4(source) ||
                  ip_bytes > frame.size() - kIpAt)) {
    return false;
  }
  if (packet.rx.ip_checksum != ChecksumState::Good) {
    const std::uint64_t rest = (word1 >> 48) + static_cast<std::uint16_t>(destination >> 16);
    if (MR_UNLIKELY(packet.rx.ip_checksum == ChecksumState::Bad ||
                    wire::fold_ones(wire::add_ones(wire::add_ones(word2, word3), rest)) != 0xffff)) {
      return false;
    }
  }
  const std::uint16_t peer_port = network(static_cast<std::uint32_t>(word4));
  const std::uint16_t own_port = network(static_cast<std::uint32_t>(word4 >> 16));
  const std::uint16_t udp_bytes = network(static_cast<std::uint32_t>(word4 >> 32));
  const std::uint16_t socket = udp_ports_.find_or_none(own_port);
  if (MR_UNLIKELY(!is_own_v4(destination) || udp_bytes < wire::kUdpBytes || udp_bytes + wire::kIpv4Bytes > ip_bytes ||
                  peer_port == 0 || socket == udp::PortTable::kNone)) {
    return false;
  }
  const std::byte* udp = at + kUdpAt;
  const bool was_summed = word4 >> 48 != 0;
  if (was_summed && packet.rx.l4_checksum != ChecksumState::Good) {
    const bool is_good = packet.rx.l4_checksum == ChecksumState::Unknown &&
                         wire::fold_ones(wire::add_ones(pseudo_sum(load<std::uint64_t>(at + kIpAt + 12), udp_bytes),
                                                        wire::sum_words(udp, udp_bytes))) == 0xffff;
    if (MR_UNLIKELY(!is_good)) {
      return false;
    }
  }
  out.flow = {.peer = wire::IpAddress::v4_of(source).bytes,
              .local = wire::IpAddress::v4_of(destination).bytes,
              .peer_port = peer_port,
              .local_port = own_port,
              .socket = socket};
  out.was_summed = was_summed;
  out.path = path_number;
  out.bytes = {udp + wire::kUdpBytes, udp_bytes - wire::kUdpBytes};
  // Headers of the answer fit before it.
  const std::uint32_t room = packet.tailroom() > headers_bytes_ ? packet.tailroom() - headers_bytes_ : 0;
  out.room = {frame.data() + frame.size() + headers_bytes_, room};
  return true;
}

Sent HostStack::answer(Instant now, const Datagram& question, std::uint32_t bytes) noexcept {
  return question.was_summed ? answer_as<true>(now, question, bytes) : answer_as<false>(now, question, bytes);
}

/// What is rare is called last, so that nothing has to be kept for its return.
template <bool kSums>
inline Sent HostStack::answer_as(Instant now, const Datagram& question, std::uint32_t bytes) noexcept {
  buf::Packet& packet = rx_[question.frame];
  MR_ASSERT(!packet.is_empty());
  const PlainFlow flow = answering(packet.first().data());
  const Path& path = paths_[question.path];
  const std::uint32_t udp_bytes = bytes + wire::kUdpBytes;
  if (MR_UNLIKELY(!path.is_of_v4(flow.destination()) || !is_open(path, now, udp_bytes + wire::kIpv4Bytes))) {
    return answer_long_way(now, question, bytes);
  }
  const bool device_sums = kSums && capabilities_.tx_udp_checksum;
  std::uint16_t sum = 0;
  if constexpr (kSums) {
    sum = device_sums ? begun_checksum(flow, udp_bytes)
                      : udp_checksum(flow, udp_bytes, wire::fold_ones(wire::sum_words(question.room.data(), bytes)));
  }
  packet.move_behind(headers_bytes_ + bytes);  // asserts that there was room
  write_headers(packet, path, flow, udp_bytes, sum);
  packet.tx.fill_udp_checksum = device_sums;
  ++counters_.datagrams_sent;
  counters_.bytes_sent += bytes;
  return MR_LIKELY(joins_answers(question.frame)) ? Sent::Copied : enqueue_answer(now, question.frame, bytes);
}

/// It cannot leave with the others in one run.
MR_COLD Sent HostStack::enqueue_answer(Instant now, std::size_t frame, std::uint32_t bytes) noexcept {
  if (enqueue(now, rx_[frame])) {
    return Sent::Copied;
  }
  --counters_.datagrams_sent;
  counters_.bytes_sent -= bytes;
  return Sent::Dropped;
}

MR_COLD Sent HostStack::answer_long_way(Instant now, const Datagram& question, std::uint32_t bytes) noexcept {
  MR_ASSERT(bytes <= question.room.size());
  const Slice slice{.data = reinterpret_cast<const char*>(question.room.data()), .size = bytes};
  return send(now, {.flow = question.key().reversed(), .slices = {&slice, 1}, .may_lend = false});
}

bool HostStack::send_plain(Instant now, const OutDatagram& datagram, std::uint32_t payload_bytes) noexcept {
  const wire::FlowKey& flow = datagram.flow;
  const Path& path = paths_.of(flow.destination);
  if (MR_UNLIKELY(path.peer != flow.destination ||
                  !is_open(path, now, payload_bytes + wire::kIpv4Bytes + wire::kUdpBytes) || !flow.source.is_v4() ||
                  !flow.destination.is_v4() || flow.source.v4_word() == 0 || lends(datagram) || !has_fresh(now))) {
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
  const PlainFlow words{.addresses = std::uint64_t{flow.destination.v4_word()} << 32 | flow.source.v4_word(),
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

/// The end of our MAC address, and IPv4 or the tag before it.
std::uint64_t HostStack::plain_word1() const noexcept {
  const std::uint32_t behind = headers_bytes_ == kPlainHeadersBytes
                                   ? kTypeAndVersion
                                   : network(wire::kEtherTypeVlan) | std::uint32_t{network(options_.vlan)} << 16;
  return own_mac_ >> 16 | std::uint64_t{behind} << 32;
}

/// The first headers_bytes_ of a packet, and what the device shall do besides.
inline void HostStack::write_headers(buf::Packet& packet, const Path& path, const PlainFlow& flow,
                                     std::uint32_t udp_bytes, std::uint16_t udp_sum) const noexcept {
  std::byte* const frame = packet.first().data();
  std::byte* ip = frame + kIpAt;
  store(frame, path.way);
  store(frame + 8, plain_word1_);
  if (MR_UNLIKELY(headers_bytes_ != kPlainHeadersBytes)) {
    store(frame + 16, kTypeAndVersion);
    ip += wire::kVlanTagBytes;
  }
  const std::uint64_t word2 = kOurWord2 | network(udp_bytes + static_cast<std::uint32_t>(wire::kIpv4Bytes));
  const std::uint64_t ip_words = wire::add_ones(word2, address_sum(flow.addresses) + (kTypeAndVersion >> 16));
  const auto ip_sum = static_cast<std::uint16_t>(~wire::fold_ones(ip_words));
  store(ip + 2, word2);
  store(ip + 10, capabilities_.tx_ip_checksum ? std::uint16_t{0} : ip_sum);
  store(ip + 12, flow.addresses);
  store(ip + wire::kIpv4Bytes,
        std::uint64_t{flow.ports} | std::uint64_t{network(udp_bytes)} << 32 | std::uint64_t{udp_sum} << 48);
  packet.tx = plain_wishes_;
}

}  // namespace millrace::stack
