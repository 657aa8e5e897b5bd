// The bits of an item: where the header says they are, and each setter leaving all others alone.
#include "store/item.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

namespace millrace::store {
namespace {

/// A chunk to lay items out in, full of what was there before.
struct Chunk {
  Chunk() { bytes.fill(std::byte{0xa5}); }
  Item& item() { return *reinterpret_cast<Item*>(bytes.data()); }
  template <typename T>
  T at(std::size_t offset) const {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  alignas(8) std::array<std::byte, 512> bytes;
};

TEST(Item, LiesInTheChunkAsDrawn) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(3, true, true, false, 5);
  item.set_key("key");
  item.set_client_flags(0x1122'3344);
  std::memcpy(item.value(), "value", 5);
  item.set_cas(0x2bcd'ef01'2345);
  item.set_expires_at(0x5566'7788);
  item.set_kind(Kind::Item);
  item.bump();

  EXPECT_EQ(chunk.at<std::uint8_t>(0), 0b0011'0101) << "kind 1, clock 1, fetched, has flags";
  EXPECT_EQ(chunk.at<std::uint8_t>(1), 3) << "key bytes";
  EXPECT_EQ(chunk.at<std::uint64_t>(0) >> 17, 0x2bcd'ef01'2345U) << "cas";
  EXPECT_EQ(chunk.at<std::uint32_t>(0) >> 16 & 1, 1U) << "has a time";
  EXPECT_EQ(chunk.at<std::uint16_t>(8), 5) << "value bytes";
  EXPECT_EQ(chunk.at<std::uint32_t>(10), 0x5566'7788U) << "expires_at";
  EXPECT_EQ(chunk.at<std::uint32_t>(14), 0x1122'3344U) << "client flags";
  EXPECT_EQ(std::memcmp(chunk.bytes.data() + 18, "keyvalue", 8), 0);
  EXPECT_EQ(chunk.at<std::uint8_t>(26), 0xa5) << "and nothing beyond";
  EXPECT_EQ(item.item_bytes(), 26U);
}

TEST(Item, WithoutTimeAndFlagsTheyTakeNoRoomAndReadZero) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(250, false, false, false, 1);
  item.set_key(std::string(250, 'k'));
  EXPECT_EQ(item.client_flags(), 0U);
  EXPECT_EQ(item.expires_at(), kNever);
  EXPECT_EQ(item.value_offset(), kItemHeaderBytes + 250);
  EXPECT_EQ(item.key(), std::string(250, 'k'));
}

TEST(Item, AChainedHeadKeepsItsLengthAndItsNextChunk) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(3, true, true, true, 0x7fff'ffff);
  item.set_key("key");
  item.set_next(static_cast<ItemRef>(0xfedc'ba98));
  item.set_client_flags(77);
  EXPECT_TRUE(item.is_chained());
  EXPECT_EQ(item.value_bytes(), 0x7fff'ffffU);
  EXPECT_EQ(item.next(), static_cast<ItemRef>(0xfedc'ba98));
  EXPECT_EQ(item.client_flags(), 77U);
  EXPECT_EQ(item.key(), "key");
  EXPECT_EQ(item.expires_at(), kNever);
  item.set_expires_at(0x1234'5678);
  EXPECT_EQ(item.expires_at(), 0x1234'5678U);
  EXPECT_EQ(item.value_bytes(), 0x7fff'ffffU);
  EXPECT_EQ(item.value_offset(), kItemHeaderBytes + kTimeBytes + kChainBytes + kClientFlagsBytes + 3);
  EXPECT_EQ(item.item_bytes(), item.value_offset() + std::uint64_t{0x7fff'ffff});
}

TEST(Item, EachSetterLeavesTheRestAlone) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(200, true, true, false, 60'000);
  for (const Kind kind : {Kind::Held, Kind::Item, Kind::Free, Kind::Continuation}) {
    for (const Cas cas : {Cas{0}, Cas{1}, kCasMax}) {
      item.set_kind(kind);
      item.set_cas(cas);
      item.set_expires_at(~0U);
      item.set_reference_bits(state::kClockMask | state::kFetched);
      EXPECT_EQ(item.kind(), kind);
      EXPECT_EQ(kind_at(chunk.bytes.data()), kind);
      EXPECT_EQ(item.cas(), cas);
      EXPECT_EQ(item.key_bytes(), 200U);
      EXPECT_EQ(item.clock(), 3U);
      EXPECT_TRUE(item.was_fetched());
      EXPECT_TRUE(item.has_client_flags());
      EXPECT_EQ(item.value_bytes(), 60'000U);
      item.set_reference_bits(0);
      EXPECT_EQ(item.clock(), 0U);
      EXPECT_EQ(item.kind(), kind);
      EXPECT_EQ(item.cas(), cas);
    }
  }
}

TEST(Item, AGivenCasNumberHasAPlaceOfItsOwn) {
  Chunk chunk;
  Item& item = chunk.item();
  for (const bool chained : {false, true}) {
    item.start(3, true, true, chained, 5, true);
    item.set_key("key");
    item.set_client_flags(7);
    item.set_expires_at(99);
    item.set_cas(kCasMax);
    EXPECT_EQ(item.cas(), kCasMax);
    item.set_given_cas(~Cas{0});
    EXPECT_EQ(item.cas(), ~Cas{0});
    EXPECT_EQ(item.change(), kCasMax);
    EXPECT_EQ(item.key(), "key");
    EXPECT_EQ(item.client_flags(), 7U);
    EXPECT_EQ(item.expires_at(), 99U);
    EXPECT_EQ(item.value_offset(), kItemHeaderBytes + kTimeBytes + (chained ? kChainBytes : 0) + 4 + 8 + 3);
    item.renumber(9);
    EXPECT_EQ(item.change(), 9U);
    EXPECT_EQ(item.cas(), ~Cas{0});
    item.set_cas(10);
    EXPECT_EQ(item.cas(), 10U);
    EXPECT_EQ(item.key(), "key");
  }
}

TEST(Item, MarksComeAndGo) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(3, false, true, false, 5);
  for (const bool stale : {true, false}) {
    for (const bool win : {true, false}) {
      item.set_marks(stale, win);
      EXPECT_EQ(item.is_stale(), stale);
      EXPECT_EQ(item.has_won(), win);
      EXPECT_TRUE(item.has_client_flags());
      EXPECT_EQ(item.kind(), Kind::Held);
    }
  }
}

TEST(Item, HitsCountToThreeAndTheHandTakesThemAway) {
  Chunk chunk;
  Item& item = chunk.item();
  item.start(1, false, false, false, 0);
  EXPECT_FALSE(item.was_fetched());
  for (const std::uint32_t expected : {1U, 2U, 3U, 3U, 3U}) {
    item.bump();
    EXPECT_EQ(item.clock(), expected);
    EXPECT_TRUE(item.was_fetched());
  }
  for (const std::uint32_t expected : {2U, 1U, 0U}) {
    item.cool();
    EXPECT_EQ(item.clock(), expected);
    EXPECT_TRUE(item.was_fetched()) << "the hand does not forget that it was fetched";
  }
}

TEST(Item, ATimeIsInsertedBeforeAllElse) {
  for (const bool with_flags : {false, true}) {
    Chunk chunk;
    Item& item = chunk.item();
    item.start(3, false, with_flags, false, 5);
    item.set_key("key");
    if (with_flags) {
      item.set_client_flags(0x1122'3344);
    }
    std::memcpy(item.value(), "value", 5);
    item.set_cas(kCasMax);
    item.bump();
    const std::uint64_t bytes = item.item_bytes();
    item.insert_time();
    EXPECT_EQ(item.item_bytes(), bytes + kTimeBytes);
    EXPECT_EQ(item.expires_at(), kNever);
    item.set_expires_at(~0U);
    EXPECT_EQ(item.key(), "key");
    EXPECT_EQ(std::string_view(item.value(), 5), "value");
    EXPECT_EQ(item.client_flags(), with_flags ? 0x1122'3344U : 0U);
    EXPECT_EQ(item.cas(), kCasMax);
    EXPECT_EQ(item.clock(), 1U);
    EXPECT_EQ(chunk.at<std::uint8_t>(bytes + kTimeBytes), 0xa5) << "and nothing beyond";
  }
}

TEST(Item, TakesTheHistoryOfAnotherAndKeepsItsOwnShape) {
  Chunk old;
  old.item().start(3, false, true, false, 5);
  old.item().set_kind(Kind::Item);
  old.item().set_cas(77);
  old.item().bump();
  old.item().bump();
  Chunk chunk;
  chunk.item().start(4, true, false, false, 6);
  chunk.item().take_history(old.item());
  EXPECT_EQ(chunk.item().kind(), Kind::Held);
  EXPECT_EQ(chunk.item().cas(), 77U);
  EXPECT_EQ(chunk.item().clock(), 2U);
  EXPECT_TRUE(chunk.item().was_fetched());
  EXPECT_EQ(chunk.item().key_bytes(), 4U);
  EXPECT_TRUE(chunk.item().has_time());
  EXPECT_FALSE(chunk.item().has_client_flags());
}

TEST(Item, ExpiresAtItsSecondAndNotBefore) {
  for (const Seconds at : {2U, 10U, 0x8000'0000U, 0xffff'ffffU}) {
    EXPECT_FALSE(has_expired(at, at - 1));
    EXPECT_TRUE(has_expired(at, at));
  }
  EXPECT_FALSE(has_expired(kNever, 1));
  EXPECT_FALSE(has_expired(kNever, 0xffff'fffe));
  EXPECT_TRUE(has_expired(kAlreadyExpired, 1)) << "the first second there is";
}

}  // namespace
}  // namespace millrace::store
