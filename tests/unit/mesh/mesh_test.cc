#include "mesh/mesh.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::mesh {
namespace {

void say(Port& port, WorkerId to, std::uint64_t number) {
  std::byte* run = port.asks_to(to).reserve(1);
  ASSERT_NE(run, nullptr);
  const Ask ask{.kind = AskKind::Execute, .slots = 1, .number = number};
  std::memcpy(run, &ask, sizeof(ask));
  port.asks_to(to).commit(1);
}

TEST(Mesh, EachRingHoldsTenOfTheLongestMessages) {
  for (const std::uint32_t workers : {1U, 2U, 3U, 8U, 64U, 128U, 256U}) {
    const std::uint32_t slots = Mesh::slots_per_ring(workers);
    EXPECT_EQ(slots & (slots - 1), 0U);
    EXPECT_GE(slots, 10 * kAskSlotsMax) << workers;
    EXPECT_GE(slots, 10 * kAnswerSlotsMax) << workers;
  }
}

TEST(Mesh, PublishWakesOnlyThoseThatSleepAndGotSomething) {
  Mesh mesh(3);
  for (WorkerId id = 0; id < 3; ++id) {
    mesh.join(id);
  }
  Port zero(mesh, 0);
  Port one(mesh, 1);
  Port two(mesh, 2);
  ASSERT_TRUE(one.try_fall_asleep());
  ASSERT_TRUE(two.try_fall_asleep());
  std::vector<WorkerId> woken;
  zero.publish([&](WorkerId to) { woken.push_back(to); });
  EXPECT_TRUE(woken.empty());
  say(zero, 1, 5);
  zero.publish([&](WorkerId to) { woken.push_back(to); });
  EXPECT_EQ(woken, std::vector<WorkerId>{1});
  one.wake_up();
  EXPECT_FALSE(one.try_fall_asleep()) << "there is something to do";
  EXPECT_FALSE(mesh.is_asleep(1));
}

// A wake-up that is lost leaves the sleeper waiting for ever: two threads hand a number back and forth.
TEST(Mesh, NoWakeUpIsLost) {
  constexpr std::uint64_t kRounds = 20'000;
  Mesh mesh(2);
  struct Bell {
    std::mutex mutex;
    std::condition_variable rung;
    bool is_rung = false;
    void ring() {
      const std::scoped_lock lock(mutex);
      is_rung = true;
      rung.notify_one();
    }
    void wait() {
      std::unique_lock lock(mutex);
      rung.wait(lock, [&] { return is_rung; });
      is_rung = false;
    }
  };
  std::array<Bell, 2> bells;
  mesh.join(0);
  mesh.join(1);
  const auto play = [&](WorkerId self, bool starts) {
    Port port(mesh, self);
    const WorkerId other = 1 - self;
    if (starts) {
      say(port, other, 0);
      port.publish([&](WorkerId to) { bells[to].ring(); });
    }
    for (std::uint64_t seen = 0; seen < kRounds;) {
      const std::byte* message = port.asks_from(other).front();
      if (message == nullptr) {
        if (port.try_fall_asleep()) {
          bells[self].wait();
          port.wake_up();
        }
        continue;
      }
      port.asks_from(other).pop(1);
      port.asks_from(other).release();
      ++seen;
      say(port, other, seen);
      port.publish([&](WorkerId to) { bells[to].ring(); });
    }
  };
  std::thread first(play, 0, true);
  std::thread second(play, 1, false);
  first.join();
  second.join();
}

}  // namespace
}  // namespace millrace::mesh
