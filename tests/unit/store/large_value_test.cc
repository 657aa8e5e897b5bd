// Values in many pieces, up to the largest an operator can allow.
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

std::string pattern(std::size_t bytes, std::uint64_t seed) {
  std::string value(bytes, '\0');
  for (std::size_t at = 0; at + 8 <= bytes; at += 8) {
    seed = seed * 6364136223846793005U + 1442695040888963407U;
    std::memcpy(value.data() + at, &seed, 8);
  }
  return value;
}

/// Compares piece by piece, without a second copy.
bool holds(Store& store, const Item* item, std::string_view expected) {
  ValueCursor cursor;
  std::size_t at = 0;
  for (auto piece = store->value_next(item, cursor); !piece.empty(); piece = store->value_next(item, cursor)) {
    if (expected.substr(at, piece.size()) != std::string_view(piece.data(), piece.size())) {
      return false;
    }
    at += piece.size();
  }
  return at == expected.size();
}

TEST(LargeValue, EveryLengthAroundEveryEdgeIsWhole) {
  Store store(40);
  const std::string source = pattern(300'000, 1);
  for (std::size_t edge : {std::size_t{4096}, std::size_t{8192}, std::size_t{32'768}, std::size_t{65'524},
                           std::size_t{65'536}, std::size_t{131'072}, std::size_t{262'144}}) {
    for (std::size_t bytes = edge - 40; bytes <= edge + 40; ++bytes) {
      const std::string_view value = std::string_view(source).substr(0, bytes);
      ASSERT_EQ(store.set("key", value, {.flags = static_cast<std::uint32_t>(bytes % 2)}), Outcome::Stored);
      const Item* item = store.peek("key");
      ASSERT_EQ(item->value_bytes(), bytes);
      ASSERT_TRUE(holds(store, item, value)) << bytes;
    }
  }
  store->check();
}

TEST(LargeValue, IsGivenBackInSteps) {
  Store store(700, {.item_bytes_max = 40U << 20, .large_value_share = 100});
  const std::string value(36U << 20, 'v');  // 576 pages
  ASSERT_EQ(store.set("key", value), Outcome::Stored);
  const auto in_use = [&] { return store->memory_stats().pages_items; };
  const std::uint64_t before = in_use();
  ASSERT_EQ(store.remove("key"), Outcome::Deleted);
  EXPECT_FALSE(store.has("key"));
  EXPECT_EQ(in_use(), before - kStepChunksMax);
  EXPECT_EQ(store->counters().large_leaving, 1U);
  store->check();
  // A storing command sees to some of it, and so does housekeeping, until nothing is left.
  ASSERT_EQ(store.set("small", "s"), Outcome::Stored);
  EXPECT_LT(in_use(), before - kStepChunksMax);
  EXPECT_GT(in_use(), before - 2 * kStepChunksMax);
  for (int n = 0; n < 100 && store->counters().large_leaving != 0; ++n) {
    store->housekeep(1, 32);
    EXPECT_EQ(store->has_upkeep(), store->counters().large_leaving != 0);
  }
  EXPECT_EQ(store->counters().large_bytes, 0U);
  EXPECT_LE(in_use(), 2U);
  store->check();
  // Two on their way at once, and the next finds their memory.
  ASSERT_EQ(store.set("a", std::string_view(value).substr(0, 18U << 20)), Outcome::Stored);
  ASSERT_EQ(store.set("b", std::string_view(value).substr(0, 18U << 20)), Outcome::Stored);
  store.remove("a");
  store.remove("b");
  EXPECT_EQ(store->counters().large_leaving, 2U);
  store->check();
  Reservation reservation;
  ASSERT_EQ(store.reserve("c", value, reservation), Outcome::Stored);
  ASSERT_EQ(store.commit("c", reservation), Outcome::Stored);
  EXPECT_EQ(store->counters().evictions, 0U);
  EXPECT_TRUE(holds(store, store.peek("c"), value));
  store->check();
}

TEST(LargeValue, HugeOnesTakeEachOthersPlaceWhileOthersTakePages) {
  for (const std::uint32_t share : {40U, 100U}) {
    Store store(700, {.item_bytes_max = 40U << 20, .large_value_share = share});
    const std::string value(9U << 20, 'v');  // more pieces than are given back at once
    for (int n = 0; n < 40; ++n) {
      const std::string key = "huge" + std::to_string(n % 7);
      if (n % 3 == 0) {
        ASSERT_EQ(store.set(key, value), Outcome::Stored) << n;
      } else {
        Reservation reservation;
        ASSERT_EQ(store.reserve(key, value, reservation), Outcome::Stored) << n;
        ASSERT_EQ(store.commit(key, reservation), Outcome::Stored);
      }
      ASSERT_TRUE(holds(store, store.peek(key), value));
      // Others, now and then of a size that has no page yet.
      for (int other = 0; other < 200; ++other) {
        ASSERT_EQ(store.set("other" + std::to_string(n * 200 + other),
                            std::string(50 + static_cast<std::size_t>(n) * 80, 'o')),
                  Outcome::Stored);
      }
      if (n % 8 == 7) {
        ASSERT_TRUE(store->move_page(0, 0, 1));
      }
      store->check();
    }
    EXPECT_GT(store->counters().evictions, 0U);
  }
}

TEST(LargeValue, SpansFromAnyOffsetAreTheValuesBytes) {
  Store store(40);
  const std::string value = pattern(200'000, 2);
  store.set("key", value);
  const Item* item = store.peek("key");
  ASSERT_TRUE(item->is_chained());
  for (std::uint32_t offset = 0; offset < value.size(); offset += 777) {
    const auto span = store->value_span(item, offset);
    ASSERT_FALSE(span.empty());
    ASSERT_EQ(std::string_view(span.data(), span.size()), std::string_view(value).substr(offset, span.size()));
  }
  EXPECT_TRUE(store->value_span(item, 200'000).empty());
  EXPECT_TRUE(store->value_span(item, 0xffff'ffff).empty());
}

TEST(LargeValue, WastesAtMostAnEighthOfItsLastPieces) {
  Store store(700);
  const auto bytes_in_use = [&] { return store->memory_stats().pages_items * kPageBytes; };
  for (const std::size_t bytes : {100'000U, 1'000'000U, 10'000'000U}) {
    Store fresh(700, {.item_bytes_max = 128 << 20});
    ASSERT_EQ(fresh.set("key", std::string(bytes, 'x')), Outcome::Stored);
    std::uint64_t chunks = 0;
    for (std::uint32_t id = 1; id <= fresh->classes(); ++id) {
      const ClassStats stats = fresh->class_stats(id, 1);
      chunks += stats.used_chunks * stats.chunk_size;
    }
    EXPECT_LT(static_cast<double>(chunks), static_cast<double>(bytes) * 1.001 + 9000) << bytes;
  }
  EXPECT_EQ(bytes_in_use(), 0U);
}

TEST(LargeValue, TheLargestOf128MebibytesTakesThePlaceOfAnother) {
  constexpr std::uint32_t kLargest = 128 << 20;
  const std::string key = "key";
  Store store(kLargest / kPageBytes + 64, {.item_bytes_max = kLargest});
  const std::size_t most = kLargest - kItemHeaderBytes - key.size();
  const std::string first = pattern(most, 3);
  ASSERT_EQ(store.set(key, first + "x"), Outcome::TooLarge);
  ASSERT_EQ(store.set(key, first), Outcome::Stored);
  ASSERT_TRUE(holds(store, store.peek(key), first));

  // There is no room for a second beside the first: it has to make way for its successor.
  const std::string_view second = std::string_view(first).substr(1);
  Reservation reservation;
  ASSERT_EQ(
      store.reserve(key, second.substr(0, second.size() - kTimeBytes - kClientFlagsBytes), reservation, 1, 1U << 20),
      Outcome::Stored);
  EXPECT_FALSE(store.has(key));
  ASSERT_EQ(store.commit(key, reservation, {.flags = 5}), Outcome::Stored);
  ASSERT_TRUE(holds(store, store.peek(key), second.substr(0, second.size() - kTimeBytes - kClientFlagsBytes)));
  EXPECT_EQ(store->counters().evictions, 1U);
  store->check();

  const ItemRef pin = store.pin(key);
  EXPECT_EQ(store.set("two", first), Outcome::OutOfMemory) << "lent, it stays";
  store->unpin(pin);
  EXPECT_EQ(store.remove(key), Outcome::Deleted);
  store.crawl(1);
  EXPECT_EQ(store->memory_stats().pages_items, 0U);
  store->check();
}

TEST(LargeValue, WhatCannotFitTheArenaEvictsNothing) {
  Store store(32, {.item_bytes_max = 128 << 20});
  for (int n = 0; n < 100; ++n) {
    store.set(std::to_string(n), "v");
  }
  Reservation reservation;
  EXPECT_EQ(store->reserve(make_key("big"), 100 << 20, 1, reservation), Outcome::OutOfMemory);
  EXPECT_EQ(store->counters().evictions, 0U);
  EXPECT_EQ(store->counters().curr_items, 100U);
}

}  // namespace
}  // namespace millrace::store::tests
