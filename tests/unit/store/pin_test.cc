// The table of pins against a map, and its bound.
#include "store/pin.h"

#include <gtest/gtest.h>

#include <random>
#include <unordered_map>
#include <vector>

#include "support/seed.h"

namespace millrace::store {
namespace {

TEST(PinTable, CountsEachItem) {
  PinTable pins;
  const auto ref = static_cast<ItemRef>(8192);
  EXPECT_FALSE(pins.contains(ref));
  EXPECT_TRUE(pins.add(ref));
  EXPECT_TRUE(pins.add(ref));
  EXPECT_EQ(pins.distinct(), 1U);
  EXPECT_FALSE(pins.drop(ref));
  EXPECT_TRUE(pins.contains(ref));
  EXPECT_TRUE(pins.drop(ref));
  EXPECT_FALSE(pins.contains(ref));
  EXPECT_EQ(pins.distinct(), 0U);
}

TEST(PinTable, RefusesOneItemTooManyButNeverAnotherPinOfTheSame) {
  PinTable pins;
  for (std::uint32_t n = 1; n <= kPinsMax; ++n) {
    ASSERT_TRUE(pins.add(static_cast<ItemRef>(n * 6)));
  }
  EXPECT_FALSE(pins.add(static_cast<ItemRef>(5)));
  EXPECT_TRUE(pins.add(static_cast<ItemRef>(6)));
  EXPECT_FALSE(pins.drop(static_cast<ItemRef>(6)));
  EXPECT_TRUE(pins.drop(static_cast<ItemRef>(6)));
  EXPECT_TRUE(pins.add(static_cast<ItemRef>(5))) << "there is room again";
}

TEST(PinTable, AgreesWithAMapWhereEntriesCollide) {
  PinTable pins;
  std::mt19937_64 random(millrace::tests::test_seed());
  std::unordered_map<std::uint32_t, std::uint32_t> model;
  std::vector<std::uint32_t> held;
  for (int step = 0; step < 200'000; ++step) {
    // Few distinct references in a narrow range and many in a wide one: runs of neighbours, and gaps to close.
    const auto ref = static_cast<std::uint32_t>(1 + random() % (random() % 2 == 0 ? 300 : 0xffff'fff0));
    if (random() % 2 == 0 && held.size() < kPinsMax) {
      ASSERT_TRUE(pins.add(static_cast<ItemRef>(ref)));
      ++model[ref];
      held.push_back(ref);
    } else if (!held.empty()) {
      std::swap(held[random() % held.size()], held.back());
      const std::uint32_t gone = held.back();
      held.pop_back();
      const bool is_last = --model[gone] == 0;
      ASSERT_EQ(pins.drop(static_cast<ItemRef>(gone)), is_last);
      if (is_last) {
        model.erase(gone);
      }
    }
    ASSERT_EQ(pins.contains(static_cast<ItemRef>(ref)), model.contains(ref));
    ASSERT_EQ(pins.distinct(), model.size());
  }
  for (const auto& [ref, count] : model) {
    ASSERT_TRUE(pins.contains(static_cast<ItemRef>(ref)));
  }
}

}  // namespace
}  // namespace millrace::store
