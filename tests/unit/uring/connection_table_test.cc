// ConnectionTable and UserData: names that are never mistaken for one another.
#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <vector>

#include "dataplane/uring/connection.h"
#include "dataplane/uring/user_data.h"
#include "tests/support/seed.h"

namespace millrace::uring {
namespace {

TEST(UserData, ComesBackAsItWent) {
  std::mt19937_64 random(tests::test_seed());
  for (int i = 0; i < 10'000; ++i) {
    const UserData there{.kind = static_cast<OpKind>(1 + random() % 6),
                         .record = static_cast<std::uint8_t>(random() % kRecordsMax),
                         .slot = static_cast<std::uint32_t>(random() % kSlotsMax),
                         .generation = static_cast<std::uint32_t>(random())};
    EXPECT_EQ(UserData::of(there.bits()), there);
  }
}

TEST(UserData, FieldsDoNotReachIntoEachOther) {
  EXPECT_EQ((UserData{.kind = OpKind::Wake}.bits()), 0x6000'0000'0000'0000U);
  EXPECT_EQ((UserData{.record = kRecordsMax - 1}.bits()), 0x0f00'0000'0000'0000U);
  EXPECT_EQ((UserData{.slot = kSlotsMax - 1}.bits()), 0x00ff'ffff'0000'0000U);
  EXPECT_EQ((UserData{.generation = 0xffff'ffff}.bits()), 0x0000'0000'ffff'ffffU);
}

TEST(ConnectionTable, TakesEachSlotOnce) {
  ConnectionTable table(3);
  std::vector<ConnId> ids;
  while (!table.is_full()) {
    ids.push_back(table.take());
    table[ids.back().slot].state = ConnectionState::Open;
    EXPECT_EQ(table.find(ids.back()), &table[ids.back().slot]);
  }
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_FALSE(table.take().is_valid());
  EXPECT_NE(ids[0].slot, ids[1].slot);
  EXPECT_NE(ids[1].slot, ids[2].slot);
  EXPECT_NE(ids[2].slot, ids[0].slot);
}

TEST(ConnectionTable, AnOldIdFindsNothing) {
  ConnectionTable table(2);
  const ConnId old = table.take();
  table[old.slot].state = ConnectionState::Open;
  table[old.slot].state = ConnectionState::Free;
  EXPECT_EQ(table.find(old), nullptr);
  table.give_back(old.slot);
  const ConnId fresh = table.take();
  EXPECT_EQ(fresh.slot, old.slot) << "the warm one first";
  table[fresh.slot].state = ConnectionState::Open;
  EXPECT_EQ(table.find(old), nullptr);
  EXPECT_NE(table.find(fresh), nullptr);
  EXPECT_EQ(table.find({}), nullptr);
  EXPECT_EQ(table.find({.slot = 2, .generation = 0}), nullptr);
}

TEST(ConnectionTable, ASlotWhoseGenerationsAreUsedUpIsRetired) {
  ConnectionTable table(1);
  const ConnId id = table.take();
  table[id.slot].generation = std::numeric_limits<std::uint32_t>::max();
  table.give_back(id.slot);
  EXPECT_TRUE(table.is_full());
  EXPECT_FALSE(table.take().is_valid());
}

}  // namespace
}  // namespace millrace::uring
