// What a partition is made of, or why it is not made.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {
namespace {

std::string refusal(PartitionOptions options, std::size_t pages = 8) {
  const GuardedArena arena(pages, false);
  if (options.arena.empty()) {
    options.arena = arena.bytes();
  }
  const auto made = Partition::create(options);
  return made ? "" : made.error().what;
}

TEST(PartitionCreate, SaysWhatWouldWork) {
  EXPECT_NE(refusal({}, 3).find("needs at least 256 KiB"), std::string::npos);
  EXPECT_NE(refusal({.item_bytes_max = 1023}).find("1024 bytes to 1024 MiB, not 1023"), std::string::npos);
  EXPECT_NE(refusal({.item_bytes_max = kItemBytesMax + 1}).find("-I"), std::string::npos);
  EXPECT_NE(refusal({.chunk_bytes_min = 31}).find("-n"), std::string::npos);
  EXPECT_NE(refusal({.growth_factor = 1.0}).find("-f"), std::string::npos);
  EXPECT_NE(refusal({.cas_start = kCasMax}).find("CAS"), std::string::npos);
}

TEST(PartitionCreate, TheLargestArenaIsTheLargest) {
  // An address is never touched before the size is looked at.
  const GuardedArena arena(kArenaBytesMax / kPageBytes + 1, false);
  EXPECT_NE(refusal({.arena = arena.bytes()}).find("at most 32768 MiB can be addressed; use more workers"),
            std::string::npos);
}

TEST(PartitionCreate, ALargestArenaServesFromItsFirstPages) {
  const auto made = [](std::span<std::byte> bytes) {
    return Partition::create({.arena = bytes, .policy = EvictionPolicy::Clock2, .hash_seed = kSeed});
  };
  const GuardedArena arena(kArenaBytesMax / kPageBytes);  // never touched beyond the pages that are used
  const auto partition = made(arena.bytes());
  ASSERT_TRUE(partition.has_value()) << partition.error().what;
  ASSERT_EQ((*partition)->store(make_key("key"), "value", {}, 1).outcome, Outcome::Stored);
  ASSERT_NE((*partition)->get(make_key("key"), 1), nullptr);
  EXPECT_EQ((*partition)->limit_bytes(), kArenaBytesMax);
  EXPECT_EQ((*partition)->memory_stats().pages_free, kArenaBytesMax / kPageBytes - 2);
  (*partition)->check();
}

TEST(PartitionCreate, AMisalignedArenaIsRefused) {
  const GuardedArena arena(8, false);
  EXPECT_NE(refusal({.arena = arena.bytes().subspan(8)}).find("cache line"), std::string::npos);
}

TEST(PartitionCreate, TheSmallestArenaServes) {
  Store store(kArenaBytesMin / kPageBytes, {.page_bytes = kPageBytesMin});
  for (int n = 0; n < 10'000; ++n) {
    ASSERT_EQ(store.set(std::to_string(n), "value"), Outcome::Stored);
  }
  EXPECT_EQ(store.get("9999"), "value");
  EXPECT_GT(store->counters().evictions, 0U);
  store->check();
}

TEST(PartitionCreate, ASmallArenaHasSmallPages) {
  const auto page_kib = [](std::size_t arena_kib, PartitionOptions options = {}) {
    const GuardedArena arena(arena_kib / 64);
    options.arena = arena.bytes();
    options.hash_seed = kSeed;
    const auto made = Partition::create(options);
    EXPECT_TRUE(made.has_value());
    const MemoryStats stats = (*made)->memory_stats();
    EXPECT_EQ(stats.pages_arena * stats.page_bytes, arena_kib * 1024);
    EXPECT_EQ((*made)->limit_bytes(), arena_kib * 1024);
    return stats.page_bytes / 1024;
  };
  EXPECT_EQ(page_kib(64 * 1024), 64U);
  EXPECT_EQ(page_kib(16 * 1024), 64U);
  EXPECT_EQ(page_kib(15 * 1024), 32U);
  EXPECT_EQ(page_kib(4 * 1024), 16U);
  EXPECT_EQ(page_kib(1024), 4U);
  EXPECT_EQ(page_kib(256), 4U) << "the smallest";
  EXPECT_EQ(page_kib(256, {.page_bytes = 32'768}), 32U) << "who asks for it gets it";
  EXPECT_EQ(page_kib(256, {.chunk_bytes_min = 5000}), 16U) << "two of the smallest chunk fit a page";
  constexpr std::array<std::uint32_t, 2> kSizes{100, 20'000};
  EXPECT_EQ(page_kib(256, {.chunk_sizes = kSizes}), 32U) << "and one of each size that is given";
}

TEST(PartitionCreate, SmallPagesHaveFewerClassesUnlessAskedFor) {
  const auto classes = [](std::size_t pages, PartitionOptions options = {}) {
    const GuardedArena arena(pages);
    options.arena = arena.bytes();
    options.hash_seed = kSeed;
    return (*Partition::create(options))->classes();
  };
  EXPECT_EQ(classes(256), 60U);
  EXPECT_LT(classes(255), 30U);
  EXPECT_GT(classes(255, {.growth_factor = 1.10}), 50U) << "who asks for it gets it";
}

TEST(PartitionCreate, SaysWhichFactorIsInEffect) {
  const auto factor = [](std::size_t pages, PartitionOptions options = {}) {
    const GuardedArena arena(pages);
    options.arena = arena.bytes();
    options.hash_seed = kSeed;
    return (*Partition::create(options))->growth_factor();
  };
  EXPECT_EQ(factor(256), 1.10);
  EXPECT_EQ(factor(255), 1.25);
  EXPECT_EQ(factor(255, {.growth_factor = 1.10}), 1.10);
}

TEST(PartitionCreate, WhatIsRefusedOfALargeArenaIsRefusedOfASmallOne) {
  const GuardedArena arena(4);
  constexpr std::array<std::uint32_t, 2> kSizes{100, 70'000};
  EXPECT_NE(refusal({.arena = arena.bytes(), .chunk_bytes_min = 40'000}).find("-n"), std::string::npos);
  EXPECT_NE(refusal({.arena = arena.bytes(), .chunk_sizes = kSizes}).find("70000"), std::string::npos);
}

TEST(PartitionCreate, BytesBeyondTheLastPageAreLeftAlone) {
  const GuardedArena arena(9);
  const auto partition = Partition::create(
      {.arena = arena.bytes().first(8 * kPageBytes + 100), .page_bytes = kPageBytes, .hash_seed = kSeed});
  ASSERT_TRUE(partition.has_value());
  EXPECT_EQ((*partition)->memory_stats().pages_arena, 8U);
  EXPECT_EQ((*partition)->limit_bytes(), 8 * kPageBytes);
}

}  // namespace
}  // namespace millrace::store::tests
