// What the meta commands ask of a partition: stale values and who may renew them, given CAS numbers, keys that a
// look-up makes, ages.
#include <gtest/gtest.h>

#include <string>

#include "store/change_times.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

constexpr std::uint32_t kPages = 64;

StoreReply store_meta(Store& store, std::string_view key, std::string_view value, const StoreArgs& args,
                      const MetaStoreArgs& meta, Seconds now = 1) {
  return store->store(make_key(key), value, args, meta, now);
}

TEST(Meta, FindNeitherCountsNorBumps) {
  Store store(kPages);
  store.set("key", "value");
  EXPECT_EQ(store.value_of(store->find(make_key("key"), 1)), "value");
  EXPECT_EQ(store->find(make_key("other"), 1), nullptr);
  EXPECT_EQ(store->counters().cmd_get, 0U);
  EXPECT_FALSE(store.peek("key")->was_fetched());
}

TEST(Meta, ADeadItemIsNotFoundAndIsGone) {
  Store store(kPages);
  store.set("key", "value", {.expires_at = 10});
  EXPECT_EQ(store->find(make_key("key"), 10), nullptr);
  EXPECT_EQ(store->counters().get_expired, 1U);
  EXPECT_EQ(store->counters().curr_items, 0U);
}

TEST(Meta, VivifyMakesAnEmptyValue) {
  Store store(kPages);
  const Item* item = store->vivify(make_key("key"), std::nullopt, 1);
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->value_bytes(), 0U);
  EXPECT_EQ(item->expires_at(), kNever);
  EXPECT_EQ(store->counters().cmd_set, 0U);
  item = store->change(make_key("key"), {.expires_at = Seconds{30}, .wins = true, .bumps = true}, 1);
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->expires_at(), 30U);
  EXPECT_TRUE(item->has_won());
  EXPECT_TRUE(item->was_fetched());
  EXPECT_FALSE(item->is_stale());
  store->check();
}

TEST(Meta, GetsAreCountedAsMemcachedDoes) {
  Store store(kPages);
  store.set("key", "value");
  const Item* item = store.peek("key");
  store->count_get(item, false);
  store->count_get(item, true);
  store->count_get(nullptr, false);
  const PartitionCounters& counters = store->counters();
  EXPECT_EQ(counters.cmd_get, 2U);
  EXPECT_EQ(counters.get_hits, 1U);
  EXPECT_EQ(counters.get_misses, 1U);
  EXPECT_EQ(counters.cmd_touch, 1U);
  EXPECT_EQ(counters.touch_hits, 1U);
  EXPECT_EQ(store->class_stats(store->class_id_of(*item), 1).get_hits, 1U);
}

TEST(Meta, MarkedStaleAndRenewed) {
  Store store(kPages);
  store.set("key", "value", {.expires_at = 100});
  const Cas before = store.peek("key")->cas();
  EXPECT_EQ(store->remove(make_key("key"), {.marks_stale = true, .expires_at = Seconds{50}}, 1), Outcome::Deleted);
  const Item* item = store.peek("key");
  EXPECT_TRUE(item->is_stale());
  EXPECT_EQ(item->expires_at(), 50U);
  EXPECT_GT(item->cas(), before);
  EXPECT_EQ(store->counters().delete_hits, 0U) << "it is there still";
  store->change(make_key("key"), {.wins = true}, 1);
  EXPECT_TRUE(item->has_won());
  // Marked again: the token is free again.
  EXPECT_EQ(store->remove(make_key("key"), {.marks_stale = true}, 1), Outcome::Deleted);
  EXPECT_FALSE(item->has_won());
  EXPECT_EQ(item->expires_at(), 50U);
  store.set("key", "renewed");
  EXPECT_FALSE(store.peek("key")->is_stale());
  EXPECT_FALSE(store.peek("key")->has_won());
  store->check();
}

TEST(Meta, ALowerCasNumberStoresAStaleValue) {
  Store store(kPages);
  store.set("key", "first", {.expires_at = 100});
  const Cas first = store.peek("key")->cas();
  store.set("key", "second", {.expires_at = 200});
  const MetaStoreArgs takes_stale{.takes_stale = true};
  EXPECT_EQ(store_meta(store, "key", "third", {.mode = StoreMode::Cas, .cas_compare = first}, {}).outcome,
            Outcome::Exists);
  EXPECT_EQ(
      store_meta(store, "key", "third", {.mode = StoreMode::Cas, .expires_at = 300, .cas_compare = first}, takes_stale)
          .outcome,
      Outcome::Stored);
  const Item* item = store.peek("key");
  EXPECT_EQ(store.look("key"), "third");
  EXPECT_TRUE(item->is_stale());
  EXPECT_EQ(item->expires_at(), 200U) << "the old expiry stays";
  EXPECT_EQ(
      store_meta(store, "key", "fourth", {.mode = StoreMode::Cas, .cas_compare = item->cas() + 1}, takes_stale).outcome,
      Outcome::Exists)
      << "a higher one does not";
  const Cas now = item->cas();
  EXPECT_EQ(store_meta(store, "key", "fourth", {.mode = StoreMode::Cas, .cas_compare = now}, takes_stale).outcome,
            Outcome::Stored);
  EXPECT_FALSE(store.peek("key")->is_stale()) << "the right one is no stale value";
  EXPECT_EQ(store_meta(store, "none", "x", {.mode = StoreMode::Cas, .cas_compare = 1}, takes_stale).outcome,
            Outcome::NotFound);
}

TEST(Meta, AppendMayMakeItsKey) {
  Store store(kPages);
  const MetaStoreArgs vivifies{.vivifies = true};
  EXPECT_EQ(store_meta(store, "key", "a", {.mode = StoreMode::Append, .expires_at = 60}, {}).outcome,
            Outcome::NotStored);
  EXPECT_EQ(store_meta(store, "key", "a", {.mode = StoreMode::Append, .expires_at = 60}, vivifies).outcome,
            Outcome::Stored);
  EXPECT_EQ(store.peek("key")->expires_at(), 60U);
  EXPECT_EQ(store_meta(store, "key", "b", {.mode = StoreMode::Append, .expires_at = 90}, vivifies).outcome,
            Outcome::Stored);
  EXPECT_EQ(store_meta(store, "key", "c", {.mode = StoreMode::Prepend, .expires_at = 90}, vivifies).outcome,
            Outcome::Stored);
  EXPECT_EQ(store.look("key"), "cab");
  EXPECT_EQ(store.peek("key")->expires_at(), 60U);
}

TEST(Meta, GivenCasNumbersOfAnySize) {
  Store store(kPages);
  for (const std::string& value : {std::string("small"), std::string(200'000, 'v')}) {
    for (const Cas cas : {Cas{0}, Cas{7}, ~Cas{0}}) {
      const StoreReply reply = store_meta(store, "key", value, {.flags = 5, .expires_at = 90}, {.given_cas = cas});
      EXPECT_EQ(reply.outcome, Outcome::Stored);
      EXPECT_EQ(reply.cas, cas);
      const Item* item = store.peek("key");
      ASSERT_NE(item, nullptr);
      EXPECT_EQ(item->cas(), cas);
      EXPECT_EQ(item->client_flags(), 5U);
      EXPECT_EQ(item->expires_at(), 90U);
      EXPECT_EQ(item->key(), "key");
      EXPECT_EQ(store.look("key"), value);
      store->check();
    }
  }
  const Outcome wrong = store_meta(store, "key", "x", {.mode = StoreMode::Cas, .cas_compare = 8}, {}).outcome;
  EXPECT_EQ(wrong, Outcome::Exists);
  EXPECT_EQ(store_meta(store, "key", "x", {.mode = StoreMode::Cas, .cas_compare = ~Cas{0}}, {}).outcome,
            Outcome::Stored);
  EXPECT_LT(store.peek("key")->cas(), 1000U) << "the next change has the store's own number again";
}

TEST(Meta, AGivenNumberDoesNotOutliveAFlushNorFallToOne) {
  Store store(kPages);
  for (int i = 0; i < 100; ++i) {
    store.set("other", "x");
  }
  store->flush(1, 1);
  store_meta(store, "key", "x", {}, {.given_cas = Cas{1}});  // lower than all that were flushed
  EXPECT_TRUE(store.has("key"));
  store_meta(store, "key", "x", {}, {.given_cas = ~Cas{0}});
  store->flush(1, 1);
  EXPECT_FALSE(store.has("key"));
}

TEST(Meta, ChangesInPlaceForgetAGivenNumber) {
  Store store(kPages);
  store_meta(store, "key", "10", {}, {.given_cas = ~Cas{0}});
  EXPECT_EQ(store.incr("key", 5).number, 15U);
  EXPECT_LT(store.peek("key")->cas(), 1000U);
  EXPECT_EQ(store.look("key"), "15");
  store_meta(store, "key", "6", {.mode = StoreMode::Append}, {.given_cas = Cas{77}});
  EXPECT_EQ(store.peek("key")->cas(), 77U);
  EXPECT_EQ(store.look("key"), "156");
  store.set("key", "7", {.mode = StoreMode::Append});
  EXPECT_LT(store.peek("key")->cas(), 1000U);
  EXPECT_EQ(store.look("key"), "1567");
  store->check();
}

TEST(Meta, AReservationMayHaveRoomForAGivenNumber) {
  Store store(kPages);
  const std::string value(100'000, 'v');
  for (const bool has_room : {true, false}) {
    Reservation reservation;
    Outcome outcome = store->reserve(make_key("key"), static_cast<std::uint32_t>(value.size()), 1, reservation,
                                     StoreMode::Set, has_room);
    while (outcome == Outcome::Stored && !reservation.is_whole()) {
      outcome = store->continue_reserve(reservation, make_key("key").hash, StoreMode::Set, 1);
    }
    ASSERT_EQ(outcome, Outcome::Stored);
    for (std::size_t at = 0; at < value.size();) {
      const auto room = store->reserved_span(reservation, static_cast<std::uint32_t>(at));
      at += value.copy(room.data(), room.size(), at);
    }
    const StoreReply reply = store->commit(reservation, make_key("key").hash, {}, {.given_cas = ~Cas{0}}, 1);
    EXPECT_EQ(reply.outcome, Outcome::Stored);
    EXPECT_EQ(store.peek("key")->cas(), ~Cas{0});
    EXPECT_EQ(store.look("key"), value);
    store->check();
  }
  EXPECT_EQ(store->counters().reservations, 0U);
}

TEST(Meta, DeletesWithConditions) {
  Store store(kPages);
  store.set("key", "value", {.flags = 3});
  const Cas cas = store.peek("key")->cas();
  EXPECT_EQ(store->remove(make_key("key"), {.compare = cas + 1}, 1), Outcome::Exists);
  EXPECT_EQ(store->remove(make_key("none"), {.compare = cas}, 1), Outcome::NotFound);
  EXPECT_EQ(store->counters().delete_misses, 2U);
  // An empty value in its place, under the same number.
  EXPECT_EQ(store->remove(make_key("key"), {.removes_value = true, .expires_at = Seconds{9}}, 1), Outcome::Deleted);
  EXPECT_EQ(store.look("key"), "");
  EXPECT_EQ(store.peek("key")->cas(), cas);
  EXPECT_EQ(store.peek("key")->client_flags(), 0U);
  EXPECT_EQ(store.peek("key")->expires_at(), 9U);
  EXPECT_EQ(store->remove(make_key("key"), {.marks_stale = true, .removes_value = true, .flags = 8}, 1),
            Outcome::Deleted);
  EXPECT_TRUE(store.peek("key")->is_stale());
  EXPECT_EQ(store.peek("key")->client_flags(), 8U);
  EXPECT_EQ(store->remove(make_key("key"), {.compare = store.peek("key")->cas()}, 1), Outcome::Deleted);
  EXPECT_FALSE(store.has("key"));
  EXPECT_EQ(store->counters().delete_hits, 2U);
  store->check();
}

TEST(Meta, ArithmeticThatMakesItsKey) {
  Store store(kPages);
  bool created = false;
  const auto arith = [&](const MetaArithArgs& args) { return store->arith(make_key("n"), args, 1, created); };
  EXPECT_EQ(arith({}).outcome, Outcome::NotFound);
  EXPECT_EQ(store->counters().incr_misses, 1U);
  EXPECT_EQ(arith({.vivifies = true, .initial = ~std::uint64_t{0}}).number, ~std::uint64_t{0});
  EXPECT_TRUE(created);
  EXPECT_EQ(arith({.vivifies = true, .initial = 9}).number, 0U) << "it wraps";
  EXPECT_FALSE(created);
  const Cas cas = store.peek("n")->cas();
  EXPECT_EQ(arith({.compare = cas + 1}).outcome, Outcome::Exists);
  const ArithReply given = arith({.delta = 41, .compare = cas, .given_cas = Cas{1} << 60});
  EXPECT_EQ(given.number, 41U);
  EXPECT_EQ(given.cas, Cas{1} << 60);
  EXPECT_EQ(store.peek("n")->cas(), Cas{1} << 60);
  EXPECT_EQ(arith({.delta = 100, .is_decrement = true}).number, 0U);
  store.set("n", "word");
  EXPECT_EQ(arith({.vivifies = true}).outcome, Outcome::NotNumeric);
  store->check();
}

TEST(Meta, OneOfAFullPartitionAndNoMemory) {
  Store store(4, {.evicts = false});
  std::uint32_t stored = 0;
  while (store.set("filler" + std::to_string(stored), std::string(400, 'f')) == Outcome::Stored) {
    ++stored;
  }
  ASSERT_GT(stored, 50U);
  // Whatever finds no memory says so, and the partition stays in order.
  for (std::uint32_t i = 0; i < stored; ++i) {
    const std::string key = "filler" + std::to_string(i);
    const StoreReply reply = store_meta(store, key, std::string(400, 'g'), {}, {.given_cas = Cas{i}});
    if (reply.outcome == Outcome::Stored) {
      ASSERT_EQ(store.peek(key)->cas(), i);
    } else {
      ASSERT_EQ(reply.outcome, Outcome::OutOfMemory);
      ASSERT_FALSE(store.has(key));
    }
  }
  store->check();
}

TEST(ChangeTimes, KnowsWhenEachChangeWasMade) {
  ChangeTimes times;
  EXPECT_EQ(times.at(5), 1U);
  times.note(10, 0);  // changes 1.. are of second 10
  times.note(11, 100);
  times.note(20, 150);
  times.note(30, 150);  // nothing happened meanwhile
  EXPECT_EQ(times.at(1), 10U);
  EXPECT_EQ(times.at(100), 10U);
  EXPECT_EQ(times.at(101), 11U);
  EXPECT_EQ(times.at(150), 11U);
  EXPECT_EQ(times.at(151), 30U);
}

TEST(ChangeTimes, OldOnesAreRightWithinAFraction) {
  ChangeTimes times;
  constexpr Seconds kEnd = 1'000'000;
  for (Seconds now = 1; now <= kEnd; ++now) {
    times.note(now, now * 10 - 10);  // ten changes a second
  }
  for (Seconds ago = 0; ago < kEnd - 1; ago = ago * 3 / 2 + 1) {
    const Seconds second = kEnd - ago;
    const Seconds told = times.at(second * 10 - 5);
    ASSERT_LE(told, second);
    ASSERT_LE(second - told, ago / 12 + 2) << ago << " seconds ago";
  }
}

TEST(Meta, AgesFollowChanges) {
  Store store(kPages);
  store.set("old", "x", {}, 10);
  store.set("new", "x", {}, 15);
  EXPECT_EQ(store->age(*store.peek("old", 20), 20), 10U);
  EXPECT_EQ(store->age(*store.peek("new", 20), 20), 5U);
  store.set("old", "y", {}, 20);
  EXPECT_EQ(store->age(*store.peek("old", 20), 20), 0U);
}

}  // namespace
}  // namespace millrace::store::tests
