// The short way of plain datagrams does what the long way does: the same frames, damaged at random, to a host that
// knows the peer and to one that does not have the same fate; the same datagram, sent the first time and the second, is
// the same frame.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/vlan.h"
#include "support/seed.h"
#include "support/stack_world.h"

namespace millrace::tests {
namespace {

using Frame = SimWire::Frame;

constexpr std::uint16_t kPort = 7;

struct Kind {
  const char* name;
  std::uint16_t vlan;
  bool has_offloads;
  bool inserts_tags = has_offloads;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class FastPath : public testing::TestWithParam<Kind> {
 protected:
  static HostOptions options() {
    HostOptions wanted{.stack = {.vlan = GetParam().vlan}};
    wanted.port.tx_ip_checksum = wanted.port.tx_udp_checksum = GetParam().has_offloads;
    wanted.port.vlan_strip = GetParam().has_offloads;
    wanted.port.vlan_insert = GetParam().inserts_tags;
    return wanted;
  }
  std::mt19937_64 random{test_seed()};
};

/// A host, and what one frame did to it.
struct Host {
  explicit Host(const HostOptions& options) : outside(wire, {.mtu = 9000}), host(wire, 2, options) {
    (void)host.stack.bind_udp(kPort);
  }
  void take(Instant now, Frame frame) {
    host.received.clear();
    before = host.stack.counters();
    wire.put(now, &outside, std::move(frame));
    host.turn(now);
  }
  SimWire wire{{.delay = nanoseconds(0)}};
  SimPort outside;
  SimHost host;
  stack::StackCounters before;
};

/// Makes the sums right: of the IPv4 header as if it had no options, and none for UDP.
void sum_again(Frame& frame) {
  const std::size_t ip = wire::kEthernetBytes + (frame[12] == std::byte{0x81} ? wire::kVlanTagBytes : 0);
  wire::store_be16(frame.data() + ip + 10, 0);
  wire::fill_ipv4_checksum(frame.data() + ip);
  wire::store_be16(frame.data() + ip + wire::kIpv4Bytes + 6, 0);
}

void expect_same_fate(const Host& one, const Host& other) {
  ASSERT_EQ(one.host.received.size(), other.host.received.size());
  for (std::size_t i = 0; i < one.host.received.size(); ++i) {
    ASSERT_EQ(one.host.received[i].bytes, other.host.received[i].bytes);
    ASSERT_EQ(one.host.received[i].flow, other.host.received[i].flow);
    ASSERT_EQ(one.host.received[i].socket, other.host.received[i].socket);
  }
  for (std::size_t why = 0; why < wire::kDrops; ++why) {
    ASSERT_EQ(one.host.stack.counters().drops.counts[why] - one.before.drops.counts[why],
              other.host.stack.counters().drops.counts[why] - other.before.drops.counts[why])
        << wire::kDropWords[why].name;
  }
}

Frame sound_frame(const HostOptions& options, const std::string& bytes) {
  StackWorld world;
  SimHost& client = world.add(1, options);
  world.add(2, options);
  const wire::FlowKey flow{.destination = v4(10, 0, 0, 2), .source_port = 4000, .destination_port = kPort};
  (void)client.stack.bind_udp(4000);
  (void)client.send(world.now, flow, "first");
  world.run(milliseconds(5));
  world.wire.keeps_seen = true;
  (void)client.send(world.now, flow, bytes);
  client.stack.flush(world.now);
  return world.wire.seen.front();
}

TEST_P(FastPath, ReceivesAsTheLongWayDoes) {
  Host knows(options());
  Host forgets(options());
  const Frame sound = sound_frame(options(), "get some_key\r\n");
  Instant now = Instant{} + seconds(1);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    Frame frame = sound;
    for (std::uint64_t hits = random() % 3; hits > 0; --hits) {
      // Zeros, of words too, are what headers must not have in many places.
      const bool is_zero = random() % 2 == 0;
      const std::size_t at = random() % (frame.size() - 1);
      frame[at] = is_zero ? std::byte{0} : static_cast<std::byte>(random());
      frame[at + 1] = is_zero ? std::byte{0} : frame[at + 1];
    }
    if (random() % 2 == 0) {
      sum_again(frame);  // so that more than the sums is looked at
    }
    if (random() % 8 == 0) {
      frame.resize(1 + random() % frame.size());
    }
    now = now + seconds(2);  // long enough to forget
    knows.take(now, sound);
    ASSERT_EQ(knows.host.received.size(), 1U);
    forgets.host.turn(now);  // its timers, as those of the other
    knows.take(now, frame);
    forgets.take(now, frame);
    expect_same_fate(knows, forgets);
    if (testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "in round " << round;
      return;
    }
    taken += forgets.host.received.empty() ? 0 : 1;
  }
  EXPECT_GT(taken, 1000);
}

TEST_P(FastPath, SendsAsTheLongWayDoes) {
  StackWorld world;
  SimHost& client = world.add(1, options());
  SimHost& server = world.add(2, options());
  (void)client.stack.bind_udp(4000);
  (void)server.stack.bind_udp(kPort);
  for (int round = 0; round < 300; ++round) {
    // From slices of any length, odd ones too.
    std::string bytes(random() % 1473, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 4 == 0 ? 0xff : random());
    }
    std::vector<dataplane::Slice> slices;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 400, bytes.size() - at);
      slices.push_back({.data = bytes.data() + at, .size = static_cast<std::uint32_t>(size)});
      at += size;
    }
    const stack::OutDatagram datagram{.flow = {.source = v4(10, 0, 0, 1),
                                               .destination = v4(10, 0, 0, 2),
                                               .source_port = static_cast<std::uint16_t>(4000 + random() % 999),
                                               .destination_port = kPort},
                                      .slices = slices};
    world.run(seconds(3), milliseconds(100));  // long enough to forget
    (void)client.stack.send(
        world.now, {.flow = {.destination = v4(10, 0, 0, 2), .source_port = 1, .destination_port = 1}, .slices = {}});
    world.run(milliseconds(300), milliseconds(1));  // the neighbour's entry is fresh
    world.run(seconds(2), milliseconds(100));
    server.received.clear();
    world.wire.seen.clear();
    world.wire.keeps_seen = true;
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(client.stack.send(world.now, datagram), stack::Sent::Copied);
    }
    client.stack.flush(world.now);
    world.wire.keeps_seen = false;
    std::erase_if(world.wire.seen,
                  [](const Frame& frame) { return frame[12] == std::byte{0x08} && frame[13] == std::byte{0x06}; });
    ASSERT_EQ(world.wire.seen.size(), 2U);
    ASSERT_EQ(world.wire.seen[0], world.wire.seen[1]) << bytes.size() << " bytes";
    world.run(milliseconds(5));
    ASSERT_EQ(server.received.size(), 2U) << bytes.size() << " bytes";
    ASSERT_EQ(server.received[1].bytes, bytes);
  }
  EXPECT_EQ(server.stack.counters().drops.of(wire::Drop::UdpChecksum), 0U);
  EXPECT_EQ(server.stack.counters().drops.of(wire::Drop::IpChecksum), 0U);
}

/// In the question's packet as anywhere else; with a checksum if the question had one.
TEST_P(FastPath, AnswersAsTheLongWayDoes) {
  if (GetParam().vlan != 0 && !GetParam().has_offloads) {
    GTEST_SKIP() << "a tag in the frame takes the long way, where there is no room";
  }
  const Frame summed = sound_frame(options(), "get some_key\r\n");
  Frame unsummed = summed;
  sum_again(unsummed);
  const std::size_t sum_at =
      wire::kEthernetBytes + (summed[12] == std::byte{0x81} ? wire::kVlanTagBytes : 0) + wire::kIpv4Bytes + 6;
  StackWorld world;
  SimHost& client = world.add(1, options());
  SimHost& server = world.add(2, options());
  (void)client.stack.bind_udp(4000);
  (void)server.stack.bind_udp(kPort);
  server.echoes = true;
  const wire::FlowKey back{
      .source = v4(10, 0, 0, 2), .destination = v4(10, 0, 0, 1), .source_port = kPort, .destination_port = 4000};
  for (int round = 0; round < 1000; ++round) {
    if (round % 100 == 0) {  // a question the long way, so that each knows the other
      world.run(seconds(2), milliseconds(50));
      for (int i = 0; i < 3; ++i) {
        (void)client.send(world.now, back.reversed(), "hello");
        world.run(milliseconds(5));
      }
    }
    std::string bytes(1 + random() % 1300, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random() % 4 == 0 ? 0xff : random());
    }
    const bool is_summed = random() % 2 == 0;
    world.wire.put(world.now, &client.port, is_summed ? summed : unsummed);
    world.now = world.now + microseconds(100);
    stack::Datagram asked[2];
    ASSERT_EQ(server.stack.poll(world.now, asked), 1U);
    ASSERT_EQ(asked[0].was_summed, is_summed);
    ASSERT_GE(asked[0].room.size(), bytes.size());
    std::memcpy(asked[0].room.data(), bytes.data(), bytes.size());
    const std::size_t free_before = server.port.free_buffers();
    ASSERT_EQ(server.stack.answer(world.now, asked[0], static_cast<std::uint32_t>(bytes.size())), stack::Sent::Copied);
    ASSERT_EQ(server.port.free_buffers(), free_before);  // in the question's own
    world.wire.seen.clear();
    world.wire.keeps_seen = true;
    server.stack.flush(world.now);
    ASSERT_EQ(server.send(world.now, back, bytes), stack::Sent::Copied);
    server.stack.flush(world.now);
    world.wire.keeps_seen = false;
    ASSERT_EQ(world.wire.seen.size(), 2U);
    Frame& answered = world.wire.seen[0];
    const Frame& sent = world.wire.seen[1];
    if (!is_summed) {
      ASSERT_EQ(wire::load_be16(answered.data() + sum_at), 0U);
      wire::store_be16(answered.data() + sum_at, wire::load_be16(sent.data() + sum_at));
    }
    ASSERT_EQ(answered, sent) << bytes.size() << " bytes";
    client.received.clear();
    world.run(milliseconds(1));
    ASSERT_EQ(client.received.size(), 2U);
    ASSERT_EQ(client.received[0].bytes, bytes);
  }
  EXPECT_EQ(client.stack.counters().drops.of(wire::Drop::UdpChecksum), 0U);
  EXPECT_EQ(client.stack.counters().drops.of(wire::Drop::IpChecksum), 0U);
}

INSTANTIATE_TEST_SUITE_P(Kinds, FastPath,
                         testing::Values(Kind{"Software", 0, false}, Kind{"Device", 0, true},
                                         Kind{"SoftwareTagged", 42, false}, Kind{"DeviceTagged", 42, true},
                                         Kind{"DeviceStrips", 42, true, false}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace millrace::tests
