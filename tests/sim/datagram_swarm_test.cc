// Workers that are asked by datagrams, from one seed: each answer is exact, whole and in order, and nothing is left
// over, whoever moves first and however long the transport keeps what it was lent.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "sim/client_script.h"
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

}  // namespace
}  // namespace millrace::tests
