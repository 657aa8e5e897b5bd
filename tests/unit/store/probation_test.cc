// CLOCK with probation and a ghost: who passes through, who stays, what is remembered; and pages that go where hits
// are.
#include <gtest/gtest.h>

#include <iostream>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "support/seed.h"
#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

const std::string kValue(900, 'v');

std::string key(std::uint64_t n) { return "k" + std::to_string(n); }

/// A full partition of 64 pages, whose items were asked for once each: key(0) .. key(items - 1).
struct Proven {
  Proven() {
    while (store->counters().evictions == 0) {
      store.set(key(static_cast<std::uint64_t>(items++)), kValue);
      store.get(key(static_cast<std::uint64_t>(items) - 1));
    }
  }
  Store store{64};
  int items = 0;
};

TEST(Probation, AScanPassesThroughATenth) {
  Proven full;
  Store& store = full.store;
  const std::uint64_t held = store->counters().curr_items;
  for (std::uint64_t n = 0; n < held; ++n) {  // as many as the whole cache, asked for never
    ASSERT_EQ(store.set("scan" + key(n), kValue), Outcome::Stored);
  }
  std::uint64_t left = 0;
  for (int n = 0; n < full.items; ++n) {
    left += store.has(key(static_cast<std::uint64_t>(n))) ? 1 : 0;
  }
  EXPECT_GT(left, held * 85 / 100);
  EXPECT_LT(left, held * 95 / 100) << "a tenth is the newcomers'";
  store->check();
}

TEST(Probation, AHitEndsItAndAGhostIsLetInAtOnce) {
  Proven full;
  Store& store = full.store;
  store.set("hit", kValue);
  EXPECT_TRUE(store.peek("hit")->is_in_probation());
  EXPECT_FALSE(store.peek("hit")->was_fetched());
  store.get("hit");
  EXPECT_FALSE(store.peek("hit")->is_in_probation());
  store.set("unhit", kValue);
  for (std::uint64_t n = 0; store.has("unhit"); ++n) {
    ASSERT_LT(n, store->counters().curr_items / 5) << "a tenth's turn is its time";
    store.set("scan" + key(n), kValue);
  }
  EXPECT_TRUE(store.has("hit"));
  const std::uint64_t before = store->counters().ghost_hits;
  store.set("unhit", kValue);
  EXPECT_EQ(store->counters().ghost_hits, before + 1);
  EXPECT_FALSE(store.peek("unhit")->is_in_probation());
  EXPECT_EQ(store.peek("unhit")->clock(), 1U);
  store->check();
}

TEST(Probation, AnItemThatMovesToAnotherChunkStaysInIt) {
  Proven full;
  Store& store = full.store;
  store.set("grows", std::string(100, 'g'));
  store.set("grows", std::string(2000, 'g'));
  EXPECT_TRUE(store.peek("grows")->is_in_probation());
  store->check();
  const ItemRef pinned = store.pin("grows");
  store.set("grows", std::string(2000, 'h'));
  store->check();
  store->unpin(pinned);
  store->check();
}

TEST(Probation, PagesThatAreTakenAtOnceLeaveWhatWasHit) {
  Store store(64);
  const auto is_hot = [](std::uint64_t n) { return n % 2 == 0; };
  std::uint64_t items = 0;
  for (; store->memory_stats().pages_free > 1; ++items) {
    store.set(key(items), kValue);
    if (is_hot(items)) {
      store.get(key(items));
    }
  }
  ASSERT_EQ(store.set("large", std::string(1'000'000, 'l')), Outcome::Stored);
  EXPECT_GE(store->counters().pages_stolen, 14U);
  EXPECT_GT(store->counters().rescued, 0U);
  std::uint64_t hot_gone = 0;
  std::uint64_t cold_gone = 0;
  for (std::uint64_t n = 0; n < items; ++n) {
    if (!store.has(key(n))) {
      ++(is_hot(n) ? hot_gone : cold_gone);
    }
  }
  EXPECT_LT(hot_gone, items / 100);
  EXPECT_GT(cold_gone, items / 5) << "a quarter of the memory";
  store->check();
}

TEST(Ghost, RemembersAsManyAsAreHeldAndForgetsTheOldest) {
  std::vector<std::uint32_t> words(1024);
  Ghost ghost(words);
  const auto hash = [](std::uint64_t n) { return make_key(key(n)).hash; };
  EXPECT_FALSE(ghost.take(hash(0))) << "nothing was added";
  for (std::uint64_t n = 0; n < 8000; ++n) {
    ghost.add(hash(n), 2000);
  }
  EXPECT_EQ(ghost.words_in_use(), 500U);
  int of_the_last = 0;
  for (std::uint64_t n = 7000; n < 8000; ++n) {
    of_the_last += ghost.take(hash(n)) ? 1 : 0;
  }
  EXPECT_GT(of_the_last, 800) << "half as many as it has room for: few were pushed out early";
  int of_strangers = 0;
  for (std::uint64_t n = 100'000; n < 110'000; ++n) {
    of_strangers += ghost.take(hash(n)) ? 1 : 0;
  }
  EXPECT_LT(of_strangers, 10'000 * 2 * 4 / 255);
}

TEST(Ghost, TakesEachOnceAndKeepsTheOthersInOrder) {
  std::vector<std::uint32_t> words(1);
  Ghost ghost(words);
  const auto hash = [](std::uint64_t fingerprint) { return KeyHash{fingerprint}; };
  for (std::uint64_t n = 1; n <= 4; ++n) {
    ghost.add(hash(n), 4);
  }
  EXPECT_TRUE(ghost.take(hash(3)));
  EXPECT_FALSE(ghost.take(hash(3)));
  ghost.add(hash(5), 4);
  ghost.add(hash(6), 4);  // pushes 1 out
  EXPECT_FALSE(ghost.take(hash(1)));
  EXPECT_TRUE(ghost.take(hash(2)) && ghost.take(hash(4)) && ghost.take(hash(5)) && ghost.take(hash(6)));
  EXPECT_EQ(words[0], 0U);
}

/// Reads `requests` of `keys` through, evenly, with values of one size. Returns the share that missed.
double read_through(Store& store, std::mt19937_64& random, const std::string& prefix, std::uint64_t keys,
                    std::size_t value_bytes, int requests) {
  int misses = 0;
  for (int n = 0; n < requests; ++n) {
    const std::string k = prefix + key(random() % keys);
    if (store->get(make_key(k), 1) == nullptr) {
      ++misses;
      EXPECT_EQ(store.set(k, std::string(value_bytes, 'v')), Outcome::Stored);
    }
  }
  return static_cast<double>(misses) / requests;
}

/// How many turnovers of the cache (as many bytes stored as it holds) values of one size took until the requests of a
/// quarter of a turnover hit as often as they do for good, but for a twentieth: up to that quarter's beginning.
double turnovers_until_as_before(Store& store, std::mt19937_64& random, const std::string& prefix, std::uint64_t bytes,
                                 std::uint64_t arena) {
  // They would take twice the arena: at best half of the requests hit.
  const std::uint64_t keys = 2 * arena / (bytes + 40);
  constexpr int kParts = 16;
  const int turnover = static_cast<int>(arena / (bytes + 40));
  std::vector<double> misses;
  for (int n = 0; n < 8 * kParts; ++n) {
    misses.push_back(read_through(store, random, prefix, keys, bytes, turnover / kParts));
  }
  const double for_good = std::accumulate(misses.end() - 2 * kParts, misses.end(), 0.0) / (2 * kParts);
  double turnovers = 0;
  for (std::size_t n = 0; n + 4 < misses.size(); ++n) {
    if (1 - std::accumulate(&misses[n], &misses[n + 4], 0.0) / 4 > 0.95 * (1 - for_good)) {
      return turnovers;
    }
    turnovers += misses[n] / kParts;
  }
  return turnovers;
}

/// The size that drifts pays for being found out, beside what an empty cache pays.
TEST(PageMover, SizesThatDriftGetTheirHitsBack) {
  std::mt19937_64 random(millrace::tests::test_seed());
  const std::uint64_t arena = 256 * kPageBytes;
  struct Phase {
    const char* prefix;
    std::size_t bytes;
  };
  Store drifts(256);
  for (const Phase phase : {Phase{"a", 100}, Phase{"b", 1000}, Phase{"c", 10'000}, Phase{"d", 100}}) {
    Store empty(256);
    const double filling = turnovers_until_as_before(empty, random, phase.prefix, phase.bytes, arena);
    const double turnovers = turnovers_until_as_before(drifts, random, phase.prefix, phase.bytes, arena);
    std::cout << "values of " << phase.bytes << ": hit as before after " << turnovers
              << " turnovers, in an empty cache after " << filling << "\n";
    EXPECT_LT(turnovers, 1.7) << "values of " << phase.bytes;
    drifts->check();
  }
}

TEST(PageMover, WhatIsPinnedDelaysAPageOnly) {
  std::mt19937_64 random(millrace::tests::test_seed() + 1);
  Store store(128);
  std::vector<ItemRef> lent;
  for (std::uint64_t n = 0; store->counters().evictions == 0; ++n) {
    store.set(key(n), std::string(100, 's'));
    if (n % 4000 == 0) {
      lent.push_back(store.pin(key(n)));  // every ninth page or so
    }
  }
  const std::uint64_t keys = 128 * kPageBytes / 1040;
  read_through(store, random, "l", keys, 1000, static_cast<int>(keys) * 6);
  EXPECT_LT(read_through(store, random, "l", keys, 1000, static_cast<int>(keys)), 0.6);
  store->check();
  for (const ItemRef ref : lent) {
    store->unpin(ref);
  }
  store->check();
}

}  // namespace
}  // namespace millrace::store::tests
