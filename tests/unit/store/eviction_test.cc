// CLOCK in a class: who goes, who stays, and how far the hand looks.
#include <gtest/gtest.h>

#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

const PartitionOptions kClockAlone{.policy = EvictionPolicy::Clock2};

/// Eight of these fill a page.
const std::string kEighth(8000, 'v');

std::string key(int n) { return "k" + std::to_string(n); }

/// A partition whose item pages are full of kEighth under key(0), key(1) … in the order of the hand.
struct FullStore {
  explicit FullStore(std::uint32_t item_pages)
      : store(item_pages + 1, kClockAlone), items(static_cast<int>(item_pages) * 8) {
    for (int n = 0; n < items; ++n) {
      EXPECT_EQ(store.set(key(n), kEighth), Outcome::Stored);
    }
    EXPECT_EQ(store->counters().evictions, 0U);
    EXPECT_EQ(store->memory_stats().pages_free, 0U);
  }
  Store store;
  int items;
};

TEST(Clock, WithoutHitsTheOldestGoesFirst) {
  FullStore full(3);
  Store& store = full.store;
  for (int n = 0; n < 100; ++n) {
    ASSERT_TRUE(store.has(key(n)));
    store.set(key(full.items + n), kEighth);
    ASSERT_FALSE(store.has(key(n)));
    ASSERT_EQ(store->counters().evictions, static_cast<std::uint64_t>(n) + 1);
  }
  EXPECT_EQ(store->counters().evicted_unfetched, 100U);
}

TEST(Clock, AHitSurvivesTheHandOnce) {
  FullStore full(3);
  Store& store = full.store;
  store.get(key(0));
  store.get(key(2));
  store.set("a", kEighth);
  EXPECT_TRUE(store.has(key(0)));
  EXPECT_EQ(store.peek(key(0))->clock(), 0U) << "the hand took the hit away";
  EXPECT_FALSE(store.has(key(1)));
  store.set("b", kEighth);
  EXPECT_TRUE(store.has(key(2)));
  EXPECT_FALSE(store.has(key(3)));
  for (int n = 4; n < full.items; ++n) {
    store.set("c" + std::to_string(n), kEighth);
    ASSERT_FALSE(store.has(key(n)));
  }
  EXPECT_TRUE(store.has(key(0)) && store.has(key(2)));
  store.set("d", kEighth);
  EXPECT_FALSE(store.has(key(0))) << "on the second round it has no hit left";
}

TEST(Clock, ThreeHitsAreAsManyAsCount) {
  FullStore full(3);
  Store& store = full.store;
  for (int n = 0; n < 50; ++n) {
    store.get(key(0));
  }
  int stored = 0;
  while (store.has(key(0))) {
    store.set("n" + std::to_string(stored++), kEighth);
  }
  EXPECT_EQ(stored, 3 * (full.items - 1) + 1) << "it stays for three rounds and goes when the fourth begins";
}

TEST(Clock, OnlyAHitCounts) {
  FullStore full(3);
  Store& store = full.store;
  store.look(key(0));
  store->touch(make_key(key(1)), kNever, 1);
  store->get_and_touch(make_key(key(2)), kNever, 1);
  EXPECT_EQ(store.peek(key(0))->clock(), 0U) << "peek is none";
  EXPECT_EQ(store.peek(key(1))->clock(), 1U);
  EXPECT_EQ(store.peek(key(2))->clock(), 1U);
  store.set(key(2), kEighth);
  EXPECT_EQ(store.peek(key(2))->clock(), 1U) << "a new value keeps the hits of the old";
  store.set(key(3), kEighth);
  EXPECT_EQ(store.peek(key(3))->clock(), 0U) << "storing is none";
}

TEST(Clock, ADeadItemGoesBeforeALiveOneWhateverItsHits) {
  FullStore full(3);
  Store& store = full.store;
  store.set(key(1), kEighth, {.expires_at = 5});
  store.get(key(1));
  store.get(key(0));
  store.set("new", kEighth, {}, 5);
  EXPECT_EQ(store->counters().reclaimed, 1U);
  EXPECT_EQ(store->counters().evictions, 0U);
  EXPECT_TRUE(store.has(key(0), 5) && store.has(key(2), 5));
  EXPECT_EQ(store->counters().expired_unfetched, 0U) << "it had been fetched";
}

TEST(Clock, WhenAllIsHotTheHandGivesUpAfterItsBound) {
  Store store(6, kClockAlone);
  std::uint64_t items = 0;
  while (store->counters().evictions == 0) {
    ASSERT_EQ(store.set(key(static_cast<int>(items++)), "v"), Outcome::Stored);
  }
  ASSERT_GT(store->counters().curr_items, 2 * kSweepSlotsMax);
  for (std::uint64_t n = 0; n < items; ++n) {
    for (int hit = 0; hit < 3; ++hit) {
      store.get(key(static_cast<int>(n)));
    }
  }
  const std::uint64_t before = store->counters().evictions;
  const std::uint64_t stood = store->counters().curr_items;
  store.set("one more", "v");
  EXPECT_EQ(store->counters().evictions, before + 1);
  std::uint64_t cooled = 0;
  for (std::uint64_t n = 0; n < items; ++n) {
    if (const Item* item = store.peek(key(static_cast<int>(n)))) {
      cooled += item->clock() == 2 ? 1 : 0;
      ASSERT_GE(item->clock(), 2U);
    }
  }
  EXPECT_EQ(store->counters().curr_items, stood);
  EXPECT_LE(cooled, kSweepSlotsMax);
  EXPECT_GE(cooled, kSweepSlotsMax - 8) << "it honours hits as far as the bound";
}

/// What a whole page holds of a value as the first piece of an item under key(0) .. key(9), and as a later one.
constexpr std::size_t kFirstPiece = kPageBytes - kItemHeaderBytes - kTimeBytes - kChainBytes - 2;
constexpr std::size_t kLaterPiece = kPageBytes - kContinuationBytes;

TEST(Clock, ALargeItemAgesOnceARoundInTheClassOfItsHead) {
  Store store(17, {.policy = EvictionPolicy::Clock2, .large_value_share = 100});
  const std::string value(kFirstPiece + 3 * kLaterPiece, 'x');  // four whole pages
  for (int n = 0; n < 4; ++n) {
    ASSERT_EQ(store.set(key(n), value), Outcome::Stored);
  }
  ASSERT_EQ(store->memory_stats().pages_free, 0U);
  store.get(key(0));
  ASSERT_EQ(store.set(key(4), value), Outcome::Stored);
  EXPECT_TRUE(store.has(key(0))) << "its other pieces do not count";
  EXPECT_EQ(store.peek(key(0))->clock(), 0U);
  EXPECT_FALSE(store.has(key(1)));
  EXPECT_EQ(store->counters().evictions, 1U);
  store->check();
}

TEST(Clock, ALargeItemAgesInAClassThatHoldsItsLastPieceOnly) {
  Store store(18, {.policy = EvictionPolicy::Clock2, .large_value_share = 100});
  const std::string value(kFirstPiece + 5000, 'x');  // a whole page, and a piece in a class of twelve a page
  for (int n = 0; n < 10; ++n) {
    ASSERT_EQ(store.set(key(n), value), Outcome::Stored);
  }
  // Items of the pieces' size fill their page, and then the pool runs dry.
  ASSERT_EQ(store.set("p0", std::string(5000, 'p')), Outcome::Stored);
  ASSERT_EQ(store.set("p1", std::string(5000, 'p')), Outcome::Stored);
  ASSERT_TRUE(store->set_limit(12 * kPageBytes));
  store.get(key(0));
  store.get(key(0));
  ASSERT_EQ(store.set("p2", std::string(5000, 'p')), Outcome::Stored);
  EXPECT_TRUE(store.has(key(0)));
  EXPECT_EQ(store.peek(key(0))->clock(), 1U) << "the hand of the pieces' class took one";
  EXPECT_FALSE(store.has(key(1))) << "and met this one next";
  EXPECT_EQ(store->counters().evictions, 1U);
  store->check();
}

TEST(Clock, AClassTellsHowOldItsNextOnesAreAndTheLastThatWent) {
  FullStore full(3);
  Store& store = full.store;
  const std::uint32_t id = store->class_id_of(*store.peek(key(0), 5));
  const ClassStats before = store->class_stats(id, 11);
  EXPECT_EQ(before.age, 10U) << "all were stored in second 1";
  EXPECT_EQ(before.evicted_time, 0U) << "none went yet";
  ASSERT_EQ(store.set("new", kEighth, {}, 21), Outcome::Stored);
  ASSERT_EQ(store->counters().evictions, 1U);
  EXPECT_EQ(store->class_stats(id, 31).age, 30U);
  EXPECT_EQ(store->class_stats(id, 31).evicted_time, 20U) << "as it was then";
}

TEST(Clock, EvictedItemsAreCountedInTheirClass) {
  FullStore full(3);
  Store& store = full.store;
  store.set(key(0), kEighth, {.expires_at = 1000});
  store.set("new", kEighth);
  std::uint64_t evicted = 0;
  for (std::uint32_t id = 1; id <= store->classes(); ++id) {
    const ClassStats stats = store->class_stats(id, 1);
    evicted += stats.evicted;
    if (stats.evicted != 0) {
      EXPECT_EQ(stats.evicted_nonzero, 1U);
      EXPECT_EQ(stats.evicted_unfetched, 1U);
      EXPECT_EQ(stats.number, 24U);
      EXPECT_EQ(stats.used_chunks, 24U);
      EXPECT_EQ(stats.free_chunks, 0U);
    }
  }
  EXPECT_EQ(evicted, 1U);
}

}  // namespace
}  // namespace millrace::store::tests
