// SlotList against a std::list that does the same slowly.
#include "dataplane/uring/slot_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>

#include "tests/support/seed.h"

namespace millrace::uring {
namespace {

TEST(SlotList, OrderOfBothEnds) {
  SlotList list(4);
  EXPECT_TRUE(list.empty());
  list.push_back(1);
  list.push_back(2);
  list.push_front(0);
  EXPECT_EQ(list.first(), 0U);
  EXPECT_EQ(list.pop_front(), 0U);
  EXPECT_EQ(list.pop_front(), 1U);
  EXPECT_EQ(list.pop_front(), 2U);
  EXPECT_TRUE(list.empty());
}

TEST(SlotList, EachSlotOnce) {
  SlotList list(3);
  list.push_back(0);
  list.push_back(1);
  list.push_back(0);
  list.push_front(1);
  EXPECT_EQ(list.pop_front(), 0U);
  EXPECT_EQ(list.pop_front(), 1U);
  EXPECT_TRUE(list.empty());
}

TEST(SlotList, SameAsAList) {
  constexpr std::uint32_t kSlots = 8;  // few, so that most operations meet a listed slot
  std::mt19937_64 random(tests::test_seed());
  SlotList list(kSlots);
  std::list<std::uint32_t> model;
  const auto is_listed = [&](std::uint32_t slot) { return std::ranges::find(model, slot) != model.end(); };
  for (int step = 0; step < 100'000; ++step) {
    const auto slot = static_cast<std::uint32_t>(random() % kSlots);
    switch (random() % 4) {
      case 0:
        list.push_back(slot);
        is_listed(slot) ? void() : model.push_back(slot);
        break;
      case 1:
        list.push_front(slot);
        is_listed(slot) ? void() : model.push_front(slot);
        break;
      case 2:
        list.erase(slot);
        model.remove(slot);
        break;
      default:
        if (!model.empty()) {
          ASSERT_EQ(list.pop_front(), model.front());
          model.pop_front();
        }
    }
    ASSERT_EQ(list.empty(), model.empty());
    ASSERT_EQ(list.first(), model.empty() ? SlotList::kNone : model.front());
    ASSERT_EQ(list.contains(slot), is_listed(slot));
  }
}

}  // namespace
}  // namespace millrace::uring
