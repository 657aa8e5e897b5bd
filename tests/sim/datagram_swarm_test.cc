// Workers that are asked by datagrams, from one seed: each answer is exact, whole and in order, and nothing is left
// over, whoever moves first and however long the transport keeps what it was lent.

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sim/text_script.h"
#include "support/datagram_asker.h"
#include "support/seed.h"
#include "support/sim_world.h"

namespace millrace::tests {
namespace {

struct Actor {
  WorkerId at = 0;
  std::unique_ptr<DatagramAsker> asker;
  std::unique_ptr<ClientScript> script;
  std::uint32_t datagrams_left = 0;
  std::size_t expected_before = 0;
  bool is_waiting = false;
};

void ask(SimWorld& world, Actor& actor) {
  std::string commands;
  actor.expected_before = actor.script->expected().size();
  const std::uint64_t count = world.random()() % 3 == 0 ? 1 + world.random()() % 6 : 1;
  for (std::uint64_t i = 0; i < count; ++i) {
    actor.script->add_command(commands);
  }
  actor.asker->ask(world.transport(actor.at), commands);
  actor.is_waiting = true;
  --actor.datagrams_left;
}

/// Whether the answer is there; with nothing to say, whether the worker has nothing more to do for it.
bool look(SimWorld& world, Actor& actor) {
  const std::string expected = actor.script->expected().substr(actor.expected_before);
  if (expected.empty()) {
    return world.worker(actor.at).exchanges().count() == 0 && world.transport(actor.at).has_told_datagrams();
  }
  if (!actor.asker->is_answered()) {
    return false;
  }
  EXPECT_TRUE(actor.asker->answer() == expected)
      << "got " << actor.asker->answer().substr(0, 200) << "\nexpected " << expected.substr(0, 200);
  return true;
}

void run_world(std::uint64_t seed, std::uint32_t workers, std::uint32_t lend_bytes_min) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(workers) + " workers, lends from " +
               std::to_string(lend_bytes_min));
  SimWorld world({.seed = seed,
                  .workers = workers,
                  .arena_bytes = std::size_t{48} << 20,
                  .datagram_lend_bytes_min = lend_bytes_min});
  std::map<std::uint16_t, Actor> actors;  // by the port they ask from
  for (std::uint16_t port = 1; port <= 6; ++port) {
    Actor& actor = actors[port];
    actor.at = static_cast<WorkerId>(world.random()() % workers);
    actor.asker = std::make_unique<DatagramAsker>(port);
    actor.script = std::make_unique<TextScript>(world.random()(), std::to_string(port) + ":");
    actor.datagrams_left = 150;
  }
  std::uint64_t steps = 0;
  for (bool is_done = false; !is_done; ++steps) {
    ASSERT_LT(steps, 2'000'000U) << "an answer never came";
    world.step();
    for (WorkerId id = 0; id < workers; ++id) {
      for (const SimDatagram& datagram : world.transport(id).take_datagrams()) {
        actors.at(datagram.flow.peer_port).asker->take(datagram);
      }
    }
    is_done = true;
    for (auto& [port, actor] : actors) {
      if (actor.is_waiting && look(world, actor)) {
        actor.is_waiting = false;
      }
      if (!actor.is_waiting && actor.datagrams_left > 0) {
        ask(world, actor);
      }
      is_done &= !actor.is_waiting;
    }
  }
  world.run(1000);
  for (WorkerId id = 0; id < workers; ++id) {
    worker::Worker& worker = world.worker(id);
    EXPECT_TRUE(worker.is_drained());
    EXPECT_EQ(worker.exchanges().count(), 0U);
    EXPECT_EQ(worker.reply_memory().nodes_in_use(), 0U);
    EXPECT_EQ(worker.reply_memory().buffers_in_use(), 0U);
    EXPECT_EQ(worker.partition().counters().pins, 0U);
    EXPECT_EQ(worker.partition().counters().reservations, 0U);
    worker.partition().check();
  }
}

TEST(DatagramSwarm, AnswersAreExact) {
  const std::uint64_t seed = test_seed();
  for (const std::uint32_t workers : {1U, 2U, 4U}) {
    run_world(seed + workers, workers, 0);
    run_world(seed + workers, workers, 256);
    run_world(seed + workers, workers, 1);
  }
}

/// Datagrams of a few clients: gets that are plain, gets that are nearly, and what changes the answers to them.
std::string random_datagram(std::mt19937_64& random) {
  const auto draw = [&](std::uint64_t below) { return random() % below; };
  const auto key = [&] {
    const std::uint64_t number = draw(60);
    std::string name = "key" + std::to_string(number);
    name.resize(std::max<std::size_t>(name.size(), number * number % 251), 'k');  // 4 to 250 bytes
    return name;
  };
  const auto header = protocol::udp_header_bytes({.request_id = static_cast<std::uint16_t>(random()),
                                                  .sequence = static_cast<std::uint16_t>(draw(2)),
                                                  .total = static_cast<std::uint16_t>(draw(20) == 0 ? draw(3) : 1)});
  std::string datagram(reinterpret_cast<const char*>(header.data()), header.size());
  switch (draw(12)) {
    case 0: {
      const std::size_t bytes = draw(4) == 0 ? draw(20'000) : draw(1400);
      const std::string words = " " + std::to_string(draw(3) * 77) + (draw(5) == 0 ? " 1 " : " 0 ");
      datagram += "set " + key() + words + std::to_string(bytes) + "\r\n" + std::string(bytes, 'v') + "\r\n";
      break;
    }
    case 1:
      datagram += "delete " + key() + "\r\n";
      break;
    case 2:
      datagram += (draw(2) == 0 ? "gets " : "gat 1 ") + key() + "\r\n";
      break;
    case 3:
      datagram += "get " + key() + (draw(2) == 0 ? " " + key() + "\r\n" : "\n");
      break;
    case 4:
      datagram += "get " + key() + "\r\n";
      datagram[draw(datagram.size())] = static_cast<char>(random());
      break;
    case 5:
      datagram += "get " + key() + "\r\n";
      datagram.resize(draw(datagram.size() + 1));
      break;
    default:
      datagram += "get " + key() + "\r\n";
  }
  return datagram;
}

template <typename Numbers>
void expect_same_numbers(const Numbers& one, const Numbers& other, const char* whose) {
  using Words = std::array<std::uint64_t, sizeof(Numbers) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Words) == sizeof(Numbers));
  const auto a = std::bit_cast<Words>(one);
  const auto b = std::bit_cast<Words>(other);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i], b[i]) << whose << ", number " << i;
  }
}

/// A policy, whatever it refuses, sends a datagram the long way: so the short one is compared with it, datagram by
/// datagram, and in all that was counted on the way.
TEST(DatagramSwarm, PlainGetsAreServedAsTheLongWayDoes) {
  const std::uint64_t seed = test_seed();
  SimOptions options{.seed = seed, .workers = 1, .udp_allow = {{.address = {}, .bits = 128}}};  // nobody
  options.udp_allow.front().address[15] = 1;                                                    // but ::1
  SimWorld plain(options);
  options.policies = {{.allow = {}, .refused = worker::set_of(protocol::Command::FlushAll)}};
  SimWorld general(options);
  std::mt19937_64 random(seed);
  std::uint64_t answers = 0;
  for (int round = 0; round < 3000; ++round) {
    for (std::uint64_t count = random() % 32; count > 0; --count) {
      dataplane::DatagramFlow flow{};
      flow.peer[15] = random() % 8 == 0 ? 2 : 1;  // who is not allowed gets no answer that is longer
      flow.peer_port = static_cast<std::uint16_t>(1 + random() % 5);
      const std::string datagram = random_datagram(random);
      plain.transport(0).datagram(flow, datagram);
      general.transport(0).datagram(flow, datagram);
    }
    const Duration passes = milliseconds(static_cast<std::int64_t>(random() % 20));
    plain.clock().advance(passes);
    general.clock().advance(passes);
    for (int i = 0; i < 3; ++i) {
      plain.step();
      general.step();
    }
    const std::vector<SimDatagram> one = plain.transport(0).take_datagrams();
    const std::vector<SimDatagram> other = general.transport(0).take_datagrams();
    ASSERT_EQ(one.size(), other.size()) << "in round " << round;
    for (std::size_t i = 0; i < one.size(); ++i) {
      ASSERT_EQ(one[i].bytes, other[i].bytes) << "in round " << round;
      ASSERT_EQ(one[i].flow, other[i].flow) << "in round " << round;
    }
    answers += one.size();
  }
  EXPECT_GT(answers, 20'000U);
  worker::Worker& served = plain.worker(0);
  worker::Worker& compared = general.worker(0);
  expect_same_numbers(served.counters(), compared.counters(), "the worker's");
  expect_same_numbers(served.partition().counters(), compared.partition().counters(), "the partition's");
  for (std::uint32_t id = 1; id <= served.partition().classes(); ++id) {
    expect_same_numbers(served.partition().class_stats(id, served.now_s()),
                        compared.partition().class_stats(id, compared.now_s()), "a class's");
  }
  EXPECT_GT(served.partition().counters().get_hits, 10'000U);
  EXPECT_GT(served.partition().counters().get_misses, 1'000U);
  EXPECT_GT(served.partition().counters().get_expired, 0U);
  EXPECT_GT(served.counters().udp_drop_amplifies, 100U);
  served.partition().check();
}

}  // namespace
}  // namespace millrace::tests
