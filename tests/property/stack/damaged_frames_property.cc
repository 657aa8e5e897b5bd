// A sound frame, cut anywhere or with any bit turned over: it is either taken (and then says what it said) or counted
// under exactly one reason, and nothing leaks.
#include <gtest/gtest.h>

#include "support/seed.h"
#include "support/stack_world.h"

namespace millrace::tests {
namespace {

using Frame = SimWire::Frame;

/// The frames that host 1 puts on the wire when `act` is done, after host 2's address is known to it.
template <typename Act>
std::vector<Frame> frames_of(Act&& act) {
  StackWorld world;
  SimHost& client = world.add(1);
  world.add(2);
  (void)client.stack.bind_udp(4000);
  for (const wire::IpAddress& peer : {v4(10, 0, 0, 2), v6(2)}) {
    (void)client.send(world.now, {.destination = peer, .source_port = 4000, .destination_port = 7}, "first");
    world.run(milliseconds(5));
  }
  world.wire.keeps_seen = true;
  act(world, client);
  client.stack.flush(world.now);
  return world.wire.seen;
}

struct Victim {
  Victim() : outside(wire, {.mtu = 9000}), host(wire, 2, {.buffers = 64}) {
    (void)host.stack.bind_udp(7);
    host.turn(now);
    drops_before = host.stack.counters().drops.total();
  }
  /// Frames accounted for: handed up, answered, waiting with others, or dropped for a reason.
  [[nodiscard]] std::uint64_t fates() const {
    const auto& counters = host.stack.counters();
    return counters.datagrams_received + counters.echo_replies_sent + counters.arp_replies_sent +
           counters.neighbor_adverts_sent + counters.icmp_errors_received + counters.drops.total() - drops_before;
  }
  void take(Frame frame) {
    wire.put(now, &outside, std::move(frame));
    now = now + microseconds(100);
    host.turn(now);
  }

  SimWire wire{{}};
  SimPort outside;
  SimHost host;
  Instant now = Instant{} + seconds(1);
  std::uint64_t drops_before = 0;
};

void expect_one_fate(const Frame& frame, const std::string& sent, const std::string& how) {
  Victim victim;
  victim.take(frame);
  const bool waits = victim.host.stack.counters().fragments_received == 1;  // a flag turned over
  const auto refused = victim.host.stack.counters().icmp_errors_sent;
  ASSERT_EQ(victim.host.stack.counters().frames_received, 1U) << how;
  ASSERT_TRUE(waits || victim.fates() == 1) << how << ": " << victim.fates() << " fates";
  ASSERT_LE(refused, 1U);
  for (const auto& received : victim.host.received) {
    // Bits outside of what the checksums cover (the frame's header, the padding) may differ.
    ASSERT_EQ(received.bytes, sent) << how;
  }
  for (int i = 0; i < 8; ++i) {
    victim.now = victim.now + seconds(1);
    victim.host.turn(victim.now);
  }
  ASSERT_EQ(victim.host.port.free_buffers(), 64U) << how;
}

void expect_all_damage_noticed(const std::vector<Frame>& frames, const std::string& sent) {
  for (const Frame& frame : frames) {
    expect_one_fate(frame, sent, "whole");
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      Frame damaged = frame;
      damaged[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      expect_one_fate(damaged, sent, "bit " + std::to_string(bit));
    }
    for (std::size_t size = 1; size < frame.size(); ++size) {
      expect_one_fate(Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)), sent,
                      "cut to " + std::to_string(size));
    }
  }
}

TEST(DamagedFrames, UdpOverBothFamilies) {
  const std::string sent = "get some_key\r\n";
  for (const wire::IpAddress& peer : {v4(10, 0, 0, 2), v6(2)}) {
    const auto frames = frames_of([&](StackWorld& world, SimHost& client) {
      (void)client.send(world.now, {.destination = peer, .source_port = 4000, .destination_port = 7}, sent);
    });
    ASSERT_EQ(frames.size(), 1U);
    expect_all_damage_noticed(frames, sent);
  }
}

TEST(DamagedFrames, ArpAndNeighborDiscovery) {
  // What a host asks when it knows nobody.
  StackWorld world;
  SimHost& client = world.add(1);
  world.run(seconds(5));
  world.wire.keeps_seen = true;
  for (const wire::IpAddress& peer : {v4(10, 0, 0, 2), v6(2)}) {
    (void)client.send(world.now, {.destination = peer, .source_port = 4000, .destination_port = 7}, "x");
  }
  client.turn(world.now);
  ASSERT_EQ(world.wire.seen.size(), 2U);
  expect_all_damage_noticed(world.wire.seen, "");
}

TEST(DamagedFrames, RandomBytesBehindARealHeader) {
  std::mt19937_64 random(test_seed());
  const auto frames = frames_of([&](StackWorld& world, SimHost& client) {
    for (const wire::IpAddress& peer : {v4(10, 0, 0, 2), v6(2)}) {
      (void)client.send(world.now, {.destination = peer, .source_port = 4000, .destination_port = 7},
                        std::string(200, 'x'));
    }
  });
  ASSERT_EQ(frames.size(), 2U);
  Victim victim;
  for (int round = 0; round < 20'000; ++round) {
    Frame frame = frames[random() % 2];
    const std::size_t keep = 14 + random() % 60;
    for (std::size_t i = keep; i < frame.size(); ++i) {
      frame[i] = static_cast<std::byte>(random());
    }
    frame.resize(keep + random() % (frame.size() - keep));
    victim.take(std::move(frame));
  }
  EXPECT_EQ(victim.host.stack.counters().frames_received, 20'000U);
  for (int i = 0; i < 8; ++i) {
    victim.now = victim.now + seconds(1);
    victim.host.turn(victim.now);
  }
  EXPECT_EQ(victim.host.port.free_buffers(), 64U);
}

}  // namespace
}  // namespace millrace::tests
