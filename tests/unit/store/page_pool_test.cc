// Pages: each given once, the limit obeyed, and the largest arena's last byte still has an address.
#include "store/page_pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "support/seed.h"
#include "unit/store/guarded_arena.h"

namespace millrace::store::tests {
namespace {

TEST(PagePool, GivesLowestAddressesFirstAndEachOnce) {
  const GuardedArena arena(8);
  PagePool pool(arena.bytes(), kPageBytes);
  for (std::uint32_t page = 0; page < 8; ++page) {
    EXPECT_EQ(pool.available(), 8 - page);
    EXPECT_EQ(pool.take(PageUse::Slab), page);
  }
  EXPECT_EQ(pool.take(PageUse::Index), kNoPage);
  EXPECT_EQ(pool.in_use(), 8U);
  pool.check();
}

TEST(PagePool, PrefersAPageThatCameBackToOneNeverTouched) {
  const GuardedArena arena(8);
  PagePool pool(arena.bytes(), kPageBytes);
  pool.take(PageUse::Slab);
  pool.take(PageUse::Slab);
  pool[0].used = 7;
  pool.give_back(0);
  EXPECT_EQ(pool.take(PageUse::Index), 0U);
  EXPECT_EQ(pool[0].use, PageUse::Index);
  EXPECT_EQ(pool[0].used, 0U) << "a page comes without its past";
  EXPECT_EQ(pool.take(PageUse::Slab), 2U);
}

TEST(PagePool, ALowerLimitLeavesASurplusAndGivesNothing) {
  const GuardedArena arena(8);
  PagePool pool(arena.bytes(), kPageBytes);
  for (int n = 0; n < 6; ++n) {
    pool.take(PageUse::Slab);
  }
  pool.set_limit(4);
  EXPECT_EQ(pool.surplus(), 2U);
  EXPECT_EQ(pool.available(), 0U);
  EXPECT_EQ(pool.take(PageUse::Slab), kNoPage);
  pool.give_back(5);
  EXPECT_EQ(pool.take(PageUse::Slab), kNoPage);
  EXPECT_EQ(pool.take(PageUse::Slab, 6), 5U) << "in exchange for the one that was made free";
  EXPECT_EQ(pool.take(PageUse::Slab, 6), kNoPage);
  pool.set_limit(8);
  EXPECT_EQ(pool.available(), 2U);
  pool.check();
}

TEST(PagePool, RandomTakingAndGivingNeverHandsOutAPageTwice) {
  const GuardedArena arena(64);
  PagePool pool(arena.bytes(), kPageBytes);
  std::mt19937_64 random(millrace::tests::test_seed());
  std::set<std::uint32_t> taken;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      const std::uint32_t page = pool.take(PageUse::Slab);
      if (page == kNoPage) {
        ASSERT_EQ(taken.size(), 64U);
      } else {
        ASSERT_TRUE(taken.insert(page).second);
      }
    } else if (!taken.empty()) {
      auto it = taken.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random() % taken.size()));
      pool.give_back(*it);
      taken.erase(it);
    }
    ASSERT_EQ(pool.in_use(), taken.size());
  }
  pool.check();
}

TEST(PagePool, TheLargestArenaIsAddressedToItsLastByte) {
  constexpr std::uint32_t kPages = kArenaBytesMax / kPageBytes;
  const GuardedArena arena(kPages, false);
  PagePool pool(arena.bytes(), kPageBytes);
  EXPECT_EQ(pool.pages(), kPages);
  std::uint32_t last = kNoPage;
  for (std::uint32_t n = 0; n < kPages; ++n) {
    last = pool.take(PageUse::Slab);
  }
  EXPECT_EQ(last, kPages - 1);
  EXPECT_EQ(pool.take(PageUse::Slab), kNoPage);

  const std::byte* last_unit = arena.bytes().data() + kArenaBytesMax - kUnitBytes;
  const ItemRef ref = pool.ref_of(last_unit);
  EXPECT_EQ(static_cast<std::uint32_t>(ref), 0xffff'ffffU);
  EXPECT_EQ(pool.at(ref), last_unit);
  EXPECT_EQ(pool.page_of(ref), kPages - 1);
  EXPECT_EQ(pool.address(kPages - 1) + kPageBytes - kUnitBytes, last_unit);
}

TEST(PagePool, AReferenceIsAPageAndAPlaceInItWhateverAPageIsLarge) {
  const GuardedArena arena(2);
  for (std::uint32_t page_bytes = kPageBytesMin; page_bytes <= kPageBytesMax; page_bytes *= 2) {
    PagePool pool(arena.bytes(), page_bytes);
    ASSERT_EQ(pool.pages(), 2 * kPageBytes / page_bytes);
    for (std::uint32_t page = 0; page < pool.pages(); ++page) {
      for (const std::uint32_t unit : {0U, 1U, page_bytes / kUnitBytes - 1}) {
        const ItemRef ref = pool.ref_at(page, unit);
        ASSERT_EQ(pool.page_of(ref), page);
        ASSERT_EQ(pool.unit_of(ref), unit);
        ASSERT_EQ(pool.at(ref), pool.address(page) + std::size_t{unit} * kUnitBytes);
        ASSERT_EQ(pool.ref_of(pool.at(ref)), ref);
      }
    }
  }
}

/// Knows which pages have no memory.
class Owner final : public ArenaOwner {
 public:
  explicit Owner(const GuardedArena& arena) : start_(arena.bytes().data()) {}
  bool give_back(std::span<std::byte> pages) noexcept override {
    EXPECT_EQ(pages.size(), kPageBytes);
    return !refuses && away.insert(number(pages)).second;
  }
  void take_again(std::span<std::byte> pages) noexcept override { EXPECT_EQ(away.erase(number(pages)), 1U); }
  std::set<std::uint32_t> away;
  bool refuses = false;

 private:
  [[nodiscard]] std::uint32_t number(std::span<std::byte> pages) const {
    return static_cast<std::uint32_t>((pages.data() - start_) / kPageBytes);
  }
  std::byte* start_;
};

TEST(PagePool, MemoryBeyondTheStartComesWithTheLimit) {
  const GuardedArena arena(16);
  Owner owner(arena);
  for (std::uint32_t page = 4; page < 16; ++page) {
    owner.away.insert(page);
  }
  PagePool pool(arena.bytes(), kPageBytes, &owner);
  pool.start_with(4);
  pool.check();
  EXPECT_EQ(pool.given_back(), 0U);
  for (std::uint32_t page = 0; page < 4; ++page) {
    EXPECT_EQ(pool.take(PageUse::Slab), page);
  }
  EXPECT_EQ(pool.take(PageUse::Slab), kNoPage);
  EXPECT_EQ(pool.follow_limit(100), 0U);
  EXPECT_EQ(owner.away.size(), 12U);

  pool.set_limit(10);
  EXPECT_EQ(pool.take(PageUse::Slab), 4U) << "at once, and its memory with it";
  EXPECT_EQ(pool.follow_limit(2), 2U);
  EXPECT_EQ(pool.follow_limit(100), 3U);
  EXPECT_EQ(owner.away, (std::set<std::uint32_t>{10, 11, 12, 13, 14, 15}));
  EXPECT_EQ(pool.given_back(), 0U);
  pool.check();

  pool.set_limit(2);
  EXPECT_EQ(pool.surplus(), 3U);
  EXPECT_EQ(pool.follow_limit(100), 5U) << "all that is free";
  pool.give_back(0);
  pool.give_back(3);
  pool.give_back(4);
  EXPECT_EQ(pool.follow_limit(100), 3U);
  EXPECT_EQ(pool.given_back(), 2U) << "of the four at start";
  pool.check();
  pool.set_limit(16);
  for (int n = 0; n < 14; ++n) {
    EXPECT_NE(pool.take(PageUse::Slab), kNoPage);
  }
  EXPECT_TRUE(owner.away.empty());
  pool.check();
}

TEST(PagePool, MemoryFollowsTheLimitDownAndUpInSteps) {
  const GuardedArena arena(32);
  Owner owner(arena);
  PagePool pool(arena.bytes(), kPageBytes, &owner);
  for (int n = 0; n < 20; ++n) {
    pool.take(PageUse::Slab);
  }
  for (std::uint32_t page = 5; page < 15; ++page) {
    pool.give_back(page);
  }
  EXPECT_EQ(pool.follow_limit(8), 0U);
  pool.set_limit(12);
  EXPECT_EQ(pool.follow_limit(8), 8U);
  EXPECT_EQ(owner.away.size(), 8U);
  EXPECT_EQ(pool.follow_limit(100), 12U);
  EXPECT_EQ(pool.bare(), 20U) << "what the limit leaves unused, and no page in use";
  for (const std::uint32_t page : owner.away) {
    EXPECT_EQ(pool[page].use, PageUse::Free) << page;
  }
  pool.check();
  EXPECT_NE(pool.take(PageUse::Slab), kNoPage);
  EXPECT_NE(pool.take(PageUse::Slab), kNoPage);
  EXPECT_EQ(pool.take(PageUse::Slab), kNoPage);
  EXPECT_EQ(owner.away.size(), 20U) << "two free pages had kept theirs";
  pool.set_limit(32);
  for (int n = 0; n < 5; ++n) {
    const std::uint32_t page = pool.take(PageUse::Slab);
    EXPECT_FALSE(owner.away.contains(page)) << "at once, when somebody needs it sooner";
  }
  EXPECT_EQ(pool.follow_limit(100), 15U);
  EXPECT_TRUE(owner.away.empty());
  pool.check();
}

TEST(PagePool, AnOwnerThatCannotTakeMemoryBackIsNotAskedAgain) {
  const GuardedArena arena(8);
  Owner owner(arena);
  owner.refuses = true;
  PagePool pool(arena.bytes(), kPageBytes, &owner);
  pool.set_limit(4);
  EXPECT_EQ(pool.follow_limit(8), 0U);
  owner.refuses = false;
  EXPECT_EQ(pool.follow_limit(8), 0U);
  pool.set_limit(8);
  for (int n = 0; n < 8; ++n) {
    EXPECT_NE(pool.take(PageUse::Slab), kNoPage);
  }
  pool.check();
}

TEST(PagePool, MemoryFollowsTheLimitInAnyOrder) {
  std::mt19937_64 random(millrace::tests::test_seed());
  const GuardedArena arena(24);
  Owner owner(arena);
  PagePool pool(arena.bytes(), kPageBytes, &owner);
  std::set<std::uint32_t> in_use;
  for (int step = 0; step < 20'000; ++step) {
    switch (random() % 4) {
      case 0:
        pool.set_limit(static_cast<std::uint32_t>(random() % 25));
        break;
      case 1:
        pool.follow_limit(static_cast<std::uint32_t>(random() % 6));
        break;
      case 2:
        if (const std::uint32_t page = pool.take(PageUse::Slab); page != kNoPage) {
          ASSERT_TRUE(in_use.insert(page).second);
          ASSERT_FALSE(owner.away.contains(page));
        }
        break;
      default:
        if (!in_use.empty()) {
          const auto chosen = std::next(in_use.begin(), static_cast<std::ptrdiff_t>(random() % in_use.size()));
          pool.give_back(*chosen);
          in_use.erase(chosen);
        }
    }
    ASSERT_EQ(pool.bare(), owner.away.size());
    pool.check();
  }
}

}  // namespace
}  // namespace millrace::store::tests
