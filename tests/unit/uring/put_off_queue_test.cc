// PutOffQueue: each connection's in its order, the connections in turn; beside a map of queues that does it slowly.
#include "dataplane/uring/put_off_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "tests/support/seed.h"

namespace millrace::uring {
namespace {

TEST(PutOffQueue, ConnectionsTakeTurns) {
  PutOffQueue queue(4);
  for (int n = 0; n < 3; ++n) {
    queue.push(2, {.res = n});
  }
  queue.push(0, {.res = 7});
  queue.push(3, {.res = 8});
  queue.push(3, {.res = 9});
  std::vector<std::pair<std::uint32_t, int>> popped;
  while (!queue.empty()) {
    const auto [slot, received] = queue.pop();
    popped.emplace_back(slot, received.res);
  }
  EXPECT_EQ(popped, (std::vector<std::pair<std::uint32_t, int>>{{2, 0}, {0, 7}, {3, 8}, {2, 1}, {3, 9}, {2, 2}}));
}

TEST(PutOffQueue, WhoComesBackGoesBehindTheOthers) {
  PutOffQueue queue(2);
  queue.push(0, {.res = 1});
  queue.push(1, {.res = 2});
  EXPECT_EQ(queue.pop().first, 0U);
  EXPECT_FALSE(queue.has(0));
  queue.push(0, {.res = 3});
  EXPECT_EQ(queue.pop().first, 1U);
  EXPECT_EQ(queue.pop().second.res, 3);
  EXPECT_TRUE(queue.empty());
}

TEST(PutOffQueue, AsASlowOneDoes) {
  constexpr std::uint32_t kSlots = 7;
  std::mt19937_64 random(tests::test_seed());
  PutOffQueue queue(kSlots);
  std::map<std::uint32_t, std::deque<int>> waiting;
  std::deque<std::uint32_t> turns;
  for (int n = 0; n < 20'000; ++n) {
    const auto slot = static_cast<std::uint32_t>(random() % kSlots);
    if (random() % 1000 < 480) {
      queue.push(slot, {.res = n, .flags = slot});
      if (waiting[slot].empty()) {
        turns.push_back(slot);
      }
      waiting[slot].push_back(n);
    } else if (!queue.empty()) {
      const auto [popped, received] = queue.pop();
      ASSERT_EQ(popped, turns.front());
      turns.pop_front();
      ASSERT_EQ(received.res, waiting[popped].front());
      ASSERT_EQ(received.flags, popped);
      waiting[popped].pop_front();
      if (!waiting[popped].empty()) {
        turns.push_back(popped);
      }
    }
    ASSERT_EQ(queue.empty(), turns.empty());
    ASSERT_EQ(queue.has(slot), !waiting[slot].empty());
    std::deque<std::uint32_t> visited;
    queue.for_each_connection([&](std::uint32_t each) { visited.push_back(each); });
    ASSERT_EQ(visited, turns);
  }
}

}  // namespace
}  // namespace millrace::uring
