// Memory promised to a value that is still arriving: nobody finds it, nobody takes it, and it is used up once.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

TEST(Reservation, IsFoundFromItsCommitOn) {
  Store store(8);
  Reservation reservation;
  ASSERT_EQ(store.reserve("key", "arriving", reservation), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "(miss)");
  EXPECT_EQ(store->counters().curr_items, 0U);
  EXPECT_EQ(store->counters().reservations, 1U);
  store->check();
  EXPECT_EQ(store.commit("key", reservation, {.flags = 7, .expires_at = 90}), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "arriving");
  EXPECT_EQ(store.peek("key")->client_flags(), 7U);
  EXPECT_EQ(store.peek("key")->expires_at(), 90U);
  EXPECT_EQ(store->counters().reservations, 0U);
  store->check();
}

TEST(Reservation, AbortGivesEverythingBack) {
  Store store(40);
  const std::uint64_t free = store->memory_stats().pages_free;
  for (const std::size_t bytes : {0U, 1U, 3000U, 60'000U, 70'000U, 900'000U}) {
    Reservation reservation;
    ASSERT_EQ(store.reserve("key", std::string(bytes, 'x'), reservation), Outcome::Stored) << bytes;
    store->check();
    store->abort(reservation);
    EXPECT_EQ(store->memory_stats().pages_free, free) << bytes;
    EXPECT_EQ(store->counters().reservations, 0U);
    store->check();
  }
}

TEST(Reservation, TheOldValueIsServedMeanwhile) {
  Store store(8);
  store.set("key", "old");
  Reservation reservation;
  ASSERT_EQ(store.reserve("key", "new", reservation), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "old");
  store->abort(reservation);
  EXPECT_EQ(store.get("key"), "old");
}

TEST(Reservation, JudgesWhatIsThereWhenItCommits) {
  Store store(8);
  const auto commit = [&](StoreMode mode, Cas compare, auto&& meanwhile) {
    store.remove("key");
    Reservation reservation;
    EXPECT_EQ(store.reserve("key", "late", reservation, 1, 1U << 30, mode), Outcome::Stored);
    meanwhile();
    const Outcome outcome = store.commit("key", reservation, {.mode = mode, .cas_compare = compare});
    EXPECT_EQ(store->counters().reservations, 0U);
    store->check();
    return outcome;
  };
  EXPECT_EQ(commit(StoreMode::Add, 0, [&] { store.set("key", "first"); }), Outcome::NotStored);
  EXPECT_EQ(store.get("key"), "first");
  EXPECT_EQ(commit(StoreMode::Replace, 0, [] {}), Outcome::NotStored);
  EXPECT_EQ(store.get("key"), "(miss)");
  EXPECT_EQ(commit(StoreMode::Replace, 0, [&] { store.set("key", "first"); }), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "late");
  EXPECT_EQ(commit(StoreMode::Cas, 1, [] {}), Outcome::NotFound);
  EXPECT_EQ(commit(StoreMode::Cas, 1, [&] { store.set("key", "first"); }), Outcome::Exists);
  EXPECT_EQ(commit(StoreMode::Append, 0, [&] { store.set("key", "first"); }), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "firstlate");
  EXPECT_EQ(commit(StoreMode::Prepend, 0, [&] { store.set("key", "first"); }), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "latefirst");
  EXPECT_EQ(commit(StoreMode::Append, 0, [] {}), Outcome::NotStored);
  EXPECT_EQ(commit(StoreMode::Set, 0, [&] { store.set("key", std::string(9000, 'x')); }), Outcome::Stored);
  EXPECT_EQ(store.get("key"), "late") << "replaced meanwhile, and replaced again";
}

TEST(Reservation, SurvivesEvictionAndFlush) {
  Store store(8);
  const std::string value(30'000, 'r');
  Reservation reservation;
  ASSERT_EQ(store.reserve("key", value, reservation), Outcome::Stored);
  for (int n = 0; n < 400; ++n) {
    store.set(std::to_string(n), std::string(5000, 'c'));
  }
  EXPECT_GT(store->counters().evictions, 0U);
  store->flush(1, 1);
  EXPECT_EQ(store.commit("key", reservation), Outcome::Stored);
  EXPECT_EQ(store.get("key"), value) << "stored after the flush";
  store->check();
}

TEST(Reservation, IsFilledInAnySteps) {
  const std::string value = [] {
    std::string v(200'000, '\0');
    for (std::size_t n = 0; n < v.size(); ++n) {
      v[n] = static_cast<char>('a' + n * 7 % 26);
    }
    return v;
  }();
  for (const std::size_t step : {1U, 1000U, 65'524U, 200'000U}) {
    Store store(16);
    Reservation reservation;
    ASSERT_EQ(store.reserve("key", value, reservation, 1, step), Outcome::Stored);
    // Going back is allowed: the piece is found again from the start.
    const auto first = store->reserved_span(reservation, 0);
    EXPECT_EQ(std::string_view(first.data(), 10), value.substr(0, 10));
    EXPECT_TRUE(store->reserved_span(reservation, static_cast<std::uint32_t>(value.size())).empty());
    ASSERT_EQ(store.commit("key", reservation), Outcome::Stored);
    ASSERT_TRUE(store.get("key") == value);
    store->check();
  }
}

TEST(Reservation, TooLargeDeletesTheStaleValueOfSetAlone) {
  for (const StoreMode mode : {StoreMode::Set, StoreMode::Add, StoreMode::Replace, StoreMode::Append, StoreMode::Cas}) {
    Store store(8, {.item_bytes_max = 2000});
    store.set("key", "old");
    Reservation reservation;
    EXPECT_EQ(store->reserve(make_key("key"), 2000, 1, reservation, mode), Outcome::TooLarge);
    EXPECT_EQ(store->reserve(make_key("key"), 0xffff'ffff, 1, reservation, mode), Outcome::TooLarge);
    EXPECT_FALSE(reservation.is_valid());
    EXPECT_EQ(store.look("key"), mode == StoreMode::Set ? "(miss)" : "old");
    EXPECT_EQ(store->counters().store_too_large, 2U);
    EXPECT_EQ(store->counters().reservations, 0U);
  }
}

TEST(Reservation, WithoutMemoryItIsRefusedAndNothingLeaks) {
  Store store(20);
  Reservation first;
  Reservation second;
  ASSERT_EQ(store.reserve("a", std::string(700'000, 'a'), first), Outcome::Stored);
  store.set("b", "old");
  EXPECT_EQ(store.reserve("b", std::string(700'000, 'b'), second), Outcome::OutOfMemory);
  EXPECT_EQ(store->counters().store_no_memory, 1U);
  EXPECT_EQ(store.look("b"), "(miss)") << "no stale value";
  EXPECT_EQ(store->counters().reservations, 1U);
  store->check();
  store->abort(first);
  EXPECT_EQ(store.reserve("b", std::string(700'000, 'b'), second), Outcome::Stored);
  store->abort(second);
  store->check();
}

/// An arena full of small items of one class.
void fill_with_small(Store& store) {
  for (int n = 0; store->counters().evictions == 0; ++n) {
    ASSERT_EQ(store.set("small" + std::to_string(1'000'000 + n), std::string(20, 's')), Outcome::Stored);
  }
}

TEST(Reservation, ALargeOneIsFoundInBoundedSteps) {
  Store store(256, {.item_bytes_max = 12U << 20, .large_value_share = 100});
  fill_with_small(store);
  const auto gone = [&] { return store->counters().evictions + store->counters().reclaimed; };
  const auto looked = [&] { return store->counters().slots_looked; };
  std::uint64_t before = gone();
  std::uint64_t looked_before = looked();
  Reservation reservation;
  Outcome outcome = store->reserve(make_key("large"), 10U << 20, 1, reservation);
  int steps = 1;
  while (true) {
    ASSERT_EQ(outcome, Outcome::Stored);
    // The first step takes the head as well, which may need a page at once.
    const std::uint64_t head = steps == 1 ? kPageBytes / 48 : 0;
    ASSERT_LE(gone() - before, head + kStepSlotsMax + kStepEvictionsMax);
    ASSERT_LE(looked() - looked_before, head + 3 * kStepSlotsMax);
    if (steps % 100 == 1) {
      store->check();
    }
    if (reservation.is_whole()) {
      break;
    }
    // Others are served in between, and take nothing of what is held already.
    ASSERT_EQ(store.set("between" + std::to_string(steps), "b"), Outcome::Stored);
    before = gone();
    looked_before = looked();
    outcome = store->continue_reserve(reservation, make_key("large").hash, StoreMode::Set, 1);
    ++steps;
  }
  EXPECT_GT(steps, 100);
  EXPECT_EQ(store->counters().cmd_set, store->counters().total_items + 1);
  EXPECT_EQ(store.commit("large", reservation), Outcome::Stored);
  EXPECT_EQ(store.peek("large")->value_bytes(), 10U << 20);
  store->check();
}

TEST(Reservation, OneThatIsNotWholeCanBeGivenUp) {
  Store store(256, {.item_bytes_max = 12U << 20, .large_value_share = 100});
  fill_with_small(store);
  Reservation reservation;
  ASSERT_EQ(store->reserve(make_key("large"), 10U << 20, 1, reservation), Outcome::Stored);
  while (store->counters().large_bytes < 20 * kPageBytes) {
    ASSERT_FALSE(reservation.is_whole());
    ASSERT_EQ(store->continue_reserve(reservation, make_key("large").hash, StoreMode::Set, 1), Outcome::Stored);
  }
  const std::uint64_t free = store->memory_stats().pages_free;
  store->abort(reservation);
  EXPECT_GE(store->memory_stats().pages_free, free + 19);
  EXPECT_EQ(store->counters().reservations, 0U);
  store->check();
}

TEST(Reservation, OneThatRunsOutOfMemoryOnTheWayLeavesNothing) {
  Store store(256, {.item_bytes_max = 12U << 20, .large_value_share = 100});
  fill_with_small(store);
  const std::array<std::string, 2> keys{"first", "second"};
  std::array<Reservation, 2> reserved;
  std::size_t turn = 0;
  for (; turn < 2; ++turn) {
    store.set(keys[turn], "old");
    ASSERT_EQ(store->reserve(make_key(keys[turn]), 10U << 20, 1, reserved[turn]), Outcome::Stored);
  }
  while (reserved[turn % 2].is_valid()) {
    ++turn;
    ASSERT_FALSE(reserved[turn % 2].is_whole()) << "20 MiB of 16";
    const Outcome outcome =
        store->continue_reserve(reserved[turn % 2], make_key(keys[turn % 2]).hash, StoreMode::Set, 1);
    ASSERT_EQ(outcome, reserved[turn % 2].is_valid() ? Outcome::Stored : Outcome::OutOfMemory);
  }
  EXPECT_FALSE(store.has(keys[turn % 2])) << "no stale value";
  EXPECT_EQ(store->counters().reservations, 1U);
  EXPECT_EQ(store->counters().store_no_memory, 1U);
  store->check();
  ++turn;
  while (!reserved[turn % 2].is_whole()) {
    ASSERT_EQ(store->continue_reserve(reserved[turn % 2], make_key(keys[turn % 2]).hash, StoreMode::Set, 1),
              Outcome::Stored)
        << "what the other held is there for this one";
  }
  store->abort(reserved[turn % 2]);
  store->check();
}

}  // namespace
}  // namespace millrace::store::tests
