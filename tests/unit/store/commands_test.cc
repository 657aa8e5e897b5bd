// The storing commands, one by one, and what they count.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "support/seed.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

TEST(Store, SetAddReplace) {
  Store store(8);
  EXPECT_EQ(store.set("key", "r", {.mode = StoreMode::Replace}), Outcome::NotStored);
  EXPECT_EQ(store.set("key", "a", {.mode = StoreMode::Add, .flags = 9}), Outcome::Stored);
  EXPECT_EQ(store.set("key", "b", {.mode = StoreMode::Add}), Outcome::NotStored);
  EXPECT_EQ(store.get("key"), "a");
  EXPECT_EQ(store.peek("key")->client_flags(), 9U);
  EXPECT_EQ(store.set("key", "r", {.mode = StoreMode::Replace}), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "r");
  EXPECT_EQ(store.peek("key")->client_flags(), 0U) << "a new value brings its own flags";
  EXPECT_EQ(store.set("key", "s"), Outcome::Stored);
  EXPECT_EQ(store->counters().cmd_set, 5U);
  EXPECT_EQ(store->counters().total_items, 3U);
  EXPECT_EQ(store->counters().curr_items, 1U);
  store->check();
}

TEST(Store, ValuesOfEveryLengthReplaceEachOther) {
  Store store(64);
  for (const std::size_t bytes :
       {0U, 1U, 100U, 101U, 8191U, 8192U, 9000U, 65'000U, 65'536U, 66'000U, 300'000U, 5U, 300'000U, 299'999U, 0U}) {
    const std::string value(bytes, static_cast<char>('a' + bytes % 26));
    for (const std::uint32_t flags : {0U, 1U, 0xffff'ffffU, 0U}) {
      ASSERT_EQ(store.set("key", value, {.flags = flags}), Outcome::Stored);
      ASSERT_TRUE(store.get("key") == value) << bytes;
      ASSERT_EQ(store.peek("key")->client_flags(), flags);
      ASSERT_EQ(store->counters().bytes, store.peek("key")->item_bytes());
      store->check();
    }
  }
}

TEST(Store, KeysOfEveryLength) {
  Store store(64);
  for (std::size_t bytes = 1; bytes <= kKeyBytesMax; ++bytes) {
    ASSERT_EQ(store.set(std::string(bytes, 'k'), std::to_string(bytes)), Outcome::Stored);
  }
  for (std::size_t bytes = 1; bytes <= kKeyBytesMax; ++bytes) {
    ASSERT_EQ(store.get(std::string(bytes, 'k')), std::to_string(bytes));
  }
  store->check();
}

TEST(Store, TooLargeIsCountedAndTheStaleValueOfSetGoes) {
  Store store(8, {.item_bytes_max = 1024});
  const std::string fits(1024 - kItemHeaderBytes - 3, 'v');
  EXPECT_EQ(store.set("key", fits), Outcome::Stored) << "-I counts header, key and value";
  EXPECT_EQ(store.set("key", fits + "v", {.mode = StoreMode::Replace}), Outcome::TooLarge);
  EXPECT_EQ(store.get("key"), fits);
  EXPECT_EQ(store.set("key", fits, {.flags = 1}), Outcome::TooLarge) << "client flags count too";
  EXPECT_EQ(store.get("key"), "(miss)");
  EXPECT_EQ(store->counters().store_too_large, 2U);
}

TEST(Cas, StoresWhenNothingChangedSince) {
  Store store(8);
  EXPECT_EQ(store.set("key", "v", {.mode = StoreMode::Cas, .cas_compare = 1}), Outcome::NotFound);
  store.set("key", "one");
  const Cas first = store.peek("key")->cas();
  const StoreReply reply = store->store(make_key("key"), "two", {.mode = StoreMode::Cas, .cas_compare = first}, 1);
  EXPECT_EQ(reply.outcome, Outcome::Stored);
  EXPECT_GT(reply.cas, first);
  EXPECT_EQ(reply.cas, store.peek("key")->cas());
  EXPECT_EQ(store.set("key", "three", {.mode = StoreMode::Cas, .cas_compare = first}), Outcome::Exists);
  EXPECT_EQ(store.get("key"), "two");
  EXPECT_EQ(store->counters().cas_misses, 1U);
  EXPECT_EQ(store->counters().cas_hits, 1U);
  EXPECT_EQ(store->counters().cas_badval, 1U);
}

TEST(Cas, EveryChangeTakesTheNextNumber) {
  Store store(8);
  Cas last = 0;
  const auto changed = [&] {
    const Cas cas = store.peek("key")->cas();
    EXPECT_GT(cas, last);
    last = cas;
  };
  store.set("key", "1");
  changed();
  store.set("key", "2");
  changed();
  store.incr("key", 1);
  changed();
  store.incr("key", 1'000'000);
  changed();
  store.set("key", "0", {.mode = StoreMode::Append});
  changed();
  store.set("key", "x", {.mode = StoreMode::Prepend});
  changed();
  store.get("key");
  store->touch(make_key("key"), 99, 1);
  EXPECT_EQ(store.peek("key")->cas(), last) << "looking and touching are no changes";
}

TEST(Cas, NumbersThatRunOutAreGivenAnewFromOne) {
  Store store(64, {.cas_start = kCasMax - 1024 - 500});
  for (int n = 0; n < 400; ++n) {
    store.set("flushed" + std::to_string(n), "v");
  }
  store->flush(1, 1);
  store.set("long", std::string(200'000, 'l'));
  store.set("lent", "lent");
  const Item* item = store.peek("lent");
  const ItemRef pin = store->pin(item);
  Reservation reservation;
  ASSERT_EQ(store.reserve("arriving", "late", reservation), Outcome::Stored);
  Cas highest = 0;
  for (int n = 0; n < 3000; ++n) {
    const StoreReply reply = store->store(make_key("key" + std::to_string(n % 300)), "v", {}, 1);
    ASSERT_EQ(reply.outcome, Outcome::Stored);
    highest = std::max(highest, reply.cas);
    ASSERT_LE(reply.cas, kCasMax);
  }
  EXPECT_GT(highest, kCasMax - 1025);
  EXPECT_LT(store.peek("key0")->cas(), 10'000U) << "they began anew";
  EXPECT_EQ(store.look("flushed0"), "(miss)") << "what was flushed stays flushed";
  EXPECT_EQ(store->counters().curr_items, 302U);
  EXPECT_EQ(store.get("long"), std::string(200'000, 'l'));
  EXPECT_EQ(store.commit("arriving", reservation), Outcome::Stored);
  EXPECT_EQ(store.get("arriving"), "late");
  store->unpin(pin);
  const Cas before = store.peek("key1")->cas();
  EXPECT_EQ(store.set("key1", "w", {.mode = StoreMode::Cas, .cas_compare = before}), Outcome::Stored);
  store->flush(1, 1);
  EXPECT_EQ(store.get("key1"), "(miss)");
  store.crawl(1);
  store->check();
}

TEST(Concat, AppendsAndPrependsWithOldFlagsAndExpiry) {
  Store store(8);
  EXPECT_EQ(store.set("key", "v", {.mode = StoreMode::Append}), Outcome::NotStored);
  EXPECT_EQ(store.set("key", "v", {.mode = StoreMode::Prepend}), Outcome::NotStored);
  store.set("key", "b", {.flags = 3, .expires_at = 50});
  EXPECT_EQ(store.set("key", "c", {.mode = StoreMode::Append, .flags = 8, .expires_at = 9}), Outcome::Stored);
  EXPECT_EQ(store.set("key", "a", {.mode = StoreMode::Prepend, .flags = 8}), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "abc");
  EXPECT_EQ(store.peek("key")->client_flags(), 3U);
  EXPECT_EQ(store.peek("key")->expires_at(), 50U);
}

TEST(Concat, GrowsFromOneByteThroughClassesIntoChains) {
  Store store(64);
  std::string expected = "start";
  store.set("key", expected);
  for (int n = 0; expected.size() < 400'000; ++n) {
    const std::string part(expected.size() / 2 + 1, static_cast<char>('a' + n % 26));
    const bool at_end = n % 3 != 0;
    ASSERT_EQ(store.set("key", part, {.mode = at_end ? StoreMode::Append : StoreMode::Prepend}), Outcome::Stored);
    expected = at_end ? expected + part : part + expected;
    ASSERT_TRUE(store.get("key") == expected) << expected.size();
    store->check();
  }
}

TEST(Concat, WhatWouldBeTooLargeLeavesTheOldValue) {
  Store store(8, {.item_bytes_max = 1024});
  const std::string value(900, 'v');
  store.set("key", value);
  EXPECT_EQ(store.set("key", std::string(200, 'w'), {.mode = StoreMode::Append}), Outcome::TooLarge);
  EXPECT_EQ(store.get("key"), value);
  EXPECT_EQ(store->counters().store_too_large, 1U);
}

TEST(Arith, FollowsMemcached) {
  Store store(8);
  EXPECT_EQ(store.incr("n", 1).outcome, Outcome::NotFound);
  EXPECT_EQ(store.decr("n", 1).outcome, Outcome::NotFound);
  store.set("n", "10");
  EXPECT_EQ(store.incr("n", 1).number, 11U);
  EXPECT_EQ(store.decr("n", 100).number, 0U) << "never below zero";
  EXPECT_EQ(store.get("n"), "0 ") << "as long as it was";
  EXPECT_EQ(store.incr("n", 18446744073709551615U).number, 18446744073709551615U);
  EXPECT_EQ(store.get("n"), "18446744073709551615");
  EXPECT_EQ(store.incr("n", 2).number, 1U) << "wraps";
  EXPECT_EQ(store.get("n"), "1                   ");
  EXPECT_EQ(store->counters().incr_misses, 1U);
  EXPECT_EQ(store->counters().decr_misses, 1U);
  EXPECT_EQ(store->counters().incr_hits, 3U);
  EXPECT_EQ(store->counters().decr_hits, 1U);
  store->check();
}

TEST(Arith, RewritesTheWholeValueAndKeepsFlagsAndExpiry) {
  Store store(8);
  store.set("n", "5 apples", {.flags = 6, .expires_at = 77});
  EXPECT_EQ(store.incr("n", 1).number, 6U);
  EXPECT_EQ(store.get("n"), "6       ");
  EXPECT_EQ(store.peek("n")->client_flags(), 6U);
  EXPECT_EQ(store.peek("n")->expires_at(), 77U);
  EXPECT_EQ(store->counters().total_items, 1U) << "in place it is no new item";
}

TEST(Arith, ALongerNumberMovesToAnotherClassWhenItMust) {
  Store store(8);
  // Key lengths around the edge of a chunk: some grow in place, some move.
  for (std::size_t key_bytes = 1; key_bytes <= 60; ++key_bytes) {
    const std::string key(key_bytes, 'k');
    std::uint64_t expected = 9;
    store.set(key, "9", {.flags = static_cast<std::uint32_t>(key_bytes % 2), .expires_at = 1000});
    while (expected < 1'000'000'000'000'000'000) {
      const ArithReply reply = store.incr(key, expected * 9);
      expected *= 10;
      ASSERT_EQ(reply.number, expected);
      ASSERT_EQ(store.get(key), std::to_string(expected));
      ASSERT_EQ(reply.cas, store.peek(key)->cas());
      ASSERT_EQ(store.peek(key)->client_flags(), key_bytes % 2);
      ASSERT_EQ(store.peek(key)->expires_at(), 1000U);
    }
  }
  store->check();
}

TEST(Arith, TheVictimOfALongerNumberMayLieInItsBucket) {
  // Both in one bucket, the number last: when the other is evicted to make room, the number's entry takes its place.
  const auto named = [](char first, int n) {
    std::string key = std::to_string(n);
    return first + std::string(18 - key.size(), '0') + key;
  };
  const auto bucket = [](const std::string& key) { return make_key(key).hash.position() >> 54; };
  const std::string victim = named('v', 0);
  int n = 0;
  while (bucket(named('n', n)) != bucket(victim)) {
    ++n;
  }
  const std::string number = named('n', n);

  Store store(6, {.policy = EvictionPolicy::Clock2});
  const std::string other(20, 'o');  // as long as the number will be, so of the class that it will need
  ASSERT_EQ(store.set(victim, other), Outcome::Stored);
  ASSERT_EQ(store.set("first of its class: keeps its page", "xxxxx"), Outcome::Stored);
  std::uint32_t id = 1;
  while (store->class_stats(id, 1).number == 0) {
    ++id;
  }
  for (int more = 0; store->memory_stats().pages_free > 1 || store->class_stats(id, 1).free_chunks != 0; ++more) {
    ASSERT_EQ(store.set(named('o', more), other), Outcome::Stored);
  }
  ASSERT_EQ(store.set(number, "9999999999999999999"), Outcome::Stored);
  ASSERT_EQ(store->memory_stats().pages_free, 0U);
  ASSERT_EQ(store->counters().evictions, 0U);
  EXPECT_EQ(store.incr(number, 1).number, 10'000'000'000'000'000'000U);
  EXPECT_EQ(store->counters().evictions, 1U);
  EXPECT_FALSE(store.has(victim));
  EXPECT_EQ(store.get(number), "10000000000000000000");
  store->check();
}

TEST(Arith, WhatIsNoNumberStaysAsItIs) {
  Store store(64);
  for (const std::string& value :
       {std::string("x"), std::string(), std::string("-1"), std::string(5000, '1'), std::string(200'000, '1')}) {
    store.set("n", value);
    EXPECT_EQ(store.incr("n", 1).outcome, Outcome::NotNumeric);
    EXPECT_EQ(store.decr("n", 1).outcome, Outcome::NotNumeric);
    EXPECT_TRUE(store.get("n") == value);
  }
  EXPECT_EQ(store->counters().incr_hits, 0U);
}

TEST(Delete, TakesTheItemAndItsMemory) {
  Store store(40, {.policy = EvictionPolicy::Clock2});  // no queue that remembers where it was
  const std::uint64_t free = store->memory_stats().pages_free;
  for (const std::size_t bytes : {10U, 5000U, 700'000U}) {
    store.set("key", std::string(bytes, 'v'));
    EXPECT_EQ(store.remove("key"), Outcome::Deleted);
    EXPECT_EQ(store.remove("key"), Outcome::NotFound);
    EXPECT_EQ(store->memory_stats().pages_free, free);
  }
  EXPECT_EQ(store->counters().delete_hits, 3U);
  EXPECT_EQ(store->counters().delete_misses, 3U);
  EXPECT_EQ(store->counters().bytes, 0U);
  store->check();
}

TEST(Get, CountsHitsAndMissesAndPeekDoesNot) {
  Store store(8);
  store.set("key", "v");
  store.get("key");
  store.get("none");
  store.look("key");
  EXPECT_EQ(store->counters().cmd_get, 2U);
  EXPECT_EQ(store->counters().get_hits, 1U);
  EXPECT_EQ(store->counters().get_misses, 1U);
  std::uint64_t class_hits = 0;
  for (std::uint32_t id = 1; id <= store->classes(); ++id) {
    class_hits += store->class_stats(id, 1).get_hits;
  }
  EXPECT_EQ(class_hits, 1U);
}

/// Two stores with the same items of every shape: one is asked for many keys at once, the other for each.
TEST(Get, ManyAtOnceAreAsOneAfterTheOther) {
  std::mt19937_64 random(millrace::tests::test_seed());
  const auto below = [&](std::uint64_t end) { return random() % end; };
  Store together(64);
  Store one_by_one(64);
  std::vector<std::string> names;
  for (int n = 0; n < 300; ++n) {
    const std::size_t key_bytes = below(2) == 0 ? 1 + below(kKeyBytesMax) : 8 + below(30);
    std::string name = std::to_string(n) + std::string(key_bytes, static_cast<char>('a' + n % 26));
    name.resize(std::max(key_bytes, std::to_string(n).size()));
    names.push_back(name);
    const std::string value(below(20) == 0 ? below(200'000) : below(300), 'v');
    const StoreArgs args{.flags = below(2) == 0 ? 0U : static_cast<std::uint32_t>(random()),
                         .expires_at = below(2) == 0 ? kNever : static_cast<Seconds>(2 + below(6))};
    const MetaStoreArgs meta{.given_cas = below(4) == 0 ? std::optional<Cas>(random()) : std::nullopt};
    for (Store* store : {&together, &one_by_one}) {
      ASSERT_EQ((*store)->store(make_key(name), value, args, meta, 1).outcome, Outcome::Stored);
      if (n == 100) {
        (*store)->flush(1, 1);
      }
    }
  }
  for (Seconds now = 1; now < 10; ++now) {
    std::vector<Key> keys;
    for (std::size_t count = 1 + below(kPrefetchMax); keys.size() < count;) {
      keys.push_back(below(5) == 0 ? make_key("nobody has it") : make_key(names[below(names.size())]));
    }
    together->prefetch_all(keys);
    std::vector<Partition::Got> got(keys.size());
    together->get_all(keys, now, got);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Item* item = one_by_one->get(keys[i], now);
      ASSERT_EQ(got[i].item != nullptr, item != nullptr) << keys[i].bytes << " at " << now;
      if (item == nullptr) {
        continue;
      }
      EXPECT_EQ(got[i].item->key(), keys[i].bytes);
      EXPECT_EQ(got[i].client_flags, item->client_flags());
      ASSERT_EQ(got[i].value_bytes, item->value_bytes());
      EXPECT_EQ(got[i].value == nullptr, item->is_chained());
      EXPECT_EQ(got[i].item->clock(), item->clock());
      if (got[i].value != nullptr) {
        EXPECT_EQ(std::string_view(got[i].value, got[i].value_bytes), one_by_one.value_of(item));
      }
    }
    const PartitionCounters& ours = together->counters();
    const PartitionCounters& theirs = one_by_one->counters();
    EXPECT_EQ(ours.cmd_get, theirs.cmd_get);
    EXPECT_EQ(ours.get_hits, theirs.get_hits);
    EXPECT_EQ(ours.get_misses, theirs.get_misses);
    EXPECT_EQ(ours.get_expired, theirs.get_expired);
    EXPECT_EQ(ours.get_flushed, theirs.get_flushed);
    EXPECT_EQ(ours.curr_items, theirs.curr_items);
    for (std::uint32_t id = 1; id <= together->classes(); ++id) {
      EXPECT_EQ(together->class_stats(id, now).get_hits, one_by_one->class_stats(id, now).get_hits);
    }
    together->check();
  }
  EXPECT_GT(together->counters().get_expired, 0U);
  EXPECT_GT(together->counters().get_flushed, 0U);
}

TEST(VisitClass, ShowsLiveItemsAndStopsWhenTold) {
  Store store(8);
  struct Counter final : ItemVisitor {
    bool visit(const Item&) noexcept override { return ++seen != stop_at; }
    std::uint32_t seen = 0;
    std::uint32_t stop_at = 0;
  };
  for (int n = 0; n < 100; ++n) {
    store.set("key" + std::to_string(10 + n), "v", {.expires_at = n < 30 ? 5U : kNever});
  }
  const auto visited = [&](std::uint32_t items_max, std::uint32_t stop_at) {
    Counter counter;
    counter.stop_at = stop_at;
    for (std::uint32_t id = 1; id <= store->classes(); ++id) {
      store->visit_class(id, items_max, 5, counter);
    }
    return counter.seen;
  };
  EXPECT_EQ(visited(0, 0), 70U);
  EXPECT_EQ(visited(12, 0), 12U);
  EXPECT_EQ(visited(0, 7), 7U);
}

}  // namespace
}  // namespace millrace::store::tests
