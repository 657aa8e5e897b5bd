// The keys asked for most are found in a bounded table, from a sample.
#include "worker/hot_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <string>

namespace millrace::worker {
namespace {

KeyHash hash_of(const std::string& key) { return hash_key(key, 7); }

TEST(HotKeys, CountsWhatItIsGiven) {
  HotKeys keys(1, 3);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(keys.takes());
    keys.count("a", hash_of("a"), i % 2 == 0, 100);
  }
  ASSERT_EQ(keys.entries().size(), 1U);
  const HotKey& a = keys.entries().front();
  EXPECT_EQ(a.count, 10U);
  EXPECT_EQ(a.error, 0U);
  EXPECT_EQ(a.writes, 5U);
  EXPECT_EQ(a.bytes, 1000U);
}

TEST(HotKeys, SamplesOneInSoMany) {
  for (const std::uint32_t sample : {1U, 2U, 64U, 1000U}) {
    HotKeys keys(sample, 11);
    std::uint64_t taken = 0;
    const std::uint64_t operations = std::uint64_t{sample} * 20'000;
    for (std::uint64_t i = 0; i < operations; ++i) {
      taken += keys.takes() ? 1 : 0;
    }
    EXPECT_NEAR(static_cast<double>(taken), 20'000, 500) << sample;
  }
}

TEST(HotKeys, ARhythmOfTheRequestsHidesNothing) {
  HotKeys keys(64, 5);
  for (int i = 0; i < 640'000; ++i) {
    if (keys.takes()) {
      const std::string key = "k" + std::to_string(i % 64);
      keys.count(key, hash_of(key), false, 1);
    }
  }
  EXPECT_EQ(keys.entries().size(), 64U) << "each of 64 keys in turn is seen";
}

TEST(HotKeys, FindsTheHotAmongMany) {
  const char* given = std::getenv("MILLRACE_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "MILLRACE_TEST_SEED=" << seed << '\n';
  std::mt19937_64 random(seed);
  HotKeys keys(4, seed);
  std::map<std::string, std::uint64_t> sampled;
  for (int i = 0; i < 400'000; ++i) {
    // Three hot keys with 10, 5 and 3 % of the operations; the others are 100,000.
    const std::uint64_t draw = random() % 100;
    const std::string key = draw < 10   ? "hot0"
                            : draw < 15 ? "hot1"
                            : draw < 18 ? "hot2"
                                        : "cold" + std::to_string(random() % 100'000);
    if (keys.takes()) {
      keys.count(key, hash_of(key), false, 10);
      ++sampled[key];
    }
  }
  EXPECT_LE(keys.entries().size(), HotKeys::kEntriesMax);
  std::uint64_t total = 0;
  for (const HotKey& entry : keys.entries()) {
    total += entry.count;
    EXPECT_GE(entry.count, sampled[entry.key]) << entry.key;                // never too few
    EXPECT_LE(entry.count - entry.error, sampled[entry.key]) << entry.key;  // and known by how much too many
  }
  EXPECT_EQ(total, keys.samples());
  for (const char* hot : {"hot0", "hot1", "hot2"}) {
    const auto found = std::ranges::find(keys.entries(), std::string(hot), &HotKey::key);
    ASSERT_NE(found, keys.entries().end()) << hot;
  }
  const auto first = std::ranges::max_element(keys.entries(), {}, &HotKey::count);
  EXPECT_EQ(first->key, "hot0");
}

}  // namespace
}  // namespace millrace::worker
