// Neighbours' asks have their time in a turn, and no more; who was not heard is the first in the next.
#include <gtest/gtest.h>

#include <string>

#include "support/sim_world.h"

namespace millrace::tests {
namespace {

const SimOptions kOptions{.seed = 7, .workers = 3};
constexpr std::uint32_t kGets = 200;

/// Everything is answered after all.
void finish(SimWorld& world) {
  world.clock().set_reading({});
  world.run(2000);
  for (WorkerId id = 0; id < world.workers(); ++id) {
    EXPECT_EQ(world.worker(id).holes_outstanding(), 0U);
    EXPECT_EQ(world.worker(id).reply_memory().buffers_in_use(), 0U);
  }
}

/// `kGets` gets of keys that worker 0 has, from a client of each of the other two, on their way to it.
void ask_worker_0(SimWorld& world) {
  std::string gets;
  for (std::uint32_t n = 0, found = 0; found < kGets; ++n) {
    const std::string key = "key" + std::to_string(n);
    if (hash_key(key, kOptions.seed | 1).partition(kOptions.workers) == 0) {
      gets += "get " + key + "\r\n";
      ++found;
    }
  }
  for (const WorkerId at : {1U, 2U}) {
    world.open(at).to_server += gets;
    for (int turn = 0; turn < 1000 && world.worker(at).counters().asks_sent < kGets; ++turn) {
      world.worker(at).turn(false);
    }
    ASSERT_EQ(world.worker(at).counters().asks_sent, kGets);
  }
}

TEST(Asks, AreAllServedInATurnThatHasTheTime) {
  SimWorld world(kOptions);
  ask_worker_0(world);
  world.worker(0).turn(false);
  EXPECT_EQ(world.worker(0).counters().asks_served, 2 * kGets);
  finish(world);
}

TEST(Asks, WaitForTheNextTurnWhenTheyTakeLong) {
  SimWorld world(kOptions);
  ask_worker_0(world);
  world.clock().set_reading(microseconds(worker::kAsksTimeMaxUs));  // a group takes as long
  const auto& counters = world.worker(0).counters();
  std::uint64_t served = 0;
  std::uint32_t turns = 0;
  for (; served < 2 * kGets && turns < 100; ++turns) {
    world.worker(0).turn(false);
    EXPECT_LE(counters.asks_served - served, 2 * worker::kAsksPerGroupMax);
    EXPECT_GT(counters.asks_served, served);
    served = counters.asks_served;
  }
  EXPECT_EQ(served, 2 * kGets);
  EXPECT_GE(turns, 2 * kGets / (2 * worker::kAsksPerGroupMax));
  finish(world);
}

TEST(Asks, OfWhoWasNotHeardGoFirstInTheNextTurn) {
  SimWorld world(kOptions);
  ask_worker_0(world);
  world.clock().set_reading(microseconds(2 * worker::kAsksTimeMaxUs));
  // Two turns: a group of each.
  world.worker(0).turn(false);
  world.worker(0).turn(false);
  EXPECT_EQ(world.worker(0).counters().asks_served, 2 * worker::kAsksPerGroupMax);
  world.worker(1).turn(false);
  world.worker(2).turn(false);
  EXPECT_EQ(world.worker(1).holes_outstanding(), kGets - worker::kAsksPerGroupMax);
  EXPECT_EQ(world.worker(2).holes_outstanding(), kGets - worker::kAsksPerGroupMax);
  finish(world);
}

}  // namespace
}  // namespace millrace::tests
