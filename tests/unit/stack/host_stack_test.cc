// dataplane/stack/host_stack.h: two hosts on a simulated wire, and hand-made frames at one.
#include <gtest/gtest.h>

#include <algorithm>

#include "support/stack_world.h"

namespace millrace::tests {
namespace {

using wire::Drop;

constexpr std::uint16_t kServerPort = 11211;
constexpr std::uint16_t kClientPort = 40000;

wire::FlowKey flow_v4() {
  return {.destination = v4(10, 0, 0, 2), .source_port = kClientPort, .destination_port = kServerPort};
}
wire::FlowKey flow_v6() { return {.destination = v6(2), .source_port = kClientPort, .destination_port = kServerPort}; }

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>('a' + i * 7 % 23);
  }
  return bytes;
}

/// A client (1) and an echoing server (2).
struct Pair {
  explicit Pair(const SimWireOptions& wire = {}, const HostOptions& host = {})
      : world(wire), client(world.add(1, host)), server(world.add(2, host)) {
    EXPECT_TRUE(client.stack.bind_udp(kClientPort));
    EXPECT_TRUE(server.stack.bind_udp(kServerPort));
    server.echoes = true;
  }
  /// Sends and waits for the echo.
  bool echoes(const wire::FlowKey& flow, const std::string& bytes) {
    client.received.clear();
    EXPECT_NE(client.send(world.now, flow, bytes, 77), stack::Sent::Dropped);
    return world.until([&] { return !client.received.empty(); }) && client.received.front().bytes == bytes;
  }
  void expect_no_leak() {
    world.run(seconds(2));
    EXPECT_EQ(client.port.free_buffers(), 512U);
    EXPECT_EQ(server.port.free_buffers(), 512U);
  }

  StackWorld world;
  SimHost& client;
  SimHost& server;
};

TEST(HostStack, EchoesOverBothFamilies) {
  Pair pair;
  EXPECT_TRUE(pair.echoes(flow_v4(), "hello"));
  EXPECT_EQ(pair.server.received.front().flow.source, v4(10, 0, 0, 1));
  EXPECT_TRUE(pair.echoes(flow_v6(), "hello"));
  EXPECT_EQ(pair.client.received.front().flow.source, v6(2));
  EXPECT_TRUE(pair.echoes(flow_v4(), ""));
  EXPECT_GE(pair.client.stack.counters().neighbors_asked, 2U);
  pair.expect_no_leak();
}

/// An answer goes out in its question's packet once the peer was looked at; the order of answers does not matter, and
/// what the port does not take at once leaves later.
TEST(HostStack, AnswersInTheQuestionsPacket) {
  Pair pair;
  pair.server.echoes = false;
  ASSERT_NE(pair.client.send(pair.world.now, flow_v4(), "first"), stack::Sent::Dropped);
  ASSERT_TRUE(pair.world.until([&] { return !pair.server.received.empty(); }));
  for (int i = 0; i < 2; ++i) {  // the first waits for the neighbour
    ASSERT_NE(pair.server.send(pair.world.now, pair.server.received.front().flow.reversed(), "hello"),
              stack::Sent::Dropped);
    pair.world.run(milliseconds(5));
  }
  pair.client.received.clear();
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(pair.client.send(pair.world.now, flow_v4(), bytes_of(20 + static_cast<std::size_t>(i))),
              stack::Sent::Copied);
  }
  pair.client.stack.flush(pair.world.now);
  pair.world.now = pair.world.now + milliseconds(1);
  stack::Datagram asked[stack::HostStack::kBurst];
  ASSERT_EQ(pair.server.stack.poll(pair.world.now, asked), 8U);
  const std::size_t free_before = pair.server.port.free_buffers();
  pair.server.port.tx_room = 3;
  for (const int i : {2, 3, 4, 1, 0, 7, 6}) {
    ASSERT_GE(asked[i].room.size(), 1400U);
    const std::string text = "answer " + std::to_string(i);
    std::copy_n(text.data(), text.size(), reinterpret_cast<char*>(asked[i].room.data()));
    ASSERT_EQ(pair.server.stack.answer(pair.world.now, asked[i], static_cast<std::uint32_t>(text.size())),
              stack::Sent::Copied);
  }
  EXPECT_EQ(pair.server.port.free_buffers(), free_before);  // no packet was taken for them
  pair.server.stack.flush(pair.world.now);
  pair.world.run(milliseconds(1));
  EXPECT_EQ(pair.client.received.size(), 3U);
  pair.server.port.tx_room = SIZE_MAX;
  pair.world.run(milliseconds(5));
  ASSERT_EQ(pair.client.received.size(), 7U);
  std::vector<std::string> got;
  for (const auto& received : pair.client.received) {
    got.push_back(received.bytes);
    EXPECT_EQ(received.flow.source, v4(10, 0, 0, 2));
  }
  std::ranges::sort(got);
  EXPECT_EQ(got, (std::vector<std::string>{"answer 0", "answer 1", "answer 2", "answer 3", "answer 4", "answer 6",
                                           "answer 7"}));
  pair.expect_no_leak();
}

/// A neighbour that moved, or a path that became narrow, between question and answer: the answer takes the long way.
TEST(HostStack, AnswersInRoomWhenTheWayIsNoLongerKnown) {
  Pair pair;
  pair.server.echoes = false;
  EXPECT_NE(pair.client.send(pair.world.now, flow_v4(), "first"), stack::Sent::Dropped);
  ASSERT_TRUE(pair.world.until([&] { return !pair.server.received.empty(); }));
  pair.client.received.clear();
  EXPECT_NE(pair.client.send(pair.world.now, flow_v4(), "second"), stack::Sent::Dropped);
  pair.client.stack.flush(pair.world.now);
  pair.world.now = pair.world.now + milliseconds(1);
  stack::Datagram asked[stack::HostStack::kBurst];
  ASSERT_EQ(pair.server.stack.poll(pair.world.now, asked), 1U);
  ASSERT_FALSE(asked[0].room.empty());
  std::ranges::fill(asked[0].room, std::byte{'r'});
  // Nothing was sent to this client yet, so no way to it was noted.
  EXPECT_EQ(pair.server.stack.answer(pair.world.now, asked[0], 100), stack::Sent::Copied);
  EXPECT_TRUE(pair.world.until([&] { return !pair.client.received.empty(); }));
  EXPECT_EQ(pair.client.received.front().bytes, std::string(100, 'r'));
  pair.expect_no_leak();
}

TEST(HostStack, CutsAndJoinsWhatIsLongerThanTheMtu) {
  Pair pair;
  for (const std::size_t size : {1472U, 1473U, 1452U, 1453U, 2960U, 8000U, 20000U}) {
    EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(size))) << size;
    EXPECT_TRUE(pair.echoes(flow_v6(), bytes_of(size))) << size;
  }
  EXPECT_EQ(pair.client.send(pair.world.now, flow_v4(), bytes_of(65'508)), stack::Sent::Dropped);
  EXPECT_EQ(pair.client.drops(Drop::DatagramTooLong), 1U);
  EXPECT_GT(pair.server.stack.counters().datagrams_reassembled, 0U);
  EXPECT_EQ(pair.server.stack.counters().drops.of(Drop::FragmentOverlap), 0U);
  pair.expect_no_leak();
}

TEST(HostStack, CarriesTheLongestDatagram) {
  Pair pair;
  EXPECT_TRUE(pair.echoes(flow_v4(), "first"));  // more fragments than may wait for an address
  EXPECT_TRUE(pair.echoes(flow_v6(), "first"));
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(65'507)));
  EXPECT_TRUE(pair.echoes(flow_v6(), bytes_of(65'527)));
  pair.expect_no_leak();
}

TEST(HostStack, SendsJumboFramesWhole) {
  Pair pair({}, {.port = {.mtu = 9000}});
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(8972)));
  EXPECT_TRUE(pair.echoes(flow_v6(), bytes_of(8952)));
  EXPECT_EQ(pair.client.stack.counters().fragments_sent, 0U);
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(8973)));
  EXPECT_EQ(pair.client.stack.counters().fragments_sent, 2U);
}

TEST(HostStack, LeavesToTheDeviceWhatItOffers) {
  const port::PortCapabilities able{
      .tx_ip_checksum = true, .tx_udp_checksum = true, .vlan_strip = true, .vlan_insert = true};
  Pair pair({}, {.port = able, .stack = {.vlan = 42}});
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(777)));
  EXPECT_TRUE(pair.echoes(flow_v6(), bytes_of(778)));
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(5000)));
}

TEST(HostStack, TagsAndUntagsItself) {
  Pair pair({}, {.stack = {.vlan = 42}});
  EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(1472)));
  SimHost& other = pair.world.add(3, {.stack = {.vlan = 43}});
  EXPECT_NE(other.send(pair.world.now, flow_v4(), "x"), stack::Sent::Dropped);
  pair.world.run(milliseconds(10));
  EXPECT_GT(pair.server.drops(Drop::VlanOther), 0U);
  EXPECT_EQ(pair.server.received.size(), 1U);
}

TEST(HostStack, JoinsFramesThatComeInSegments) {
  HostOptions options{.port = {.mtu = 9000, .tx_segments_max = 16, .external_max = 256, .rx_scatter = true}};
  Pair pair({}, options);
  for (const std::uint16_t segment : std::initializer_list<std::uint16_t>{1500, 700, 60}) {
    pair.server.port.scatter_bytes = segment;
    EXPECT_TRUE(pair.echoes(flow_v4(), bytes_of(8000))) << segment;
  }
  EXPECT_GT(pair.server.stack.counters().frames_joined, 0U);
}

TEST(HostStack, LendsLargeSlicesAndTellsTheirTokenOnce) {
  const HostOptions options{.port = {.tx_segments_max = 4, .external_max = 16}, .stack = {.zero_copy_bytes_min = 1000}};
  Pair pair({}, options);
  const std::string head = "VALUE k 0 1300\r\n";
  const std::string value = bytes_of(1300);
  const std::string tail = "\r\nEND\r\n";
  const auto slice = [](const std::string& text) {
    return dataplane::Slice{.data = text.data(), .size = static_cast<std::uint32_t>(text.size())};
  };
  const dataplane::Slice slices[] = {slice(head), slice(value), slice(tail)};
  for (std::uint64_t token = 1; token <= 40; ++token) {
    EXPECT_EQ(pair.client.stack.send(pair.world.now, {.flow = flow_v4(), .slices = slices, .token = token}),
              stack::Sent::Lent);
    pair.world.run(milliseconds(1));
  }
  EXPECT_EQ(pair.client.received.size(), 40U);
  EXPECT_EQ(pair.client.received.back().bytes, head + value + tail);
  std::vector<std::uint64_t> released = pair.client.released;
  std::ranges::sort(released);
  ASSERT_EQ(released.size(), 40U);
  for (std::uint64_t token = 1; token <= 40; ++token) {
    EXPECT_EQ(released[token - 1], token);
  }
  // More at once than the port can hold: the rest is copied, and still arrives.
  std::size_t lent = 0;
  for (std::uint64_t token = 100; token < 120; ++token) {
    const auto sent = pair.client.stack.send(pair.world.now, {.flow = flow_v4(), .slices = slices, .token = token});
    ASSERT_NE(sent, stack::Sent::Dropped);
    lent += sent == stack::Sent::Lent ? 1 : 0;
  }
  EXPECT_LT(lent, 20U);
  pair.world.run(milliseconds(5));
  EXPECT_EQ(pair.client.received.size(), 60U);
  EXPECT_EQ(pair.client.released.size(), 40U + lent);
  pair.expect_no_leak();
}

TEST(HostStack, RefusesClosedPortsByIcmpAtALimitedRate) {
  Pair pair({}, {.stack = {.icmp_errors_per_second = 10, .icmp_errors_burst = 5}});
  EXPECT_TRUE(pair.echoes(flow_v4(), "x"));
  wire::FlowKey closed = flow_v4();
  closed.destination_port = 9;
  for (int i = 0; i < 20; ++i) {
    pair.client.send(pair.world.now, closed, "anybody?");
  }
  pair.world.run(milliseconds(5));
  EXPECT_EQ(pair.server.drops(Drop::UdpNoPort), 20U);
  EXPECT_EQ(pair.server.stack.counters().icmp_errors_sent, 5U);
  EXPECT_EQ(pair.server.drops(Drop::IcmpErrorLimited), 15U);
  EXPECT_EQ(pair.client.stack.counters().icmp_errors_received, 5U);
  wire::FlowKey closed_v6 = flow_v6();
  closed_v6.destination_port = 9;
  pair.world.run(seconds(1));
  pair.client.send(pair.world.now, closed_v6, "anybody?");
  pair.world.run(milliseconds(5));
  EXPECT_EQ(pair.client.stack.counters().icmp_errors_received, 6U);
}

TEST(HostStack, GivesUpNeighborsThatDoNotAnswer) {
  Pair pair;
  wire::FlowKey nobody = flow_v4();
  nobody.destination = v4(10, 0, 0, 99);
  for (int i = 0; i < 20; ++i) {
    pair.client.send(pair.world.now, nobody, "x");
  }
  EXPECT_EQ(pair.client.drops(Drop::NeighborQueueFull), 4U);
  pair.world.run(milliseconds(3500));
  EXPECT_EQ(pair.client.drops(Drop::NeighborUnreachable), 16U);
  EXPECT_EQ(pair.client.send(pair.world.now, nobody, "x"), stack::Sent::Dropped);
  EXPECT_EQ(pair.client.drops(Drop::NeighborUnreachable), 17U);
  nobody.destination = v4(192, 168, 0, 1);
  EXPECT_EQ(pair.client.send(pair.world.now, nobody, "x"), stack::Sent::Dropped);
  EXPECT_EQ(pair.client.drops(Drop::NoRoute), 1U);
  pair.expect_no_leak();
}

TEST(HostStack, KeepsWhatAFullPortDoesNotTakeAndDropsWhatDoesNotFit) {
  Pair pair;
  EXPECT_TRUE(pair.echoes(flow_v4(), "x"));
  pair.client.port.tx_room = 3;
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(pair.client.send(pair.world.now, flow_v4(), "y"), stack::Sent::Copied);
  }
  pair.world.run(milliseconds(2));
  EXPECT_EQ(pair.server.received.size(), 4U);
  pair.client.port.tx_room = SIZE_MAX;
  pair.world.run(milliseconds(2));
  EXPECT_EQ(pair.server.received.size(), 11U);
  pair.client.port.tx_room = 0;
  const std::uint64_t sent = pair.client.stack.counters().datagrams_sent;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(pair.client.send(pair.world.now, flow_v4(), "z"), i < 256 ? stack::Sent::Copied : stack::Sent::Dropped);
  }
  EXPECT_EQ(pair.client.drops(Drop::TxQueueFull), 300U - 256U);
  EXPECT_EQ(pair.client.stack.counters().datagrams_sent, sent + 256) << "what was dropped was not sent";
  pair.client.port.tx_room = SIZE_MAX;
  pair.expect_no_leak();
}

TEST(HostStack, SurvivesAPoolRunDry) {
  Pair pair;
  EXPECT_TRUE(pair.echoes(flow_v4(), "x"));
  std::vector<buf::Packet> all(512);
  all.resize(pair.client.port.alloc(all));
  EXPECT_EQ(pair.client.send(pair.world.now, flow_v4(), "y"), stack::Sent::Dropped);
  EXPECT_EQ(pair.client.drops(Drop::NoBuffer), 1U);
  all.clear();
  EXPECT_TRUE(pair.echoes(flow_v4(), "again"));
  pair.expect_no_leak();
}

TEST(HostStack, AnnouncesItselfAtTheStartAndWhenTheLinkComesBack) {
  Pair pair;
  pair.world.run(seconds(5));
  const std::uint64_t at_start = pair.client.stack.counters().announcements_sent;
  EXPECT_EQ(at_start, 6U);  // twice, for each of its three addresses
  pair.client.port.state = port::LinkState::Down;
  pair.world.run(milliseconds(10));
  pair.client.port.state = port::LinkState::Up;
  pair.world.run(seconds(5));
  EXPECT_EQ(pair.client.stack.counters().announcements_sent, 2 * at_start);
  EXPECT_TRUE(pair.echoes(flow_v4(), "back"));
}

}  // namespace
}  // namespace millrace::tests
