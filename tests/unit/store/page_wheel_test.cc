// When a page is due: against a list of seconds, under random orders, steps of time and bounds.
#include "store/page_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/seed.h"

namespace millrace::store {
namespace {

using millrace::tests::test_seed;

struct Wheel {
  explicit Wheel(std::uint32_t pages) : table(pages), wheel(table.data()) {
    for (std::uint32_t page = 0; page < pages; ++page) {
      table[page].use = PageUse::Slab;
      table[page].class_id = static_cast<std::uint8_t>(1 + page % kClassesMax);
    }
  }
  [[nodiscard]] std::uint32_t pages() const { return static_cast<std::uint32_t>(table.size()); }
  std::vector<Page> table;
  PageWheel wheel;
};

TEST(PageWheel, APageIsDueAtItsSecondAndNotBefore) {
  for (const Seconds at : {1U, 63U, 64U, 65U, 4095U, 4096U, 4097U, 1'000'000U, 0x7fff'ffffU, 0xffff'fffeU}) {
    Wheel w(1);
    w.wheel.note(0, at);
    w.wheel.advance(at - 1, 10);
    EXPECT_FALSE(w.wheel.is_due(0)) << at;
    EXPECT_EQ(w.wheel.due_classes(), 0U);
    w.wheel.check(1);
    w.wheel.advance(at, 10);
    EXPECT_TRUE(w.wheel.is_due(0)) << at;
    EXPECT_EQ(w.wheel.due_page(1), 0U);
    EXPECT_EQ(w.wheel.due_classes(), 2U);
    w.wheel.check(1);
  }
}

TEST(PageWheel, OnlyAnEarlierSecondIsTakenNoteOf) {
  Wheel w(1);
  w.wheel.note(0, 100);
  w.wheel.note(0, 200);
  EXPECT_EQ(w.table[0].due, 100U);
  w.wheel.note(0, 50);
  EXPECT_EQ(w.table[0].due, 50U);
  w.wheel.advance(60, 10);
  EXPECT_TRUE(w.wheel.is_due(0));
  w.wheel.remove(0);
  EXPECT_FALSE(w.wheel.is_due(0));
  EXPECT_EQ(w.table[0].due, kNoDue);
  w.wheel.note(0, 10);
  EXPECT_TRUE(w.wheel.is_due(0)) << "a second that has passed";
  w.wheel.check(1);
}

TEST(PageWheel, MovesNoMoreThanItWasToldAndLosesNothing) {
  constexpr std::uint32_t kPages = 1000;
  Wheel w(kPages);
  for (std::uint32_t page = 0; page < kPages; ++page) {
    w.wheel.note(page, 5000);
  }
  std::uint32_t calls = 0;
  for (; std::ranges::any_of(w.table, [](const Page& page) { return page.due_list < 384; }); ++calls) {
    ASSERT_LT(calls, 1000U);
    ASSERT_LE(w.wheel.advance(6000, 7), 7U);
    w.wheel.check(kPages);
  }
  EXPECT_GE(calls, kPages / 7);
  for (std::uint32_t page = 0; page < kPages; ++page) {
    ASSERT_TRUE(w.wheel.is_due(page));
  }
}

TEST(PageWheel, AgreesWithAListOfSeconds) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 20; ++round) {
    Wheel w(50);
    std::vector<Seconds> due(50, kNoDue);
    Seconds now = 1 + static_cast<Seconds>(random() % (1U << (random() % 31)));
    w.wheel.advance(now, 1);
    for (int step = 0; step < 5000; ++step) {
      const auto page = static_cast<std::uint32_t>(random() % 50);
      const Seconds at = static_cast<Seconds>(
          std::min<std::uint64_t>(std::uint64_t{now} + random() % (1U << (random() % 30)), 0xffff'fff0));
      switch (random() % 4) {
        case 0:
          due[page] = std::min(due[page], at);
          w.wheel.note(page, at);
          break;
        case 1:
          if (!w.wheel.is_due(page)) {
            due[page] = at;
            w.wheel.schedule(page, at);
          }
          break;
        case 2:
          due[page] = kNoDue;
          w.wheel.remove(page);
          break;
        default:
          now = static_cast<Seconds>(
              std::min<std::uint64_t>(std::uint64_t{now} + random() % (1U << (random() % 20)), 0xffff'fff0));
          while (w.wheel.advance(now, 8) == 8) {
          }
          for (std::uint32_t each = 0; each < w.pages(); ++each) {
            ASSERT_EQ(w.wheel.is_due(each), due[each] <= now) << "page " << each << " at " << now;
          }
      }
      ASSERT_EQ(w.table[page].due, due[page]);
    }
    w.wheel.check(w.pages());
  }
}

}  // namespace
}  // namespace millrace::store
