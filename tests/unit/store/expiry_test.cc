// Time: an item is there until its second and never from it on; flushes, now and to come.
#include <gtest/gtest.h>

#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

TEST(Expiry, IsExactToTheSecond) {
  Store store(8);
  store.set("key", "v", {.expires_at = 10}, 3);
  EXPECT_EQ(store.get("key", 9), "v");
  EXPECT_EQ(store.get("key", 10), "(miss)");
  EXPECT_EQ(store->counters().get_expired, 1U);
  EXPECT_EQ(store->counters().get_misses, 1U);
  EXPECT_EQ(store->counters().curr_items, 0U) << "who asks for it takes it out";
  EXPECT_EQ(store.get("key", 9), "(miss)") << "gone for good";
}

TEST(Expiry, NeverMeansNever) {
  Store store(8);
  store.set("key", "v");
  EXPECT_EQ(store.get("key", 0xffff'fffe), "v");
}

TEST(Expiry, OneThatHasPassedIsStoredButNeverSeen) {
  Store store(8);
  EXPECT_EQ(store.set("key", "v", {.expires_at = kAlreadyExpired}, 5), Outcome::Stored);
  EXPECT_EQ(store.get("key", 5), "(miss)");
}

TEST(Expiry, EveryCommandTakesADeadItemForNone) {
  Store store(8);
  const auto dead = [&] {
    store.set("key", "5", {.expires_at = 4}, 3);
    return "key";
  };
  EXPECT_EQ(store.look(dead(), 4), "(miss)");
  EXPECT_EQ(store.remove(dead(), 4), Outcome::NotFound);
  EXPECT_EQ(store.incr(dead(), 1, 4).outcome, Outcome::NotFound);
  EXPECT_EQ(store->touch(make_key(dead()), 9, 4), Outcome::NotFound);
  EXPECT_EQ(store->get_and_touch(make_key(dead()), 9, 4), nullptr);
  EXPECT_EQ(store.set(dead(), "v", {.mode = StoreMode::Replace}, 4), Outcome::NotStored);
  EXPECT_EQ(store.set(dead(), "v", {.mode = StoreMode::Append}, 4), Outcome::NotStored);
  EXPECT_EQ(store.set(dead(), "v", {.mode = StoreMode::Cas, .cas_compare = 1}, 4), Outcome::NotFound);
  EXPECT_EQ(store.set(dead(), "v", {.mode = StoreMode::Add}, 4), Outcome::Stored);
  EXPECT_EQ(store.get("key", 1000), "v") << "with an expiry of its own";
}

TEST(Expiry, TouchMovesItAndKeepsTheCasNumber) {
  Store store(8);
  store.set("key", "v", {.expires_at = 4}, 1);
  const Cas cas = store.peek("key", 1)->cas();
  EXPECT_EQ(store->touch(make_key("key"), 100, 3), Outcome::Touched);
  EXPECT_EQ(store.get("key", 99), "v");
  EXPECT_EQ(store.peek("key", 99)->cas(), cas);
  EXPECT_EQ(store->touch(make_key("key"), kNever, 99), Outcome::Touched);
  EXPECT_EQ(store.get("key", 0xffff'0000), "v");
  EXPECT_EQ(store->counters().cmd_touch, 2U);
  EXPECT_EQ(store->counters().touch_hits, 2U);
}

TEST(Expiry, GatWithOneThatHasPassedHandsTheValueOutOnceMore) {
  Store store(8);
  store.set("key", "v", {}, 5);
  const Item* item = store->get_and_touch(make_key("key"), kAlreadyExpired, 5);
  ASSERT_NE(item, nullptr) << "as memcached does";
  EXPECT_EQ(store.value_of(item), "v");
  EXPECT_EQ(store.get("key", 5), "(miss)");
  EXPECT_EQ(store->counters().touch_hits, 1U);
}

TEST(Expiry, HousekeepingTakesOutWhatNobodyAsksFor) {
  Store store(32);
  for (int n = 0; n < 3000; ++n) {
    store.set(std::to_string(n), std::string(100, 'v'), {.expires_at = n % 3 == 0 ? 10U : kNever});
  }
  store.set("long", std::string(200'000, 'l'), {.expires_at = 10});
  store.get("0");
  store.crawl(9);
  EXPECT_EQ(store->counters().crawler_reclaimed, 0U);
  store.crawl(10);
  EXPECT_EQ(store->counters().crawler_reclaimed, 1001U);
  EXPECT_EQ(store->counters().expired_unfetched, 1000U) << "one had been fetched";
  EXPECT_EQ(store->counters().curr_items, 2000U);
  EXPECT_EQ(store.get("1", 10), std::string(100, 'v'));
  store->check();
}

TEST(Expiry, HousekeepingLooksAtNoMoreThanItWasTold) {
  Store store(32);
  for (int n = 0; n < 3000; ++n) {
    store.set(std::to_string(n), std::string(100, 'v'), {.expires_at = 10});
  }
  std::uint64_t looked = 0;
  for (int turn = 0; turn < 100; ++turn) {
    const std::uint64_t before = store->counters().crawler_reclaimed;
    const std::uint32_t items = store->housekeep(10, 8);
    ASSERT_LE(items, 8U);
    ASSERT_LE(store->counters().crawler_reclaimed - before, 8U);
    looked += items;
  }
  EXPECT_EQ(looked, 800U);
  for (int turn = 0; store->counters().curr_items != 0; ++turn) {
    ASSERT_LT(turn, 1000) << "slice by slice it comes to every slot";
    store->housekeep(10, 8);
  }
}

TEST(Expiry, AnItemThatWasToStayCanBeGivenATime) {
  // Value sizes around where a chunk ends (the next four bytes then lie in another class), small and large, in pieces.
  for (const std::size_t bytes :
       {0U, 1U, 20U, 34U, 35U, 36U, 37U, 38U, 100U, 5000U, 8170U, 8176U, 8180U, 65'500U, 65'520U, 300'000U}) {
    for (const std::uint32_t flags : {0U, 9U}) {
      for (const bool is_lent : {false, true}) {
        SCOPED_TRACE(std::to_string(bytes) + (is_lent ? " lent" : ""));
        // With flags, the policy that would have it in probation had it not been fetched.
        const EvictionPolicy policy = flags != 0 ? EvictionPolicy::Clock : EvictionPolicy::Clock2;
        Store store(32, {.policy = policy});
        const std::string value(bytes, 'v');
        ASSERT_EQ(store.set("key", value, {.flags = flags}), Outcome::Stored);
        store.get("key");
        const Cas cas = store.peek("key")->cas();
        const Item* before = store.peek("key");
        const ItemRef ref = is_lent ? store.pin("key") : ItemRef{};
        const std::uint64_t stored = store->counters().total_items;
        ASSERT_EQ(store->touch(make_key("key"), 10, 2), Outcome::Touched);
        store->check();
        if (is_lent) {
          EXPECT_EQ(before->key(), "key") << "who was lent it reads what it was lent";
          EXPECT_TRUE(store.value_of(before) == value);
          store->unpin(ref);
        }
        const Item* item = store.peek("key", 9);
        ASSERT_NE(item, nullptr);
        EXPECT_TRUE(store.value_of(item) == value);
        EXPECT_EQ(item->expires_at(), 10U);
        EXPECT_EQ(item->client_flags(), flags);
        EXPECT_EQ(item->cas(), cas);
        EXPECT_EQ(item->clock(), policy == EvictionPolicy::Clock ? 3U : 2U) << "the get's and the touch's";
        EXPECT_EQ(store->counters().total_items, stored);
        EXPECT_EQ(store->counters().curr_items, 1U);
        EXPECT_FALSE(store.has("key", 10));
        store->check();
      }
    }
  }
}

TEST(Expiry, WithoutMemoryForATimeTheItemIsGone) {
  Store store(8, {.evicts = false});
  const std::string key = "key" + std::to_string(1'000'000);
  // Chunks that are full to the last byte, and no page for the next class.
  const std::size_t bytes = 1088 - kItemHeaderBytes - key.size();
  int stored = 0;
  while (store.set("key" + std::to_string(1'000'000 + stored), std::string(bytes, 'v')) == Outcome::Stored) {
    ++stored;
  }
  EXPECT_EQ(store->touch(make_key(key), 10, 2), Outcome::NotFound);
  EXPECT_FALSE(store.has(key, 2)) << "it must not live for ever";
  EXPECT_EQ(store->counters().curr_items, static_cast<std::uint64_t>(stored - 1));
  store->check();
}

TEST(Expiry, ATimeThatIsTakenAwayAndGivenAgain) {
  Store store(8);
  store.set("key", "value", {.expires_at = 10});
  ASSERT_EQ(store->touch(make_key("key"), kNever, 2), Outcome::Touched);
  store.crawl(50);
  EXPECT_EQ(store.get("key", 1000), "value");
  ASSERT_EQ(store->touch(make_key("key"), 2000, 1000), Outcome::Touched);
  EXPECT_EQ(store.set("key", "longer", {}, 1001), Outcome::Stored);
  EXPECT_EQ(store.get("key", 3000), "longer") << "overwritten without one";
  EXPECT_EQ(store.set("key", "again", {.expires_at = 3010}, 3001), Outcome::Stored);
  EXPECT_FALSE(store.has("key", 3010));
  store->check();
}

/// Calls of housekeep() as an idle worker makes them, without a look at what they do. Returns the chunks in use.
std::uint64_t rest(Store& store, Seconds now) {
  for (int turn = 0; turn < 400; ++turn) {
    store->housekeep(now, 256);
  }
  return store->counters().curr_items;
}

TEST(Expiry, MemoryIsBackUntouched) {
  Store store(256);
  // A second a thousand items; each lives for twenty.
  Seconds now = 100;
  int number = 0;
  for (; now < 120; ++now) {
    for (int n = 0; n < 1000; ++n, ++number) {
      store.set(std::to_string(number), std::string(200, 'v'), {.expires_at = now + 20}, now);
    }
    rest(store, now);
  }
  ASSERT_EQ(store->counters().curr_items, 20'000U);
  const std::uint64_t free = store->memory_stats().pages_free;
  for (; now < 140; ++now) {
    const std::uint64_t left = rest(store, now);
    const std::uint64_t alive = 1000 * (139 - now);
    EXPECT_LE(left, alive + 4000) << "a page waits for a few seconds at most: " << now;
    EXPECT_GE(left, alive);
  }
  rest(store, 200);
  EXPECT_EQ(store->counters().curr_items, 0U);
  EXPECT_GT(store->memory_stats().pages_free, free + 60) << "pages are free for other classes";
  EXPECT_EQ(store->counters().crawler_reclaimed, 20'000U);
  EXPECT_EQ(store->counters().expired_unfetched, 20'000U);
  EXPECT_FALSE(store->has_upkeep());
  store->check();
}

TEST(Expiry, LifetimesThatAreMixedLeaveNothingForLong) {
  Store store(64);
  for (int n = 0; n < 5000; ++n) {
    store.set(std::to_string(n), std::string(200, 'v'), {.expires_at = 10U + static_cast<Seconds>(n * 7919 % 3000)}, 1);
  }
  std::uint64_t sweeps = 0;
  for (Seconds now = 1; now < 3100; ++now) {
    for (int turn = 0; turn < 40; ++turn) {
      sweeps += store->housekeep(now, 256);
    }
    if (now > 80) {
      std::uint64_t alive = 0;
      for (int n = 0; n < 5000; ++n) {
        alive += 10U + static_cast<Seconds>(n * 7919 % 3000) > now ? 1 : 0;
      }
      ASSERT_GE(store->counters().curr_items, alive);
      // Dead for longer than the longest rest of a page: none.
      std::uint64_t recent = 0;
      for (int n = 0; n < 5000; ++n) {
        recent += 10U + static_cast<Seconds>(n * 7919 % 3000) + (1U << kSweepGapMax) > now ? 1 : 0;
      }
      ASSERT_LE(store->counters().curr_items, recent) << now;
    }
  }
  EXPECT_EQ(store->counters().curr_items, 0U);
  EXPECT_LT(sweeps, 5000U * 100) << "a page is not swept each second";
  store->check();
}

TEST(Expiry, WhatHasExpiredGoesBeforeWhatLives) {
  Store store(32);
  int number = 0;
  // Dead and living by turns in every page, until the arena is full.
  while (store->memory_stats().pages_free != 0) {
    ++number;
    store.set("key" + std::to_string(1'000'000 + number), std::string(100, 'v'),
              {.expires_at = number % 2 == 0 ? 10U : 100'000U});
  }
  const std::uint64_t dead = static_cast<std::uint64_t>(number) / 2;
  for (std::uint64_t n = 0; n + 200 < dead; ++n) {
    ASSERT_EQ(store.set("new" + std::to_string(1'000'000 + n), std::string(100, 'n'), {.expires_at = 100'000U}, 10),
              Outcome::Stored);
    ASSERT_EQ(store->counters().evictions, 0U) << "after " << n << " of " << dead;
  }
  EXPECT_GT(store->counters().reclaimed, 1000U);
  store->check();
}

TEST(Flush, TakesWhatWasStoredBeforeAndNothingAfter) {
  Store store(8);
  store.set("before", "v", {}, 7);
  store->flush(7, 7);
  store.set("after", "v", {}, 7);
  EXPECT_EQ(store.get("before", 7), "(miss)");
  EXPECT_EQ(store->counters().get_flushed, 1U);
  EXPECT_EQ(store.get("after", 7), "v") << "in the same second";
  store.crawl(7);
  EXPECT_EQ(store->counters().curr_items, 1U);
  store->check();
}

TEST(Flush, WithADelayTakesWhatIsThereWhenItFallsDue) {
  Store store(8);
  store.set("before", "v", {}, 5);
  store->flush(10, 5);
  store.set("meanwhile", "v", {}, 9);
  EXPECT_EQ(store.get("before", 9), "v");
  EXPECT_EQ(store.get("before", 10), "(miss)");
  EXPECT_EQ(store.get("meanwhile", 10), "(miss)");
  store.set("after", "v", {}, 10);
  EXPECT_EQ(store.get("after", 10), "v") << "it happens once";
}

TEST(Flush, FallsDueWithWhateverCommandComesFirst) {
  for (int which = 0; which < 5; ++which) {
    Store store(8);
    store.set("old", "5", {}, 1);
    store->flush(4, 1);
    Reservation reservation;
    switch (which) {
      case 0:
        store.set("new", "v", {}, 4);
        break;
      case 1:
        EXPECT_EQ(store.remove("old", 4), Outcome::NotFound);
        break;
      case 2:
        EXPECT_EQ(store.incr("old", 1, 4).outcome, Outcome::NotFound);
        break;
      case 3:
        EXPECT_EQ(store.reserve("new", "v", reservation, 4), Outcome::Stored);
        EXPECT_EQ(store.commit("new", reservation, {}, 4), Outcome::Stored);
        break;
      default:
        store->housekeep(4, 1);
    }
    EXPECT_EQ(store.look("old", 4), "(miss)") << which;
    if (which == 0 || which == 3) {
      EXPECT_EQ(store.look("new", 4), "v") << which;
    }
  }
}

TEST(Flush, TheLastOneCounts) {
  Store store(8);
  store->flush(10, 5);
  store->flush(20, 6);
  store.set("key", "v", {}, 6);
  EXPECT_EQ(store.get("key", 19), "v");
  EXPECT_EQ(store.get("key", 20), "(miss)");

  store->flush(30, 21);
  store->flush(22, 22);
  store.set("key", "v", {}, 22);
  EXPECT_EQ(store.get("key", 31), "v") << "one at once replaces one to come";
}

}  // namespace
}  // namespace millrace::store::tests
