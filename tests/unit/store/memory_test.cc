// Whose memory it is: no eviction, pages between classes, a limit that moves, and the index's share.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

std::uint64_t pages_in_use(Store& store) {
  const MemoryStats memory = store->memory_stats();
  return memory.pages_items + memory.pages_index + memory.pages_overflow;
}

/// Keys of one length, so that items of one value size are of one class.
std::string key(int n) { return "key" + std::to_string(10'000'000 + n); }

/// The class of a value of so many bytes under such a key.
ClassStats class_of_value(Store& store, std::uint32_t value_bytes) {
  std::uint32_t id = 1;
  while (store->class_stats(id, 1).chunk_size < kItemHeaderBytes + key(0).size() + value_bytes) {
    ++id;
  }
  return store->class_stats(id, 1);
}

TEST(Memory, WithEvictionOffTheRestIsRefusedAndNothingGoes) {
  Store store(16, {.evicts = false});
  int stored = 0;
  while (store.set("key" + std::to_string(stored), std::string(1000, 'v')) == Outcome::Stored) {
    ++stored;
  }
  EXPECT_EQ(store->counters().store_no_memory, 1U);
  EXPECT_EQ(store->counters().evictions, 0U);
  EXPECT_EQ(store->counters().curr_items, static_cast<std::uint64_t>(stored));
  for (int n = 0; n < stored; ++n) {
    ASSERT_TRUE(store.has("key" + std::to_string(n)));
  }
  EXPECT_EQ(store.set("key0", std::string(1000, 'w')), Outcome::Stored) << "over itself there is room";
  EXPECT_EQ(store.set("other", "another class"), Outcome::OutOfMemory);
  EXPECT_EQ(store.set("key1", std::string(3000, 'w'), {.mode = StoreMode::Replace}), Outcome::OutOfMemory);
  EXPECT_EQ(store.get("key1"), std::string(1000, 'v')) << "replace leaves the old value";
  EXPECT_EQ(store.set("key1", std::string(3000, 'w')), Outcome::OutOfMemory);
  EXPECT_EQ(store.get("key1"), "(miss)") << "set does not: it would be stale";
  EXPECT_EQ(store.set("key1", std::string(1000, 'w')), Outcome::Stored) << "in the place that came free";
  store->check();
}

TEST(Memory, WithEvictionOffExpiredItemsMakeRoom) {
  Store store(8, {.evicts = false});
  int stored = 0;
  while (store.set("key" + std::to_string(stored), std::string(1000, 'v'), {.expires_at = 10}) == Outcome::Stored) {
    ++stored;
  }
  EXPECT_EQ(store.set("new", std::string(1000, 'n'), {}, 9), Outcome::OutOfMemory);
  EXPECT_EQ(store.set("new", std::string(1000, 'n'), {}, 10), Outcome::Stored);
  EXPECT_EQ(store->counters().reclaimed, 1U);
  EXPECT_EQ(store->counters().evictions, 0U);
}

TEST(Memory, PagesFollowTheHandsWhenSizesDrift) {
  Store store(128, {.policy = EvictionPolicy::Clock2});
  for (int n = 0; store->counters().evictions < 100; ++n) {
    store.set(key(n), std::string(100, 's'));
  }
  const std::uint64_t small_before = class_of_value(store, 100).total_pages;
  EXPECT_GT(small_before, 100U);
  // From now on values are larger, and nobody asks for the small ones any more.
  for (int n = 0; n < 30'000; ++n) {
    ASSERT_EQ(store.set(key(1'000'000 + n), std::string(2000, 'l')), Outcome::Stored);
  }
  EXPECT_GT(class_of_value(store, 2000).total_pages, 60U) << "most pages have changed hands";
  EXPECT_LT(class_of_value(store, 100).total_pages, small_before / 2);
  EXPECT_GT(store->counters().pages_stolen, 50U);
  EXPECT_EQ(pages_in_use(store), 128U);
  store->check();
}

TEST(Memory, ARebalancedPageThatIsNeverUsedCanBeTakenAgain) {
  Store store(32, {.policy = EvictionPolicy::Clock2});
  for (int n = 0; store->counters().evictions == 0; ++n) {
    store.set(key(n), std::string(500, 's'));
  }
  // Until a rebalancing has just given the large items a page that holds nothing yet.
  const auto has_untouched_page = [&] {
    const ClassStats stats = class_of_value(store, 2000);
    return stats.total_pages > 1 && stats.free_chunks == stats.chunks_per_page;
  };
  for (int n = 0; !has_untouched_page(); ++n) {
    ASSERT_LT(n, 10'000);
    ASSERT_EQ(store.set(key(1'000'000 + n), std::string(2000, 'l')), Outcome::Stored);
  }
  // Everything else is lent, so that it is the only page that can be had.
  std::vector<ItemRef> refs;
  struct Lender final : ItemVisitor {
    Lender(Store& s, std::vector<ItemRef>& r) : store(s), refs(r) {}
    bool visit(const Item& item) noexcept override {
      refs.push_back(store->pin(&item));
      return refs.back() != ItemRef{};
    }
    Store& store;
    std::vector<ItemRef>& refs;
  } lender(store, refs);
  for (std::uint32_t id = 1; id <= store->classes(); ++id) {
    store->visit_class(id, 0, 1, lender);
  }
  EXPECT_EQ(store.set("whole page", std::string(65'000, 'w')), Outcome::Stored);
  EXPECT_FALSE(has_untouched_page());
  store->check();
  for (const ItemRef ref : refs) {
    store->unpin(ref);
  }
  store->check();
}

TEST(Memory, ALowerLimitIsReachedByHousekeepingAndKept) {
  Store store(128);
  for (int n = 0; store->counters().evictions == 0; ++n) {
    store.set(std::to_string(n), std::string(500, 'v'));
  }
  ASSERT_TRUE(store->set_limit(64 * kPageBytes));
  EXPECT_EQ(store->limit_bytes(), 64 * kPageBytes);
  std::uint64_t in_use = pages_in_use(store);
  for (int turn = 0; pages_in_use(store) > 64; ++turn) {
    ASSERT_LT(turn, 100);
    store->housekeep(1, 8);
    ASSERT_EQ(store.set("meanwhile" + std::to_string(turn), std::string(500, 'w')), Outcome::Stored);
    ASSERT_LE(pages_in_use(store), in_use) << "storing goes on and takes nothing back";
    ASSERT_GE(pages_in_use(store) + 8, in_use) << "a few pages a turn";
    in_use = pages_in_use(store);
  }
  for (int n = 0; n < 20'000; ++n) {
    ASSERT_EQ(store.set("after" + std::to_string(n), std::string(static_cast<std::size_t>(n % 3000), 'w')),
              Outcome::Stored);
    ASSERT_LE(pages_in_use(store), 64U);
  }
  store->check();
  ASSERT_TRUE(store->set_limit(128 * kPageBytes));
  for (int n = 0; n < 40'000; ++n) {
    store.set("more" + std::to_string(n), std::string(500, 'm'));
  }
  EXPECT_EQ(pages_in_use(store), 128U) << "and up again";
  store->check();
}

TEST(Memory, ALimitThatCannotBeIsRefused) {
  Store store(16);
  store.set("a", "small");
  store.set("b", std::string(1000, 'b'));
  store.set("c", std::string(60'000, 'c'));
  EXPECT_FALSE(store->set_limit(17 * kPageBytes)) << "more than the arena";
  EXPECT_FALSE(store->set_limit(3 * kPageBytes)) << "less than what serves";
  EXPECT_FALSE(store->set_limit(0));
  EXPECT_FALSE(store->set_limit(~std::uint64_t{0}));
  EXPECT_EQ(store->limit_bytes(), 16 * kPageBytes);
  EXPECT_TRUE(store->set_limit(16 * kPageBytes));
  ASSERT_TRUE(store->set_limit(5 * kPageBytes)) << "the index, who is in probation, and a page for each class in use";
  while (pages_in_use(store) > 5) {
    store->housekeep(1, 8);
  }
  store->check();
}

/// Fills up to where the index is about to want more pages, with room for the items that make it want them, and lowers
/// the limit so that no page is free. Returns how many keys were stored.
int fill_until_index_will_want(Store& store, std::uint64_t index_pages_min) {
  for (int n = 0;;) {
    EXPECT_EQ(store.set(key(n++), "t"), Outcome::Stored);
    const MemoryStats memory = store->memory_stats();
    const std::uint64_t grows_above = memory.index_buckets * kBucketLanes * 85 / 100;
    const std::uint64_t items = store->counters().curr_items;
    if (memory.pages_index >= index_pages_min && !memory.index_is_growing && items < grows_above &&
        items + class_of_value(store, 1).free_chunks > grows_above + 200) {
      EXPECT_TRUE(store->set_limit(pages_in_use(store) * kPageBytes));
      return n;
    }
  }
}

TEST(Memory, TheIndexGrowsIntoAFullArenaWithoutAPause) {
  Store store(1024, {.policy = EvictionPolicy::Clock2});  // nothing else asks for pages meanwhile
  int n = fill_until_index_will_want(store, 40);
  const std::uint64_t index_before = store->memory_stats().pages_index;
  std::deque<std::uint64_t> emptied{store->counters().pages_stolen};
  for (int more = 0; more < 5000; ++more) {
    ASSERT_EQ(store.set(key(n++), "t"), Outcome::Stored);
    emptied.push_back(store->counters().pages_stolen);
    ASSERT_LE(emptied.back() - emptied.front(), 2U) << "pages emptied within 64 stores";
    if (emptied.size() > 64) {
      emptied.pop_front();
    }
  }
  EXPECT_EQ(store->memory_stats().pages_index, index_before + index_before / 4) << "it got all it wanted";
  EXPECT_EQ(store->memory_stats().pages_free, 0U);
  store->check();
}

TEST(Memory, WithEvictionOffTheIndexWaitsForAPage) {
  Store store(200, {.evicts = false});
  int n = fill_until_index_will_want(store, 3);
  const std::uint64_t index_before = store->memory_stats().pages_index;
  while (store.set(key(n), "t") == Outcome::Stored) {
    ++n;
  }
  EXPECT_TRUE(store->memory_stats().index_is_growing);
  EXPECT_EQ(store->memory_stats().pages_index, index_before);
  EXPECT_EQ(store->counters().evictions, 0U);
  EXPECT_EQ(store->counters().curr_items, static_cast<std::uint64_t>(n));
  store->check();
  ASSERT_TRUE(store->set_limit(200 * kPageBytes));
  for (int more = 0; more < 10'000; ++more) {
    ASSERT_EQ(store.set(key(n++), "t"), Outcome::Stored);
  }
  EXPECT_GT(store->memory_stats().pages_index, index_before);
  store->check();
}

TEST(Memory, HeaderAndIndexTakeAtMost20BytesAnItem) {
  // 30-byte keys and 32-byte values at several fillings, from just after a growth of the index to just before the next.
  Store store(1024);
  const std::string value(32, 'v');
  std::string key(30, 'k');
  double most = 0;
  for (int n = 0; store->counters().evictions == 0; ++n) {
    std::snprintf(key.data() + 18, 13, "%012d", n);
    ASSERT_EQ(store.set(key, value), Outcome::Stored);
    const MemoryStats memory = store->memory_stats();
    if (n > 100'000 && n % 1000 == 0) {
      const double index = static_cast<double>((memory.pages_index + memory.pages_overflow) * kPageBytes) / n;
      most = std::max(most, index + kItemHeaderBytes);
    }
  }
  EXPECT_LE(most, 20.0);
  EXPECT_GT(most, kItemHeaderBytes + 5.0) << "or it was not measured";
}

TEST(Memory, TablesBesideTheArenaAreCounted) {
  Store store(1024);
  const MemoryStats memory = store->memory_stats();
  EXPECT_GE(memory.table_bytes, 1024 * sizeof(Page) + PinTable::table_bytes());
  EXPECT_LT(memory.table_bytes, 1024 * kPageBytes / 100) << "one hundredth of a small arena";
  EXPECT_EQ(memory.pages_arena, 1024U);
  EXPECT_EQ(memory.pages_free + memory.pages_items + memory.pages_index + memory.pages_overflow + memory.pages_ghost,
            1024U);
  EXPECT_EQ(memory.pages_ghost, 1024U / 256);
}

}  // namespace
}  // namespace millrace::store::tests
