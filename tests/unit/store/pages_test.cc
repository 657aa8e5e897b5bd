// What it costs to take a page from a class, counted: at once, bit by bit, and with a reserve.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

std::string key(std::uint64_t n) { return "k" + std::to_string(1'000'000 + n); }

/// What one command does besides its own item.
class Cost {
 public:
  explicit Cost(Store& store) : store_(store) { take(); }
  /// Since the last call: slots looked at, and items that went or moved.
  struct Taken {
    std::uint64_t looked = 0;
    std::uint64_t items = 0;
  };
  Taken take() {
    const PartitionCounters& c = store_->counters();
    const Taken now{c.slots_looked, c.evictions + c.reclaimed + c.rescued};
    const Taken since{now.looked - before_.looked, now.items - before_.items};
    before_ = now;
    return since;
  }

 private:
  Store& store_;
  Taken before_;
};

constexpr std::uint64_t kSmallAPage = kPageBytes / 48;

/// Values of 20 bytes until nothing is free. Returns how many were stored.
std::uint64_t fill(Store& store) {
  std::uint64_t n = 0;
  while (store->counters().evictions == 0) {
    EXPECT_EQ(store.set(key(n++), std::string(20, 's')), Outcome::Stored);
  }
  return n;
}

/// A value of the n-th class from one of 100 bytes on.
std::string value_of_class(Store& store, std::uint32_t n) {
  std::uint32_t id = 1;
  while (store->class_stats(id, 1).chunk_size < 128) {
    ++id;
  }
  return std::string(store->class_stats(id + n, 1).chunk_size - 40, 'x');
}

TEST(Pages, OneTakenAtOnceCostsABoundedNumberOfLooksHoweverHotAllIs) {
  Store store(256);
  const std::uint64_t items = fill(store);
  for (std::uint64_t n = 0; n < 3 * items; ++n) {
    store.get(key(n % items));
  }
  Cost cost(store);
  ASSERT_EQ(store.set("other", std::string(1000, 'o')), Outcome::Stored);
  const Cost::Taken taken = cost.take();
  EXPECT_EQ(store->counters().pages_stolen, 1U);
  EXPECT_GT(store->counters().rescued, 0U);
  EXPECT_LE(store->counters().rescued, kRescuesMax);
  EXPECT_LE(taken.looked, kSmallAPage + kRescueLooksMax + kSweepSlotsMax + kProbationLooksMax);
  EXPECT_LE(taken.items, kSmallAPage + kRescuesMax);
  store->check();
}

TEST(Pages, ThereIsNoReserveUntilSomebodyComesWithoutAPage) {
  Store store(1024);
  std::uint64_t n = fill(store);
  for (const std::uint64_t end = n + 20'000; n < end; ++n) {
    ASSERT_EQ(store.set(key(n), std::string(20, 's')), Outcome::Stored);
    ASSERT_EQ(store->memory_stats().pages_free, 0U);
  }
}

TEST(Pages, AReserveSparesTheNextClassesFromEmptyingOne) {
  Store store(1024);
  std::uint64_t n = fill(store);
  const auto store_small = [&](std::uint64_t count) {
    for (const std::uint64_t end = n + count; n < end; ++n) {
      ASSERT_EQ(store.set(key(n), std::string(20, 's')), Outcome::Stored);
    }
  };
  ASSERT_EQ(store.set("first", value_of_class(store, 0)), Outcome::Stored);
  EXPECT_EQ(store->counters().pages_stolen, 1U) << "it had to";
  // Page by page, a few slots with each command.
  Cost cost(store);
  const std::uint64_t reserve = 1024 / kReserveShare;
  for (int commands = 0; store->memory_stats().pages_free < reserve; ++commands) {
    ASSERT_LT(commands, 10'000);
    store_small(1);
    const Cost::Taken taken = cost.take();
    ASSERT_LE(taken.items, 2 * kDrainSlotsMax + 1) << "each slot's item may take another's place";
    ASSERT_LE(taken.looked, kDrainLooksMax + kDrainSlotsMax + 2 * kSweepSlotsMax);
  }
  store->check();
  for (std::uint32_t other = 1; other <= reserve; ++other) {
    ASSERT_EQ(store.set("other", value_of_class(store, other)), Outcome::Stored);
    const Cost::Taken taken = cost.take();
    EXPECT_LE(taken.items, 2 * kDrainSlotsMax + 1) << other;
  }
  // It fills again, and goes back to who can use it when nobody comes any more.
  store_small(10'000);
  EXPECT_EQ(store->memory_stats().pages_free, reserve);
  store_small(3 * store->counters().curr_items);
  EXPECT_EQ(store->memory_stats().pages_free, 0U);
  store->check();
}

TEST(Pages, TheIndexGrowsIntoAFullArenaBitByBit) {
  Store store(512);
  std::uint64_t n = 0;
  for (; store->counters().evictions == 0; ++n) {
    ASSERT_EQ(store.set("large" + key(n), std::string(5000, 'l')), Outcome::Stored);
  }
  const std::uint64_t index_before = store->memory_stats().pages_index;
  Cost cost(store);
  std::uint64_t at_once = 0;
  for (const std::uint64_t end = n + 400'000; n < end; ++n) {
    ASSERT_EQ(store.set(key(n % 40'000), "t"), Outcome::Stored);
    if (store.get(key(n % 1000)) == "(miss)") {
      store.set(key(n % 1000), "t");
    }
    const Cost::Taken taken = cost.take();
    at_once += taken.items > 2 * (2 * kDrainSlotsMax + 1) ? 1 : 0;
  }
  EXPECT_GE(store->memory_stats().pages_index, index_before);
  EXPECT_LE(at_once, 2U) << "the first small value needed a page";
  store->check();
}

TEST(Pages, ADriftOfSizesTakesFewPagesAtOnce) {
  Store store(1024);
  std::uint64_t n = fill(store);
  Cost cost(store);
  std::uint64_t commands = 0;
  std::uint64_t at_once = 0;
  for (std::uint32_t other = 0; other < 30; ++other) {
    const std::string value = value_of_class(store, other);
    for (int more = 0; more < 2000; ++more, ++commands) {
      ASSERT_EQ(store.set(key(n++), value), Outcome::Stored);
      const Cost::Taken taken = cost.take();
      ASSERT_LE(taken.items, kSmallAPage + kRescuesMax + 2 * kDrainSlotsMax);
      at_once += taken.items > 2 * kDrainSlotsMax + 1 ? 1 : 0;
    }
  }
  EXPECT_LE(at_once, 2U) << "of " << commands;
  store->check();
}

}  // namespace
}  // namespace millrace::store::tests
