// Hosts on a simulated wire that loses, doubles, delays, reorders and damages frames as the seed says: whatever arrives
// is what somebody sent, to the right host and port; when the wire is good again, everything works again; nothing
// leaks.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/seed.h"
#include "support/stack_world.h"

namespace millrace::tests {
namespace {

constexpr std::uint16_t kPort = 11211;

/// A datagram says who sent it to whom, and its bytes follow from that.
std::string payload_of(std::uint8_t from, std::uint8_t to, std::uint32_t serial, std::size_t size) {
  std::string bytes =
      std::to_string(from) + ">" + std::to_string(to) + "#" + std::to_string(serial) + ":" + std::to_string(size) + " ";
  std::mt19937 fill(serial);
  while (bytes.size() < size) {
    bytes += static_cast<char>(fill());
  }
  return bytes;
}

struct Swarm {
  explicit Swarm(std::uint64_t seed) : random(seed), world({.seed = seed}) {
    const unsigned count = 2 + pick(2);
    const std::uint16_t mtu = pick(3) == 0 ? 9000 : 1500;
    for (std::uint8_t n = 1; n <= count; ++n) {
      HostOptions options{.port = {.mtu = mtu, .tx_segments_max = 8, .external_max = 32},
                          .stack = {.seed = random(), .zero_copy_bytes_min = pick(2) * 700}};
      options.port.tx_udp_checksum = pick(2) == 0;
      options.port.tx_ip_checksum = pick(2) == 0;
      SimHost& host = world.add(n, options);
      EXPECT_TRUE(host.stack.bind_udp(kPort));
    }
  }
  std::uint32_t pick(std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); }

  void send_one() {
    const auto from = static_cast<std::uint8_t>(1 + pick(static_cast<std::uint32_t>(world.hosts.size())));
    auto to = static_cast<std::uint8_t>(1 + pick(static_cast<std::uint32_t>(world.hosts.size())));
    to = to == from ? static_cast<std::uint8_t>(from % world.hosts.size() + 1) : to;
    // Two damaged fragments can make up for each other in a sum of 16 bits: a datagram in one frame has one damage.
    const bool may_be_long = world.wire.options.corrupt_percent == 0;
    const std::size_t size = may_be_long && pick(8) == 0 ? pick(12'000) : pick(1400);
    // Lent bytes must stay where they are: they are kept until the world ends.
    kept.push_back(std::make_unique<std::string>(payload_of(from, to, serial, size)));
    const bool is_v4 = pick(2) == 0;
    const wire::FlowKey flow{
        .destination = is_v4 ? v4(10, 0, 0, to) : v6(to), .source_port = kPort, .destination_port = kPort};
    const auto sent = world.hosts[from - 1U]->send(world.now, flow, *kept.back(), serial);
    lent[from] += sent == stack::Sent::Lent ? 1 : 0;
    ++serial;
  }
  void check_received() {
    for (std::uint8_t n = 1; n <= world.hosts.size(); ++n) {
      for (const auto& received : world.hosts[n - 1U]->received) {
        unsigned from = 0;
        unsigned to = 0;
        unsigned id = 0;
        std::size_t size = 0;
        ASSERT_EQ(std::sscanf(received.bytes.c_str(), "%u>%u#%u:%zu", &from, &to, &id, &size), 4);
        ASSERT_EQ(to, n);
        ASSERT_EQ(received.bytes, payload_of(static_cast<std::uint8_t>(from), static_cast<std::uint8_t>(to), id, size));
        const auto source = static_cast<std::uint8_t>(from);
        ASSERT_TRUE(received.flow.source == v4(10, 0, 0, source) || received.flow.source == v6(source));
        ++arrived;
      }
      world.hosts[n - 1U]->received.clear();
    }
  }

  std::mt19937_64 random;
  StackWorld world;
  std::vector<std::unique_ptr<std::string>> kept;
  std::map<std::uint8_t, std::uint64_t> lent;
  std::uint32_t serial = 0;
  std::uint64_t arrived = 0;
};

void run_world(std::uint64_t seed) {
  SCOPED_TRACE("world " + std::to_string(seed));
  Swarm swarm(seed);
  SimWireOptions& wire = swarm.world.wire.options;
  wire.loss_percent = swarm.pick(3) * 15;
  wire.duplicate_percent = swarm.pick(3) * 10;
  wire.late_percent = swarm.pick(3) * 30;
  wire.corrupt_percent = swarm.pick(3) * 10;
  wire.jitter = milliseconds(1 + swarm.pick(20));
  for (int i = 0; i < 300; ++i) {
    for (std::uint32_t burst = swarm.pick(6); burst > 0; --burst) {
      swarm.send_one();
    }
    if (swarm.pick(40) == 0) {
      auto& port = swarm.world.hosts[swarm.pick(static_cast<std::uint32_t>(swarm.world.hosts.size()))]->port;
      port.state = port.state == port::LinkState::Up ? port::LinkState::Down : port::LinkState::Up;
      port.tx_room = swarm.pick(2) == 0 ? SIZE_MAX : swarm.pick(50);
    }
    swarm.world.run(microseconds(200 + swarm.pick(3000)));
  }
  swarm.check_received();

  // The wire is good again: after the longest memory of a failure, every datagram arrives.
  wire = {.seed = seed};
  for (const auto& host : swarm.world.hosts) {
    host->port.state = port::LinkState::Up;
    host->port.tx_room = SIZE_MAX;
  }
  swarm.world.run(seconds(8), milliseconds(5));
  swarm.check_received();
  swarm.arrived = 0;
  const std::uint32_t before = swarm.serial;
  for (int i = 0; i < 100; ++i) {
    swarm.send_one();
    swarm.world.run(milliseconds(1));
  }
  swarm.world.run(milliseconds(50));
  swarm.check_received();
  EXPECT_EQ(swarm.arrived, swarm.serial - before);

  swarm.world.run(seconds(8), milliseconds(5));
  for (std::uint8_t n = 1; n <= swarm.world.hosts.size(); ++n) {
    EXPECT_EQ(swarm.world.hosts[n - 1U]->port.free_buffers(), 512U) << "host " << int{n};
    EXPECT_EQ(swarm.world.hosts[n - 1U]->released.size(), swarm.lent[n]) << "host " << int{n};
  }
}

TEST(StackSwarm, WhatArrivesWasSentAndNothingLeaks) {
  const std::uint64_t seed = test_seed();
  const std::uint64_t worlds = number_from_environment("MILLRACE_TEST_WORLDS", 20);
  for (std::uint64_t i = 0; i < worlds && !testing::Test::HasFatalFailure(); ++i) {
    run_world(seed + i);
  }
}

}  // namespace
}  // namespace millrace::tests
