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
