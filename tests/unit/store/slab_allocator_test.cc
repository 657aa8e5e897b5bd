// Chunks: none handed out twice, pages that empty go back, the ring keeps its order.
#include "store/slab_allocator.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "support/seed.h"
#include "unit/store/guarded_arena.h"

namespace millrace::store::tests {
namespace {

struct World {
  explicit World(std::uint32_t pages, std::uint32_t chunk_bytes_min = 48)
      : arena(pages),
        pool(arena.bytes(), kPageBytes),
        sizes(*SizeTable::create(chunk_bytes_min, 1.10)),
        slabs(pool, sizes) {
    pool.take(PageUse::Index);  // reference 0 means none, so page 0 is never a class's
  }
  ItemRef take(std::uint32_t id) {
    ItemRef ref = slabs.allocate(id);
    if (ref == ItemRef{} && slabs.add_page(id)) {
      ref = slabs.allocate(id);
    }
    if (ref != ItemRef{}) {
      *pool.at(ref) = static_cast<std::byte>(Kind::Held);
    }
    return ref;
  }
  GuardedArena arena;
  PagePool pool;
  SizeTable sizes;
  SlabAllocator slabs;
};

TEST(SlabAllocator, FillsAPageFromItsStartThenAsksForAnother) {
  World world(3);
  const std::uint32_t per_page = world.slabs[1].chunks_per_page;
  EXPECT_EQ(per_page, 1365U);
  for (std::uint32_t n = 0; n < per_page; ++n) {
    const ItemRef ref = world.take(1);
    ASSERT_EQ(world.pool.at(ref), world.pool.address(1) + std::size_t{n} * 48);
    ASSERT_EQ(world.slabs.class_of(ref), 1U);
  }
  EXPECT_EQ(world.slabs.allocate(1), ItemRef{}) << "its own pages only";
  EXPECT_EQ(world.slabs[1].free(), 0U);
  EXPECT_TRUE(world.slabs.add_page(1));
  EXPECT_EQ(world.pool.at(world.slabs.allocate(1)), world.pool.address(2));
  EXPECT_FALSE(world.slabs.add_page(1)) << "the pool is empty";
}

TEST(SlabAllocator, APageGoesBackWithItsLastChunk) {
  World world(3);
  const ItemRef a = world.take(1);
  const ItemRef b = world.take(1);
  EXPECT_EQ(world.pool.in_use(), 2U);
  world.slabs.free(a);
  EXPECT_EQ(world.pool.in_use(), 2U);
  world.slabs.free(b);
  EXPECT_EQ(world.pool.in_use(), 1U);
  EXPECT_EQ(world.slabs[1].pages, 0U);
  EXPECT_EQ(world.slabs[1].hand.page, kNoPage);
  world.slabs.check();
  world.pool.check();
}

TEST(SlabAllocator, APageNeverUsedCanBeDropped) {
  World world(3);
  ASSERT_TRUE(world.slabs.add_page(5));
  ASSERT_TRUE(world.slabs.add_page(5));
  world.slabs.drop_page(1);
  EXPECT_EQ(world.slabs[5].pages, 1U);
  EXPECT_EQ(world.slabs[5].hand.page, 2U) << "the hand steps off it";
  world.slabs.check();
  world.slabs.drop_page(2);
  EXPECT_EQ(world.pool.in_use(), 1U);
  world.slabs.check();
}

TEST(SlabAllocator, NewPagesAreTheLastTheHandComesTo) {
  World world(6, 32'768);
  std::vector<std::uint32_t> pages;
  for (int n = 0; n < 4; ++n) {
    pages.push_back(world.pool.page_of(world.take(1)));
    world.take(1);
  }
  std::uint32_t page = world.slabs[1].hand.page;
  for (const std::uint32_t expected : pages) {
    EXPECT_EQ(page, expected);
    page = world.slabs.next_page(page);
  }
  EXPECT_EQ(page, pages.front());
  world.slabs[1].hand = {pages[2], 0};
  world.take(1);
  page = pages[2];
  for (int n = 0; n < 4; ++n) {
    page = world.slabs.next_page(page);
  }
  EXPECT_EQ(page, 5U) << "just behind the hand: after all others";
}

TEST(SlabAllocator, RandomTakingAndFreeingKeepsChunksApart) {
  World world(40);
  std::mt19937_64 random(millrace::tests::test_seed());
  std::map<const std::byte*, std::pair<ItemRef, std::uint32_t>> taken;  // by address
  for (int step = 0; step < 60'000; ++step) {
    const bool grows = taken.size() < (step / 10'000 % 2 == 0 ? 4000U : 50U);
    if (random() % 8 < (grows ? 6U : 2U)) {
      const auto id = static_cast<std::uint32_t>(1 + random() % world.slabs.classes() % (random() % 8 == 0 ? 61 : 4));
      const ItemRef ref = world.take(id);
      if (ref == ItemRef{}) {
        continue;
      }
      const std::byte* start = world.pool.at(ref);
      const auto [it, is_new] = taken.emplace(start, std::pair{ref, id});
      ASSERT_TRUE(is_new);
      if (it != taken.begin()) {
        const auto before = std::prev(it);
        ASSERT_LE(before->first + world.slabs[before->second.second].chunk_bytes, start);
      }
      if (std::next(it) != taken.end()) {
        ASSERT_LE(start + world.slabs[id].chunk_bytes, std::next(it)->first);
      }
    } else if (!taken.empty()) {
      auto it = taken.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random() % taken.size()));
      world.slabs.free(it->second.first);
      taken.erase(it);
    }
    if (step % 5000 == 0) {
      world.slabs.check();
    }
  }
  for (const auto& [start, chunk] : taken) {
    world.slabs.free(chunk.first);
  }
  world.slabs.check();
  EXPECT_EQ(world.pool.in_use(), 1U) << "all pages are back";
}

}  // namespace
}  // namespace millrace::store::tests
