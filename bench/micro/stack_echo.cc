// What our own network stack costs a request: a burst of frames with UDP datagrams in, as many answers out, through
// StackTransport, over a port that is memory and does nothing.
// Arguments: peers; whether the device sums (0: memif, where software has to; 1: a card); whether the questions have a
// checksum; and where the answer is written (0: the worker's memory, 1: the room that the question came with).

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/assert.h"
#include "dataplane/ip/output.h"
#include "dataplane/stack/stack_transport.h"
#include "dataplane/udp/output.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"

namespace {

using namespace millrace;  // a benchmark, included by nobody

constexpr std::size_t kBurst = 64;
constexpr std::uint16_t kServed = 11211;
constexpr std::uint16_t kBufferBytes = 2048;
constexpr std::uint16_t kHeadroom = 128;
constexpr std::string_view kQuestion = "\0\1\0\0\0\1\0\0get a_key_of_twenty_four_byt\r\n";
constexpr wire::MacAddress kOurMac = {2, 0, 0, 0, 0, 1};
constexpr wire::MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
const wire::IpAddress kOurs = wire::IpAddress::v4(0x0a00'0001);

wire::IpAddress peer_of(std::uint32_t n) { return wire::IpAddress::v4(0x0a00'0100 + n); }

/// Hands out frames that are there already, and lets those to be sent vanish.
class MemoryPort final : public port::FramePort {
 public:
  explicit MemoryPort(bool sums)
      : capabilities_{.mac = kOurMac, .headroom_bytes = kHeadroom, .buffer_bytes = kBufferBytes - kHeadroom},
        sent_(kBurst * 4, std::vector<std::byte>(kBufferBytes)) {
    capabilities_.rx_ip_checksum = capabilities_.rx_l4_checksum = sums;
    capabilities_.tx_ip_checksum = capabilities_.tx_udp_checksum = sums;
    for (auto& buffer : sent_) {
      free_.push_back(buffer.data());
    }
  }

  /// A frame that comes each time round.
  void add(std::vector<std::byte> frame) { frames_.push_back(std::move(frame)); }
  void clear() {
    frames_.clear();
    next_ = 0;
  }
  std::uint64_t bytes_sent = 0;

  std::size_t rx_burst(Instant, std::span<buf::Packet> out) noexcept override {
    const std::size_t count = std::min(out.size(), frames_.size());
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::byte>& frame = frames_[next_];
      next_ = next_ + 1 == frames_.size() ? 0 : next_ + 1;
      // Each comes in a buffer of its own, as from a ring.
      std::byte* buffer = take_buffer();
      std::memcpy(buffer + kHeadroom, frame.data(), frame.size());
      out[i] = buf::Packet(*this, buffer, {buffer + kHeadroom, frame.size()}, kHeadroom,
                           static_cast<std::uint16_t>(kBufferBytes - kHeadroom - frame.size()));
      if (capabilities_.rx_l4_checksum) {
        out[i].rx.ip_checksum = out[i].rx.l4_checksum = buf::ChecksumState::Good;
      }
    }
    return count;
  }
  std::size_t tx_burst(Instant, std::span<buf::Packet> packets) noexcept override {
    for (buf::Packet& packet : packets) {
      bytes_sent += packet.size();
      free_.push_back(static_cast<std::byte*>(packet.detach()));
    }
    return packets.size();
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override {
    for (buf::Packet& packet : out) {
      std::byte* buffer = take_buffer();
      packet = buf::Packet(*this, buffer, {buffer + kHeadroom, std::size_t{0}}, kHeadroom, kBufferBytes - kHeadroom);
    }
    return out.size();
  }
  Status attach(buf::Packet&, std::span<const std::byte>, std::uint64_t) noexcept override {
    return Status::Unsupported;
  }
  std::size_t take_released(std::span<std::uint64_t>) noexcept override { return 0; }
  port::LinkState link() const noexcept override { return port::LinkState::Up; }
  const port::PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  const port::PortCounters& counters() const noexcept override { return counters_; }
  void release(std::span<void* const> origins) noexcept override {
    for (void* origin : origins) {
      free_.push_back(static_cast<std::byte*>(origin));
    }
  }
  buf::SegmentView next_segment(void*) const noexcept override { return {}; }

 private:
  std::byte* take_buffer() noexcept {
    MR_ASSERT(!free_.empty());
    std::byte* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }

  port::PortCapabilities capabilities_;
  port::PortCounters counters_;
  std::vector<std::vector<std::byte>> frames_;
  std::size_t next_ = 0;
  std::vector<std::vector<std::byte>> sent_;
  std::vector<std::byte*> free_;
};

std::vector<std::byte> question_from(const wire::IpAddress& peer, std::uint16_t port, bool is_summed) {
  std::vector<std::byte> frame(wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes + kQuestion.size());
  wire::write_ethernet(frame.data(), {.destination = kOurMac, .source = kPeerMac, .type = wire::kEtherTypeIpv4});
  std::byte* at = frame.data() + wire::kEthernetBytes;
  wire::write_ipv4(at, {.protocol = wire::kProtocolUdp,
                        .dont_fragment = true,
                        .total_bytes = static_cast<std::uint16_t>(frame.size() - wire::kEthernetBytes),
                        .source = peer,
                        .destination = kOurs});
  wire::fill_ipv4_checksum(at);
  const dataplane::Slice slice{kQuestion.data(), static_cast<std::uint32_t>(kQuestion.size())};
  udp::write_udp_for(at + wire::kIpv4Bytes,
                     {.source = peer, .destination = kOurs, .source_port = port, .destination_port = kServed},
                     static_cast<std::uint16_t>(wire::kUdpBytes + kQuestion.size()), {&slice, 1}, false);
  if (!is_summed) {
    wire::store_be16(at + wire::kIpv4Bytes + 6, 0);
  }
  std::memcpy(at + wire::kIpv4Bytes + wire::kUdpBytes, kQuestion.data(), kQuestion.size());
  return frame;
}

/// ARP from the peer: from a request the stack learns its address, with a reply it believes it.
std::vector<std::byte> arp_from(const wire::IpAddress& peer, wire::ArpOperation operation) {
  std::vector<std::byte> frame(wire::kFrameBytesMin);
  wire::write_ethernet(frame.data(), {.destination = kOurMac, .source = kPeerMac, .type = wire::kEtherTypeArp});
  wire::write_arp(
      frame.data() + wire::kEthernetBytes,
      {.operation = operation, .sender_mac = kPeerMac, .sender_ip = peer, .target_mac = kOurMac, .target_ip = kOurs});
  return frame;
}

struct Rig {
  Rig(std::uint32_t peers, bool sums, bool asks_with_sums, bool takes_room) : uses_room(takes_room), port(sums) {
    ip::HostAddresses addresses(kOurMac);
    MR_ASSERT(addresses.add(ip::HostAddress::v4(0x0a00'0001, 16)));
    transport = std::move(*stack::StackTransport::create(port, addresses, {.ports = {kServed}}));
    // A few at a time: a host asks for no more than some neighbours at once.
    for (std::uint32_t i = 0; i < peers; ++i) {
      port.add(arp_from(peer_of(i), wire::ArpOperation::Request));
      turn_through();
      port.add(question_from(peer_of(i), 40'000, true));
      turn_through();  // so that it asks
      port.add(arp_from(peer_of(i), wire::ArpOperation::Reply));
      turn_through();
    }
    for (std::uint32_t i = 0; i < std::max<std::uint32_t>(peers, kBurst); ++i) {
      port.add(question_from(peer_of(i % peers), static_cast<std::uint16_t>(40'000 + i % 50), asks_with_sums));
    }
    asked_before = transport->stack().counters().datagrams_sent;
  }

  void turn_through() {
    turn();
    port.clear();
    turn();
  }

  /// One turn of a worker that answers each question with a head and a value.
  [[gnu::noinline]] std::size_t turn() {
    static const std::string head = std::string("\0\1\0\0\0\1\0\0VALUE a_key_of_twenty_four_byt 0 64\r\n", 48);
    static const std::string value = std::string(64, 'v') + "\r\nEND\r\n";
    const std::size_t count = transport->poll(now, events, {});
    for (std::size_t i = 0; i < count; ++i) {
      if (uses_room && !events[i].room.empty()) {
        std::memcpy(events[i].room.data(), head.data(), head.size());
        std::memcpy(events[i].room.data() + head.size(), value.data(), value.size());
        ops[i] = {.kind = dataplane::TxKind::SendDatagram,
                  .room_bytes = static_cast<std::uint32_t>(head.size() + value.size()),
                  .flow = events[i].flow};
        continue;
      }
      slices[i] = {dataplane::Slice{head.data(), static_cast<std::uint32_t>(head.size())},
                   dataplane::Slice{value.data(), static_cast<std::uint32_t>(value.size())}};
      ops[i] = {.kind = dataplane::TxKind::SendDatagram, .slices = slices[i], .flow = events[i].flow};
    }
    transport->submit(now, {ops.data(), count});
    return count;
  }

  const bool uses_room;
  Instant now = Instant{} + seconds(1);
  std::uint64_t asked_before = 0;
  MemoryPort port;
  std::unique_ptr<stack::StackTransport> transport;
  std::array<dataplane::Event, 128> events{};
  std::array<dataplane::TxOp, 128> ops{};
  std::array<std::array<dataplane::Slice, 2>, 128> slices{};
};

void stack_echo(benchmark::State& state) {
  Rig rig(static_cast<std::uint32_t>(state.range(0)), state.range(1) != 0, state.range(2) != 0, state.range(3) != 0);
  std::uint64_t count = 0;
  for (auto _ : state) {
    count += rig.turn();
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(count));
  const stack::StackCounters& counters = rig.transport->stack().counters();
  if (counters.datagrams_sent - rig.asked_before != count ||
      count != kBurst * static_cast<std::uint64_t>(state.iterations()) || counters.drops.total() != 0) {
    state.SkipWithError("not every question was answered");
  }
}
BENCHMARK(stack_echo)
    ->Args({1, 0, 1, 0})
    ->Args({1, 0, 1, 1})
    ->Args({1, 0, 0, 1})
    ->Args({1, 1, 1, 0})
    ->Args({1, 1, 1, 1})
    ->Args({256, 0, 1, 1})
    ->Args({256, 1, 1, 1});

}  // namespace

BENCHMARK_MAIN();
