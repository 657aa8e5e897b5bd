// The index against a map, through overflow and growth, one bounded step at a time.
#include "store/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/seed.h"
#include "unit/store/guarded_arena.h"

namespace millrace::store::tests {
namespace {

constexpr std::uint64_t kHashSeed = 99;

/// An index over items that are nothing but a key, and the two things a partition does for it: pages and steps.
struct World {
  explicit World(std::uint32_t pages, std::uint32_t index_pages_max = 1000, std::uint32_t page_bytes = kPageBytes)
      : arena(pages),
        pool(arena.bytes(), page_bytes),
        sizes(*SizeTable::create(48, 1.10, {}, page_bytes)),
        slabs(pool, sizes),
        index(pool, slabs, kHashSeed, index_pages_max) {
    index.give_page(pool.take(PageUse::Index));
  }
  static Key key_of(const std::string& bytes) { return {bytes, hash_key(bytes, kHashSeed)}; }
  ItemRef make_item(const std::string& key) {
    ItemRef ref = slabs.allocate(1);
    if (ref == ItemRef{}) {
      EXPECT_TRUE(slabs.add_page(1));
      ref = slabs.allocate(1);
    }
    auto* item = reinterpret_cast<Item*>(pool.at(ref));
    item->start(static_cast<std::uint32_t>(key.size()), false, false, false, 0);
    item->set_key(key);
    item->set_kind(Kind::Item);
    return ref;
  }
  ItemRef add(const std::string& key) {
    const ItemRef ref = make_item(key);
    EXPECT_TRUE(index.insert(key_of(key).hash, ref));
    return ref;
  }
  void drop(const std::string& key) {
    const Key k = key_of(key);
    const IndexSlot slot = index.find(k);
    ASSERT_TRUE(slot);
    const ItemRef ref = slot.ref();
    index.erase(k.hash, slot);
    slabs.free(ref);
  }
  void give_what_it_wants() {
    if (index.wants_overflow()) {
      slabs.add_page(kOverflowClass);
    }
    if (index.wants_page()) {
      index.give_page(pool.take(PageUse::Index));
    }
  }
  [[nodiscard]] ItemRef find(const std::string& key) {
    const IndexSlot slot = index.find(key_of(key));
    return slot ? slot.ref() : ItemRef{};
  }

  GuardedArena arena;
  PagePool pool;
  SizeTable sizes;
  SlabAllocator slabs;
  Index index;
};

/// Keys that all belong in the first of 1024 buckets.
std::vector<std::string> keys_of_one_bucket(std::size_t count) {
  std::vector<std::string> keys;
  for (std::uint32_t n = 0; keys.size() < count; ++n) {
    std::string key = "k" + std::to_string(n);
    if (hash_key(key, kHashSeed).position() >> 54 == 0) {
      keys.push_back(std::move(key));
    }
  }
  return keys;
}

TEST(Index, FindsWhatWasInsertedAndNothingElse) {
  World world(8);
  EXPECT_EQ(world.find("a"), ItemRef{});
  const ItemRef a = world.add("a");
  const ItemRef b = world.add("b");
  EXPECT_EQ(world.find("a"), a);
  EXPECT_EQ(world.find("b"), b);
  EXPECT_EQ(world.find("ab"), ItemRef{});
  EXPECT_EQ(world.index.count(), 2U);
  world.drop("a");
  EXPECT_EQ(world.find("a"), ItemRef{});
  EXPECT_EQ(world.find("b"), b);
  world.index.check();
}

TEST(Index, AnotherItemUnderTheSameKey) {
  World world(8);
  world.add("a");
  const ItemRef other = world.make_item("a");
  const std::uint64_t epoch = world.index.epoch();
  Index::replace(world.index.find(World::key_of("a")), other);
  EXPECT_EQ(world.find("a"), other);
  EXPECT_EQ(world.index.epoch(), epoch) << "nothing moved";
  EXPECT_EQ(world.index.count(), 1U);
}

TEST(Index, FindRefTellsApartTwoItemsOfOneKey) {
  World world(8);
  const ItemRef a = world.add("a");
  const ItemRef held = world.make_item("a");
  const KeyHash hash = World::key_of("a").hash;
  EXPECT_EQ(world.index.find_ref(hash, a).ref(), a);
  EXPECT_FALSE(world.index.find_ref(hash, held));
}

TEST(Index, AFalseTagIsNoHit) {
  World world(8);
  const std::string here = "here";
  world.add(here);
  const KeyHash hash = World::key_of(here).hash;
  std::uint32_t met = 0;
  for (std::uint32_t n = 0; met < 3; ++n) {
    const std::string other = "other" + std::to_string(n);
    const KeyHash other_hash = World::key_of(other).hash;
    if (other_hash.position() >> 54 == hash.position() >> 54 && tag_of(other_hash) == tag_of(hash)) {
      ++met;
      EXPECT_EQ(world.find(other), ItemRef{});
    }
  }
}

TEST(Index, AFullBucketGoesOnInOverflowBucketsAndShrinksBack) {
  World world(8);
  const std::vector<std::string> keys = keys_of_one_bucket(40);
  std::map<std::string, ItemRef> model;
  for (const std::string& key : keys) {
    model[key] = world.add(key);
    world.index.check();
  }
  EXPECT_EQ(world.index.overflow_buckets(), 3U) << "12 in the line, 28 in three more";
  std::mt19937_64 random(millrace::tests::test_seed());
  std::vector<std::string> order = keys;
  std::ranges::shuffle(order, random);
  for (const std::string& key : order) {
    for (const auto& [other, ref] : model) {
      ASSERT_EQ(world.find(other), ref);
    }
    const std::uint64_t epoch = world.index.epoch();
    world.drop(key);
    EXPECT_NE(world.index.epoch(), epoch) << "erasing moves another entry into the hole";
    model.erase(key);
    world.index.check();
    EXPECT_EQ(world.index.overflow_buckets(), (std::max<std::size_t>(model.size(), 12) - 1) / 12);
  }
  EXPECT_EQ(world.index.count(), 0U);
}

TEST(Index, WithoutAnOverflowBucketInsertRefusesAndNothingChanges) {
  World world(2);  // one page of buckets, one of items, none for overflow
  const std::vector<std::string> keys = keys_of_one_bucket(13);
  for (std::size_t n = 0; n < 12; ++n) {
    world.add(keys[n]);
  }
  const ItemRef last = world.make_item(keys[12]);
  EXPECT_FALSE(world.index.insert(World::key_of(keys[12]).hash, last));
  EXPECT_EQ(world.index.count(), 12U);
  world.index.check();
  world.drop(keys[5]);
  EXPECT_TRUE(world.index.insert(World::key_of(keys[12]).hash, last));
  world.index.check();
}

TEST(Index, GrowsInStepsOfOneBucketAndFindsEverythingMeanwhile) {
  World world(600);
  std::vector<std::pair<std::string, ItemRef>> entries;
  std::uint32_t growths = 0;
  std::uint32_t steps = 0;
  bool was_growing = false;
  std::mt19937_64 random(millrace::tests::test_seed());
  while (entries.size() < 60'000) {
    const std::string key = "key" + std::to_string(entries.size());
    entries.emplace_back(key, world.add(key));
    const std::uint64_t epoch = world.index.epoch();
    const std::uint32_t pages = world.index.pages();
    world.index.step();
    world.give_what_it_wants();
    ASSERT_LE(world.index.epoch() - epoch, 1U) << "one bucket a step";
    ASSERT_LE(world.index.pages() - pages, 1U);
    steps = world.index.is_growing() ? steps + 1 : 0;
    ASSERT_LE(steps, world.index.buckets() + world.index.pages()) << "and it comes to an end";
    growths += was_growing && !world.index.is_growing() ? 1 : 0;
    was_growing = world.index.is_growing();
    for (int n = 0; n < 8; ++n) {
      const auto& [known, ref] = entries[random() % entries.size()];
      ASSERT_EQ(world.find(known), ref);
    }
    if (entries.size() % 2500 == 0) {
      world.index.check();
      for (const auto& [known, ref] : entries) {
        ASSERT_EQ(world.find(known), ref);
      }
    }
  }
  EXPECT_GE(growths, 4U);
  const double lanes = static_cast<double>(world.index.buckets()) * kBucketLanes;
  EXPECT_LT(60'000 / lanes, 0.87);
  EXPECT_GT(60'000 / lanes, 0.60) << "grown by a quarter, not twofold";
}

TEST(Index, WaitsInTheMiddleOfGrowingWhenOverflowMightRunOut) {
  World world(600);
  std::vector<std::pair<std::string, ItemRef>> entries;
  const auto add_one = [&] {
    const std::string key = "key" + std::to_string(entries.size());
    entries.emplace_back(key, world.add(key));
  };
  while (!world.index.is_growing() || world.index.pages() < 5) {
    add_one();
    world.index.step();
    world.give_what_it_wants();
  }
  for (int n = 0; n < 1000; ++n) {
    world.index.step();  // some buckets are at their new place, most are not
  }
  std::vector<ItemRef> taken;
  for (ItemRef ref = world.slabs.allocate(kOverflowClass); ref != ItemRef{};
       ref = world.slabs.allocate(kOverflowClass)) {
    taken.push_back(ref);
  }
  world.pool.set_limit(world.pool.in_use());
  const std::uint64_t epoch = world.index.epoch();
  for (int n = 0; n < 1000; ++n) {
    world.index.step();
  }
  EXPECT_EQ(world.index.epoch(), epoch) << "nothing moved";
  EXPECT_TRUE(world.index.is_growing());
  for (const auto& [key, ref] : entries) {
    ASSERT_EQ(world.find(key), ref);
  }
  for (const ItemRef ref : taken) {
    world.slabs.free(ref);
  }
  for (std::uint32_t n = 0; world.index.is_growing(); ++n) {
    ASSERT_LT(n, world.index.buckets());
    world.index.step();
  }
  world.index.check();
  for (const auto& [key, ref] : entries) {
    ASSERT_EQ(world.find(key), ref);
  }
}

void agree_with_a_map(std::uint32_t page_bytes) {
  World world(400, 1000, page_bytes);
  std::mt19937_64 random(millrace::tests::test_seed());
  std::map<std::string, ItemRef> model;
  for (int step = 0; step < 120'000; ++step) {
    const std::string key = std::to_string(random() % 30'000);
    const auto it = model.find(key);
    ASSERT_EQ(world.find(key), it != model.end() ? it->second : ItemRef{});
    if (it == model.end()) {
      model[key] = world.add(key);
    } else if (random() % 3 == 0) {
      world.drop(key);
      model.erase(it);
    }
    world.index.step();
    world.give_what_it_wants();
    if (step % 20'000 == 0) {
      world.index.check();
      world.slabs.check();
    }
  }
  ASSERT_EQ(world.index.count(), model.size());
  ASSERT_GT(world.index.pages(), 1U);
  world.index.check();
}

TEST(Index, RandomInsertsAndErasesAcrossGrowthAgreeWithAMap) {
  agree_with_a_map(kPageBytesMax);
  agree_with_a_map(kPageBytesMin);
}

TEST(Index, AtItsLargestItStopsAskingForPages) {
  World world(80, 2);
  for (int n = 0; n < 40'000; ++n) {
    world.add(std::to_string(n));
    world.index.step();
    world.give_what_it_wants();
  }
  EXPECT_EQ(world.index.pages(), 2U);
  EXPECT_FALSE(world.index.is_growing());
  world.index.check();
  for (int n = 0; n < 40'000; n += 7) {
    EXPECT_NE(world.find(std::to_string(n)), ItemRef{}) << "slower, but all there";
  }
}

TEST(Index, PrefetchingIsAHintForAnyHash) {
  World world(8);
  for (const std::string& key : keys_of_one_bucket(30)) {
    world.add(key);
  }
  std::vector<Key> keys;
  for (std::uint64_t n = 0; n < kPrefetchMax - 30; ++n) {
    keys.push_back({.bytes = "not looked at", .hash = KeyHash{n * 0x0123'4567'89ab'cdef}});
  }
  for (const std::string& key : keys_of_one_bucket(30)) {
    keys.push_back({.bytes = "not looked at", .hash = hash_key(key, kHashSeed)});
  }
  world.index.prefetch_all(keys);
  world.index.prefetch_all({});
  world.index.check();
}

}  // namespace
}  // namespace millrace::store::tests
