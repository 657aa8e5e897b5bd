// The small words of base: amounts, clocks, hashes, results.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/bytes_text.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/key_hash.h"
#include "base/result.h"

namespace millrace {
namespace {

TEST(BytesText, UsesTheLargestUnitThatKeepsTheNumberAboveOne) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1024), "1.0 KiB");
  EXPECT_EQ(bytes_text(64ULL << 20), "64.0 MiB");
  EXPECT_EQ(bytes_text((1ULL << 30) + (1ULL << 29)), "1.5 GiB");
  EXPECT_EQ(bytes_text((1ULL << 20) - 1), "1.0 MiB") << "never 1024.0 KiB";
  EXPECT_EQ(bytes_text(~0ULL), "16.0 EiB");
}

TEST(ManualClock, MovesWhenToldOnly) {
  ManualClock clock(1000);
  EXPECT_EQ(clock.now(), Instant{});
  clock.advance(milliseconds(2500));
  EXPECT_EQ(clock.now() - Instant{}, milliseconds(2500));
  EXPECT_EQ(clock.wall_s(), 1002);
  clock.step_wall(-10);
  EXPECT_EQ(clock.wall_s(), 992);
  EXPECT_EQ(clock.now() - Instant{}, milliseconds(2500)) << "stepping the wall does not move the line";
}

TEST(SystemClock, NeverStepsBackAndSharesItsEpoch) {
  SystemClock first;
  SystemClock second;
  Instant before = first.now();
  for (int i = 0; i < 1000; ++i) {
    const Instant now = (i % 2 == 0 ? second : first).now();
    ASSERT_GE(now, before);
    before = now;
  }
  EXPECT_GT(first.wall_s(), 1'600'000'000);
}

TEST(SystemClock, ItsSecondsBeginWithThoseOfTheWall) {
  SystemClock clock;
  for (int i = 0; i < 100; ++i) {
    const std::int64_t before_us = clock.now().ns / 1000;
    const std::int64_t wall_us = clock.wall_us();
    const std::int64_t after_us = clock.now().ns / 1000;
    if (after_us - before_us < 1000) {  // nobody came between the two readings
      const std::int64_t apart_us = (wall_us - before_us) % 1'000'000;
      EXPECT_LT(std::min(apart_us, 1'000'000 - apart_us), 5000);
      return;
    }
  }
  GTEST_SKIP() << "this machine is too busy to read two clocks at once";
}

TEST(KeyHash, SeedDecidesEverything) {
  EXPECT_EQ(hash_key("key", 1), hash_key("key", 1));
  EXPECT_NE(hash_key("key", 1), hash_key("key", 2));
  EXPECT_NE(hash_key("key", 1), hash_key("kez", 1));
}

TEST(KeyHash, PartitionsAreInRangeAndEven) {
  for (const std::uint32_t count : {1U, 2U, 3U, 7U, 64U, 256U}) {
    std::vector<std::uint32_t> keys_of(count, 0);
    constexpr std::uint32_t kKeysPerPartition = 2000;
    for (std::uint32_t i = 0; i < count * kKeysPerPartition; ++i) {
      const std::uint32_t partition = hash_key("key" + std::to_string(i), 42).partition(count);
      ASSERT_LT(partition, count);
      ++keys_of[partition];
    }
    // Seven standard deviations of a fair draw: the seed is fixed, so this is no gamble.
    EXPECT_GT(*std::ranges::min_element(keys_of), kKeysPerPartition - 7 * 45U);
    EXPECT_LT(*std::ranges::max_element(keys_of), kKeysPerPartition + 7 * 45U);
  }
  EXPECT_EQ(KeyHash{~0ULL}.partition(65536), 65535U);
}

TEST(ConnId, IsInvalidUntilGiven) {
  EXPECT_FALSE(ConnId{}.is_valid());
  EXPECT_TRUE((ConnId{.slot = 0, .generation = 0}.is_valid()));
}

TEST(Result, CarriesTheSentence) {
  const Result<int> failed = fail("no; do this");
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().what, "no; do this");
}

TEST(AssertDeathTest, SaysWhatDidNotHoldAndWhere) {
  EXPECT_DEATH(MR_ASSERT(1 + 1 == 3), "words_test.cc:[0-9]+: assertion failed: 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace millrace
