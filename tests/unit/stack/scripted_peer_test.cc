// dataplane/stack/host_stack.h against a peer whose every frame is written by the test: routers that fail over or want
// smaller datagrams, pings, strangers.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "dataplane/udp/output.h"
#include "dataplane/wire/icmpv4.h"
#include "dataplane/wire/icmpv6.h"
#include "dataplane/wire/ndp.h"
#include "support/stack_world.h"

namespace millrace::tests {
namespace {

using wire::Drop;
using wire::IpAddress;
using wire::MacAddress;
using Frame = SimWire::Frame;

constexpr MacAddress kRouterA = {2, 0, 0, 0, 0, 0xa};
constexpr MacAddress kRouterB = {2, 0, 0, 0, 0, 0xb};

Frame frame_of(const MacAddress& to, const MacAddress& from, std::uint16_t type, std::span<const std::byte> payload) {
  Frame frame(wire::kEthernetBytes);
  wire::write_ethernet(frame.data(), {.destination = to, .source = from, .type = type});
  frame.insert(frame.end(), payload.begin(), payload.end());
  frame.resize(std::max<std::size_t>(frame.size(), 60));
  return frame;
}

Frame datagram_of(const ip::OutHeader& header, const std::vector<std::byte>& payload) {
  buf::PacketPool pool({.buffers = 1, .buffer_bytes = 9000});
  buf::Packet packet;
  (void)pool.alloc({&packet, 1});
  std::ranges::copy(payload, packet.append(static_cast<std::uint16_t>(payload.size())).begin());
  ip::prepend_ip(packet, header, {.bytes = static_cast<std::uint32_t>(payload.size())}, 0, false);
  return {packet.first().begin(), packet.first().end()};
}

Frame udp_datagram(const wire::FlowKey& flow, const std::string& text) {
  std::vector<std::byte> bytes(wire::kUdpBytes + text.size());
  const dataplane::Slice slice{.data = text.data(), .size = static_cast<std::uint32_t>(text.size())};
  udp::write_udp_for(bytes.data(), flow, static_cast<std::uint16_t>(bytes.size()), {&slice, 1}, false);
  std::memcpy(bytes.data() + wire::kUdpBytes, text.data(), text.size());
  return datagram_of({.source = flow.source, .destination = flow.destination, .protocol = wire::kProtocolUdp}, bytes);
}

Frame icmp_datagram(const IpAddress& source, const IpAddress& destination, const wire::IcmpHeader& header,
                    std::span<const std::byte> body) {
  std::vector<std::byte> bytes(wire::kIcmpBytes);
  wire::write_icmp(bytes.data(), header);
  bytes.insert(bytes.end(), body.begin(), body.end());
  wire::ChecksumSum sum;
  if (!source.is_v4()) {
    sum.add_pseudo_header(source, destination, wire::kProtocolIcmpv6, static_cast<std::uint32_t>(bytes.size()));
  }
  sum.add(bytes);
  wire::store_be16(bytes.data() + 2, sum.checksum());
  return datagram_of({.source = source,
                      .destination = destination,
                      .protocol = source.is_v4() ? wire::kProtocolIcmpv4 : wire::kProtocolIcmpv6},
                     bytes);
}

class ScriptedPeer : public testing::Test {
 protected:
  ScriptedPeer() : outside(cable, {.mtu = 9000}), host(cable, 2, {}, with_gateways()) {
    host.echoes = true;
    EXPECT_TRUE(host.stack.bind_udp(7));
    cable.keeps_seen = true;
    pass(seconds(5));  // it has announced itself
    forget_seen();
  }
  static ip::HostAddresses with_gateways() {
    ip::HostAddresses addresses = addresses_of(2);
    EXPECT_TRUE(addresses.add_gateway(v4(10, 0, 0, 1)) && addresses.add_gateway(v6(1)));
    return addresses;
  }
  void pass(Duration time, Duration step = milliseconds(1)) {
    for (const Instant end = now + time; now < end;) {
      now = now + step;
      host.turn(now);
      answer_arp();
    }
  }
  /// Every ARP request is answered by the router that lives, if the frame reaches it.
  void answer_arp() {
    for (; looked_at < cable.seen.size(); ++looked_at) {
      const Frame frame = cable.seen[looked_at];
      const auto ethernet = wire::parse_ethernet(frame);
      const auto arp = wire::parse_arp(std::span(frame).subspan(14));
      if (ethernet->source != host_mac || ethernet->type != wire::kEtherTypeArp || !router ||
          arp->target_ip != v4(10, 0, 0, 1) ||
          (ethernet->destination != *router && ethernet->destination != wire::kBroadcastMac)) {
        continue;
      }
      std::byte reply[wire::kArpBytes];
      wire::write_arp(reply, {.operation = wire::ArpOperation::Reply,
                              .sender_mac = *router,
                              .sender_ip = v4(10, 0, 0, 1),
                              .target_mac = host_mac,
                              .target_ip = v4(10, 0, 0, 2)});
      put(frame_of(host_mac, *router, wire::kEtherTypeArp, reply));
    }
  }
  void put(Frame frame) { cable.put(now, &outside, std::move(frame)); }
  void forget_seen() {
    cable.seen.clear();
    looked_at = 0;
  }
  void puts_ip(const MacAddress& from, const Frame& datagram, bool is_v4 = true) {
    put(frame_of(host_mac, from, is_v4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6, datagram));
  }
  /// The last frame that the host sent to `to`.
  std::optional<Frame> last_sent(const MacAddress& to) {
    for (auto frame = cable.seen.rbegin(); frame != cable.seen.rend(); ++frame) {
      const auto ethernet = wire::parse_ethernet(*frame);
      if (ethernet->source == host_mac && ethernet->destination == to) {
        return *frame;
      }
    }
    return std::nullopt;
  }
  bool sends_udp_to(const MacAddress& to) {
    const auto frame = last_sent(to);
    return frame && wire::parse_ethernet(*frame)->type == wire::kEtherTypeIpv4;
  }

  SimWire cable{{}};
  SimPort outside;
  SimHost host;
  Instant now = Instant{} + seconds(1);
  std::size_t looked_at = 0;
  std::optional<MacAddress> router = kRouterA;
  const MacAddress host_mac = mac_of(2);
  const IpAddress us = v4(10, 0, 0, 2);
  const IpAddress far = v4(192, 168, 5, 5);
  const wire::FlowKey request{.source = far, .destination = us, .source_port = 4000, .destination_port = 7};
};

TEST_F(ScriptedPeer, AnswersThroughTheGatewayAndFollowsItsFailover) {
  puts_ip(kRouterA, udp_datagram(request, "one"));
  pass(milliseconds(5));
  EXPECT_TRUE(sends_udp_to(kRouterA));
  // The other router takes over without a word; only where requests come from tells of it.
  pass(seconds(5));
  router = kRouterB;
  forget_seen();
  const Instant failed_at = now;
  while (!sends_udp_to(kRouterB) && now - failed_at < seconds(5)) {
    puts_ip(kRouterB, udp_datagram(request, "two"));
    pass(milliseconds(20));
  }
  EXPECT_LT(now - failed_at, seconds(1));
}

TEST_F(ScriptedPeer, AForgedGatewayGetsNothing) {
  puts_ip(kRouterA, udp_datagram(request, "one"));
  pass(seconds(2));
  forget_seen();
  for (int i = 0; i < 50; ++i) {
    std::byte forged[wire::kArpBytes];
    wire::write_arp(forged, {.operation = i % 2 == 0 ? wire::ArpOperation::Reply : wire::ArpOperation::Request,
                             .sender_mac = kRouterB,
                             .sender_ip = v4(10, 0, 0, 1),
                             .target_mac = host_mac,
                             .target_ip = i % 4 == 1 ? us : v4(10, 0, 0, 1)});
    put(frame_of(i % 2 == 0 ? host_mac : wire::kBroadcastMac, kRouterB, wire::kEtherTypeArp, forged));
    pass(milliseconds(100));
    puts_ip(kRouterA, udp_datagram(request, "two"));
    pass(milliseconds(10));
  }
  EXPECT_FALSE(sends_udp_to(kRouterB));
  EXPECT_EQ(host.stack.neighbors().counters().changes, 0U);
}

TEST_F(ScriptedPeer, LowersThePathMtuOnlyForWhatItSent) {
  puts_ip(kRouterA, udp_datagram(request, std::string(1400, 'x')));
  pass(milliseconds(5));
  EXPECT_EQ(host.stack.counters().fragments_sent, 0U);
  const Frame sent = *last_sent(kRouterA);
  const auto quote = std::span<const std::byte>(sent).subspan(14, 28);
  const auto complain = [&](std::uint32_t mtu, std::span<const std::byte> quoted) {
    puts_ip(
        kRouterA,
        icmp_datagram(v4(172, 16, 0, 9), us,
                      {.type = wire::kIcmpv4Unreachable, .code = wire::kIcmpv4CodeFragNeeded, .rest = mtu}, quoted));
    pass(milliseconds(5));
  };
  std::vector<std::byte> forged(quote.begin(), quote.end());
  forged[20] ^= std::byte{1};  // of a port that is not open here
  complain(1000, forged);
  EXPECT_EQ(host.drops(Drop::IcmpNotOurs), 1U);
  complain(500, quote);
  EXPECT_EQ(host.drops(Drop::IcmpMtuRefused), 1U);
  EXPECT_EQ(host.stack.payload_bytes_max(now, far), 1472U);
  complain(1000, quote);
  EXPECT_EQ(host.stack.counters().path_mtu_lowered, 1U);
  EXPECT_EQ(host.stack.payload_bytes_max(now, far), 972U);
  puts_ip(kRouterA, udp_datagram(request, std::string(1400, 'x')));
  pass(milliseconds(5));
  EXPECT_EQ(host.stack.counters().fragments_sent, 2U);
  const auto header = wire::parse_ipv4(std::span<const std::byte>(*last_sent(kRouterA)).subspan(14));
  EXPECT_FALSE(header->dont_fragment);
  EXPECT_NE(header->id, 0);
  pass(seconds(601), milliseconds(500));
  EXPECT_EQ(host.stack.payload_bytes_max(now, far), 1472U);
}

TEST_F(ScriptedPeer, AnswersPingsUpToARate) {
  const std::string text = "0123456789";
  const auto body = std::as_bytes(std::span(text));
  for (int i = 0; i < 150; ++i) {
    puts_ip(kRouterA, icmp_datagram(far, us, {.type = wire::kIcmpv4EchoRequest, .rest = 0x00010002}, body));
  }
  pass(milliseconds(5));
  EXPECT_LT(host.stack.counters().echo_replies_sent, 110U);
  EXPECT_GE(host.stack.counters().echo_replies_sent, 100U);
  EXPECT_EQ(host.stack.counters().echo_replies_sent + host.drops(Drop::IcmpEchoLimited), 150U);
  const Frame reply = *last_sent(kRouterA);
  const auto icmp = wire::parse_icmp(std::span<const std::byte>(reply).subspan(34));
  EXPECT_EQ(icmp->type, wire::kIcmpv4EchoReply);
  EXPECT_EQ(icmp->rest, 0x00010002U);
  EXPECT_EQ(wire::checksum_of(std::span<const std::byte>(reply).subspan(34, 8 + text.size())), 0);
}

TEST_F(ScriptedPeer, CountsWhatItDoesNotSpeak) {
  const auto drops_of = [&](Drop why, const std::function<void()>& act) {
    const std::uint64_t before = host.drops(why);
    act();
    pass(milliseconds(2));
    return host.drops(why) - before;
  };
  const std::vector<std::byte> some(64);
  EXPECT_EQ(drops_of(Drop::EtherTypeUnknown, [&] { put(frame_of(host_mac, kRouterA, 0x88cc, some)); }), 1U);
  EXPECT_EQ(drops_of(Drop::FrameNotForUs, [&] { put(frame_of(kRouterB, kRouterA, 0x0800, some)); }), 1U);
  EXPECT_EQ(drops_of(Drop::FrameFromGroup, [&] { put(frame_of(host_mac, wire::kBroadcastMac, 0x0800, some)); }), 1U);
  EXPECT_EQ(drops_of(Drop::FrameFromGroup, [&] { put(frame_of(host_mac, host_mac, 0x0800, some)); }), 1U);
  EXPECT_EQ(drops_of(Drop::IpProtocolUnknown,
                     [&] {
                       puts_ip(kRouterA,
                               datagram_of({.source = far, .destination = us, .protocol = wire::kProtocolTcp}, some));
                     }),
            1U);
  EXPECT_EQ(drops_of(Drop::IpProtocolUnknown,
                     [&] { puts_ip(kRouterA, datagram_of({.source = far, .destination = us, .protocol = 4}, some)); }),
            1U);  // IP in IP
  EXPECT_EQ(drops_of(Drop::NdpRouter,
                     [&] {
                       puts_ip(kRouterA, icmp_datagram(v6(1), v6(2), {.type = wire::kIcmpv6RouterAdvertisement}, some),
                               false);
                     }),
            1U);
  EXPECT_EQ(drops_of(Drop::AddressConflict,
                     [&] {
                       std::byte claim[wire::kArpBytes];
                       wire::write_arp(claim, {.sender_mac = kRouterB, .sender_ip = us, .target_ip = us});
                       put(frame_of(wire::kBroadcastMac, kRouterB, wire::kEtherTypeArp, claim));
                     }),
            1U);
  wire::FlowKey from_nowhere = request;
  from_nowhere.source_port = 0;
  EXPECT_EQ(drops_of(Drop::UdpSourcePort, [&] { puts_ip(kRouterA, udp_datagram(from_nowhere, "x")); }), 1U);
}

TEST_F(ScriptedPeer, ZeroUdpChecksumsByFamily) {
  Frame datagram = udp_datagram(request, "unsummed");
  datagram[26] = datagram[27] = std::byte{0};
  puts_ip(kRouterA, datagram);
  pass(milliseconds(2));
  EXPECT_EQ(host.received.size(), 1U);
  const wire::FlowKey request6{.source = v6(1), .destination = v6(2), .source_port = 4000, .destination_port = 7};
  datagram = udp_datagram(request6, "unsummed");
  datagram[46] = datagram[47] = std::byte{0};
  puts_ip(kRouterA, datagram, false);
  pass(milliseconds(2));
  EXPECT_EQ(host.received.size(), 1U);
  EXPECT_EQ(host.drops(Drop::UdpChecksumMissing), 1U);
}

TEST_F(ScriptedPeer, BelievesTheDeviceAboutChecksums) {
  // A device says so packet by packet: T89, the offload states.
  class SayingPort final : public port::FramePort {
   public:
    SayingPort(SimPort& port, buf::ChecksumState says) : inner_(port), says_(says) {}
    std::size_t rx_burst(Instant at, std::span<buf::Packet> out) noexcept override {
      const std::size_t count = inner_.rx_burst(at, out);
      for (buf::Packet& packet : out.first(count)) {
        packet.rx.l4_checksum = says_;
      }
      return count;
    }
    std::size_t tx_burst(Instant at, std::span<buf::Packet> packets) noexcept override {
      return inner_.tx_burst(at, packets);
    }
    std::size_t alloc(std::span<buf::Packet> out) noexcept override { return inner_.alloc(out); }
    Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override {
      return inner_.attach(packet, bytes, token);
    }
    std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override {
      return inner_.take_released(tokens);
    }
    [[nodiscard]] port::LinkState link() const noexcept override { return inner_.link(); }
    [[nodiscard]] const port::PortCapabilities& capabilities() const noexcept override { return inner_.capabilities(); }
    [[nodiscard]] const port::PortCounters& counters() const noexcept override { return inner_.counters(); }
    void release(std::span<void* const> origins) noexcept override { inner_.release(origins); }
    [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
      return inner_.next_segment(origin);
    }

   private:
    SimPort& inner_;
    buf::ChecksumState says_;
  };
  for (const auto& [says, is_broken, arrives] : {std::tuple{buf::ChecksumState::Good, true, true},
                                                 {buf::ChecksumState::Bad, false, false},
                                                 {buf::ChecksumState::Unknown, false, true},
                                                 {buf::ChecksumState::Unknown, true, false}}) {
    SimWire own({});
    SimPort peer(own, {});
    SimPort port(own, {.mac = host_mac});
    SayingPort saying(port, says);
    stack::HostStack stack(saying, addresses_of(2), {});
    ASSERT_TRUE(stack.bind_udp(7));
    Frame datagram = udp_datagram(request, "text");
    datagram.back() ^= std::byte{is_broken};
    own.put(now, &peer, frame_of(host_mac, kRouterA, wire::kEtherTypeIpv4, datagram));
    stack::Datagram out[4];
    EXPECT_EQ(stack.poll(now + seconds(1), out), arrives ? 1U : 0U);
    EXPECT_EQ(stack.counters().drops.of(Drop::UdpChecksum), arrives ? 0U : 1U);
  }
}

}  // namespace
}  // namespace millrace::tests
