// Walks in slices, crawls, pages moved by hand, evictions told: partition_walk.cc.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "store/partition.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

class Keys final : public ItemVisitor {
 public:
  explicit Keys(std::size_t most = ~std::size_t{0}) : most_(most) {}
  bool visit(const Item& item) noexcept override {
    ++seen[std::string(item.key())];
    return ++count_ % most_ != 0;
  }
  std::map<std::string, int> seen;

 private:
  std::size_t most_;
  std::size_t count_ = 0;
};

/// The keys of a whole walk, in slices of `slots`.
std::map<std::string, int> walk(Store& store, std::uint32_t slots, std::uint64_t classes = kAllClasses, Seconds now = 1,
                                std::size_t most = ~std::size_t{0}) {
  Keys keys(most);
  WalkCursor cursor;
  for (std::uint64_t slices = 0; store->walk(cursor, classes, slots, now, keys); ++slices) {
    if (slices > 1'000'000) {
      ADD_FAILURE() << "a walk without an end";
      break;
    }
  }
  return keys.seen;
}

void fill(Store& store) {
  for (int i = 0; i < 3000; ++i) {
    ASSERT_EQ(store.set("k" + std::to_string(i), std::string(static_cast<std::size_t>(i % 700), 'v')), Outcome::Stored);
  }
  ASSERT_EQ(store.set("large", std::string(300'000, 'v')), Outcome::Stored);
}

TEST(Walk, MeetsEachItemOnceWhateverTheSlice) {
  Store store(64);
  fill(store);
  for (const std::uint32_t slots : {1U, 7U, 256U, 100'000U}) {
    const auto seen = walk(store, slots);
    EXPECT_EQ(seen.size(), 3001U);
    for (const auto& [key, times] : seen) {
      ASSERT_EQ(times, 1) << key << " in slices of " << slots;
    }
  }
  EXPECT_EQ(walk(store, 256, kAllClasses, 1, 3).size(), 3001U);  // ended by the visitor again and again
}

TEST(Walk, ClassesAreApart) {
  Store store(64);
  fill(store);
  std::size_t sum = 0;
  for (std::uint32_t id = 1; id <= store->classes(); ++id) {
    const auto seen = walk(store, 50, std::uint64_t{1} << id);
    EXPECT_EQ(seen.size(), store->class_stats(id, 1).number) << id;
    for (const auto& [key, times] : seen) {
      ASSERT_EQ(store->class_id_of(*store.peek(key)), id);
    }
    sum += seen.size();
  }
  EXPECT_EQ(sum, 3001U);
}

TEST(Walk, TheDeadAreNotMet) {
  Store store(64);
  store.set("dead", "x", {.expires_at = 5});
  store.set("alive", "x");
  EXPECT_EQ(walk(store, 10, kAllClasses, 6), (std::map<std::string, int>{{"alive", 1}}));
}

TEST(Walk, GoesOnWhilePagesChangeHands) {
  Store store(16);
  for (int round = 0; round < 20; ++round) {
    const std::size_t size = round % 2 == 0 ? 40 : 9000;
    Keys keys;
    WalkCursor cursor;
    int stored = 0;
    while (store->walk(cursor, kAllClasses, 16, 1, keys)) {
      store.set("r" + std::to_string(round) + "k" + std::to_string(stored++), std::string(size, 'v'));
      ASSERT_LT(stored, 1'000'000);
    }
    store->check();
  }
}

TEST(Crawl, TakesTheDeadAndNoOther) {
  Store store(64);
  std::set<std::string> alive;
  for (int i = 0; i < 2000; ++i) {
    const std::string key = "k" + std::to_string(i);
    store.set(key, "value", {.expires_at = i % 3 == 0 ? Seconds{5} : i % 3 == 1 ? Seconds{50} : kNever});
    if (i % 3 != 0) {
      alive.insert(key);
    }
  }
  WalkCursor cursor;
  while (store->crawl(cursor, kAllClasses, 100, 10)) {
  }
  store->check();
  EXPECT_EQ(store->counters().curr_items, alive.size());
  EXPECT_EQ(store->counters().crawler_reclaimed, 2000 - alive.size());
  EXPECT_GE(store->counters().crawler_items_checked, 2000U);
  for (const std::string& key : alive) {
    ASSERT_TRUE(store.has(key, 10)) << key;
  }
}

TEST(Crawl, SwitchedOffNothingIsTakenOutUnasked) {
  Store store(16);
  for (int i = 0; i < 100; ++i) {
    store.set("k" + std::to_string(i), "x", {.expires_at = 5});
  }
  store->set_crawls(false);
  for (int i = 0; i < 1000; ++i) {
    store->housekeep(10, 256);
  }
  EXPECT_EQ(store->counters().curr_items, 100U);
  store->set_crawls(true);
  for (int i = 0; i < 10'000 && store->counters().curr_items > 0; ++i) {
    store->housekeep(10, 256);
  }
  EXPECT_EQ(store->counters().curr_items, 0U);
}

TEST(MovePage, FromOneClassToAnother) {
  Store store(32);
  for (int i = 0; i < 20'000; ++i) {
    store.set("k" + std::to_string(i), "value");
  }
  const std::uint32_t from = store->class_id_of(*store.peek("k19999"));
  const std::uint32_t to = from + 5;
  const std::uint64_t before = store->class_stats(from, 1).total_pages;
  ASSERT_GT(before, 2U);
  ASSERT_TRUE(store->move_page(from, to, 1));
  EXPECT_EQ(store->class_stats(from, 1).total_pages, before - 1);
  EXPECT_EQ(store->class_stats(to, 1).total_pages, 1U);
  store->check();
  EXPECT_FALSE(store->move_page(to, from, 1)) << "a class keeps its last page";
  EXPECT_TRUE(store->move_page(0, to, 1)) << "any class's";
  store->check();
}

TEST(MovePage, APinnedItemIsNotMoved) {
  Store store(8);
  store.set("k0", std::string(30'000, 'x'));
  store.set("k1", std::string(30'000, 'x'));
  const std::uint32_t from = store->class_id_of(*store.peek("k0"));
  const ItemRef pin = store.pin("k0");
  const bool moved = store->move_page(from, 1, 1);
  EXPECT_FALSE(moved) << "one page, and lent";
  store->unpin(pin);
  store->check();
}

TEST(WatchEvictions, EachLiveOneIsTold) {
  Store store(8);
  Keys keys;
  store->watch_evictions(&keys);
  for (int i = 0; i < 20'000; ++i) {
    store.set("k" + std::to_string(i), std::string(100, 'v'));
  }
  std::uint64_t told = 0;
  for (const auto& [key, times] : keys.seen) {
    told += static_cast<std::uint64_t>(times);
    EXPECT_FALSE(store.has(key)) << key;
  }
  EXPECT_GT(told, 0U);
  EXPECT_EQ(told, store->counters().evictions);
  store->watch_evictions(nullptr);
  store.set("last", "x");
}

}  // namespace
}  // namespace millrace::store::tests
