// Values of several chunks may take only their share from other items, whatever the policy.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

constexpr std::uint32_t kPages = 256;  // 16 MiB
constexpr std::uint64_t kArena = std::uint64_t{kPages} * kPageBytes;

std::string small_key(int n) { return "small:" + std::to_string(n); }
std::string large_key(int n) { return "large:" + std::to_string(n); }

std::uint64_t count_of(Store& store, int keys) {
  std::uint64_t there = 0;
  for (int n = 0; n < keys; ++n) {
    there += store.has(small_key(n)) ? 1 : 0;
  }
  return there;
}

/// Fills memory with small items, and says how many keys that took.
int fill(Store& store) {
  int keys = 0;
  const std::uint64_t evictions = store->counters().evictions;
  for (const std::string value(900, 's'); store->counters().evictions == evictions; ++keys) {
    store.set(small_key(keys), value);
  }
  for (int n = 0; n < keys; ++n) {
    store.get(small_key(n));
    store.get(small_key(n));
  }
  return keys;
}

class LargeShare : public testing::TestWithParam<EvictionPolicy> {};

TEST_P(LargeShare, AStormOfLargeValuesLeavesTheOthersTheirs) {
  Store store(kPages, {.policy = GetParam()});
  const int keys = fill(store);
  for (int n = 0; n < 600; ++n) {  // ten times the arena
    const std::string value(n % 2 == 0 ? 300'000U : 28'000U, 'l');
    ASSERT_EQ(store.set(large_key(n), value), Outcome::Stored);
    ASSERT_LE(store->counters().large_bytes, kArena / 2);
  }
  EXPECT_GE(count_of(store, keys), static_cast<std::uint64_t>(keys) * 4 / 10);
  EXPECT_TRUE(store.has(large_key(599)));
  store->check();
}

TEST_P(LargeShare, LargeValuesThatNeverArriveLeaveTheOthersTheirs) {
  Store store(kPages, {.policy = GetParam()});
  const int keys = fill(store);
  std::vector<Reservation> open;
  Outcome outcome = Outcome::Stored;
  for (int n = 0; n < 100 && outcome == Outcome::Stored; ++n) {
    Reservation reservation;
    outcome = store.reserve(large_key(n), std::string(500'000, 'l'), reservation);
    if (outcome == Outcome::Stored) {
      open.push_back(reservation);
    }
  }
  EXPECT_EQ(outcome, Outcome::OutOfMemory);
  EXPECT_EQ(open.size(), 16U) << "half of the arena, in pages";
  EXPECT_GE(count_of(store, keys), static_cast<std::uint64_t>(keys) * 4 / 10);
  store->check();
  for (const Reservation& reservation : open) {
    store->abort(reservation);
  }
  EXPECT_EQ(store->counters().large_bytes, 0U);
  store->check();
}

TEST_P(LargeShare, LargeValuesAloneFillEverythingAndGiveWayToOthers) {
  Store store(kPages, {.policy = GetParam()});
  for (int n = 0; n < 200; ++n) {
    ASSERT_EQ(store.set(large_key(n), std::string(300'000, 'l')), Outcome::Stored);
  }
  EXPECT_GE(store->counters().large_bytes, kArena * 9 / 10);
  EXPECT_GT(store->counters().evictions, 0U);
  EXPECT_EQ(store->counters().large_evictions, store->counters().evictions);
  EXPECT_TRUE(store.has(large_key(199)));
  EXPECT_FALSE(store.has(large_key(0))) << "in the order in which they came";
  store->check();
  for (int n = 0; n < 9'000; ++n) {  // half of the arena
    ASSERT_EQ(store.set(small_key(n), std::string(900, 's')), Outcome::Stored);
  }
  EXPECT_LE(store->counters().large_bytes, kArena / 2);
  EXPECT_GE(store->counters().large_bytes, kArena / 4);
  store->check();
}

INSTANTIATE_TEST_SUITE_P(Policies, LargeShare,
                         testing::Values(EvictionPolicy::Clock, EvictionPolicy::Clock2, EvictionPolicy::Lru,
                                         EvictionPolicy::Mru, EvictionPolicy::Lfu, EvictionPolicy::Random,
                                         EvictionPolicy::Ttl),
                         [](const auto& of) { return std::string(name_of(of.param)); });

TEST(LargeShare, WhatIsBeyondTheShareIsStoredOnlyWhereNobodyElseIs) {
  Store store(kPages, {.item_bytes_max = 16 << 20});
  const std::string value(10 << 20, 'l');
  ASSERT_EQ(store.set("big", value), Outcome::Stored);
  ASSERT_EQ(store.set("big", value), Outcome::Stored) << "in its own place";
  ASSERT_EQ(store.remove("big"), Outcome::Deleted);
  fill(store);
  const std::uint64_t evictions = store->counters().evictions;
  EXPECT_EQ(store.set("big", value), Outcome::OutOfMemory);
  EXPECT_EQ(store->counters().evictions, evictions) << "nobody went for it";
}

TEST(LargeShare, OfAHundredPercentIsNone) {
  Store store(kPages, {.item_bytes_max = 16 << 20, .large_value_share = 100});
  fill(store);
  EXPECT_EQ(store.set("big", std::string(10 << 20, 'l')), Outcome::Stored);
  EXPECT_EQ(store->counters().large_evictions, 0U);
}

TEST(LargeShare, TheOneThatIsAskedForOutlivesTheOthers) {
  Store store(kPages);
  for (int n = 0; n < 200; ++n) {
    ASSERT_EQ(store.set(large_key(n), std::string(300'000, 'l')), Outcome::Stored);
    EXPECT_NE(store.get(large_key(0)), "(miss)");
  }
  EXPECT_FALSE(store.has(large_key(1)));
}

TEST(LargeShare, WhatIsLentStays) {
  Store store(kPages);
  std::vector<ItemRef> pins;
  int n = 0;
  for (; store->counters().evictions == 0; ++n) {
    ASSERT_EQ(store.set(large_key(n), std::string(300'000, 'l')), Outcome::Stored);
  }
  for (int lent = 0; lent < n; ++lent) {
    if (store.has(large_key(lent))) {
      pins.push_back(store.pin(large_key(lent)));
    }
  }
  EXPECT_EQ(store.set("more", std::string(300'000, 'l')), Outcome::OutOfMemory);
  store->unpin(pins.back());
  EXPECT_EQ(store.set("more", std::string(300'000, 'l')), Outcome::Stored);
  pins.pop_back();
  for (const ItemRef pin : pins) {
    store->unpin(pin);
  }
  store->check();
}

TEST(LargeShare, FollowsTheLimit) {
  Store store(kPages);
  EXPECT_EQ(store->memory_stats().large_bytes_max, kArena / 100 * 50);
  ASSERT_TRUE(store->set_limit(kArena / 2));
  EXPECT_EQ(store->memory_stats().large_bytes_max, kArena / 2 / 100 * 50);
}

}  // namespace
}  // namespace millrace::store::tests
