// dataplane/ip/neighbor.h: asking, waiting, checking, forgetting; what a stranger can and cannot do to it.
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/buf/packet_pool.h"
#include "dataplane/ip/neighbor.h"

namespace millrace::ip {
namespace {

using wire::Drop;
using wire::IpAddress;
using wire::MacAddress;

constexpr MacAddress kOld = {2, 0, 0, 0, 0, 1};
constexpr MacAddress kNew = {2, 0, 0, 0, 0, 2};

class NeighborTest : public testing::Test {
 protected:
  buf::Packet packet(std::uint8_t mark = 0) {
    buf::Packet made;
    EXPECT_EQ(pool.alloc({&made, 1}), 1U);
    made.append(1)[0] = static_cast<std::byte>(mark);
    return made;
  }
  NeighborCache::Resolution resolve(const IpAddress& target, bool is_router = false) {
    buf::Packet one = packet();
    return cache.resolve(now, target, is_router, one);
  }
  std::vector<Solicitation> due() {
    std::vector<Solicitation> all;
    for (Solicitation one; cache.next_due(now, one);) {
      all.push_back(one);
    }
    return all;
  }
  std::size_t ready() {
    std::size_t count = 0;
    MacAddress mac;
    for (buf::Packet one; cache.take_ready(one, mac); one = {}) {
      ++count;
    }
    return count;
  }
  /// Makes it known as kOld.
  void know(const IpAddress& target, bool is_router = false) {
    (void)resolve(target, is_router);
    (void)due();
    ASSERT_TRUE(cache.on_answer(now, target, kOld));
    (void)ready();
  }

  buf::PacketPool pool{{.buffers = 512}};
  NeighborCache cache{4711};
  Instant now = Instant{} + seconds(10);
  const IpAddress gateway = IpAddress::v4(0x0a000001);
};

TEST_F(NeighborTest, PacketsWaitInOrderAndLeaveWithTheAnswer) {
  for (std::uint8_t mark = 1; mark <= 3; ++mark) {
    buf::Packet one = packet(mark);
    const auto resolution = cache.resolve(now, gateway, true, one);
    EXPECT_FALSE(resolution.is_known);
    EXPECT_EQ(resolution.drop, Drop::None);
    EXPECT_TRUE(one.is_empty());
  }
  const auto asked = due();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].target, gateway);
  EXPECT_TRUE(asked[0].asks_everybody);
  EXPECT_TRUE(cache.on_answer(now, gateway, kOld));
  buf::Packet one;
  MacAddress mac;
  for (std::uint8_t mark = 1; mark <= 3; ++mark) {
    ASSERT_TRUE(cache.take_ready(one, mac));
    EXPECT_EQ(one.first()[0], static_cast<std::byte>(mark));
    EXPECT_EQ(mac, kOld);
  }
  EXPECT_FALSE(cache.take_ready(one, mac));
  EXPECT_EQ(cache.pending(), 0U);
  EXPECT_EQ(resolve(gateway).mac, kOld);
}

TEST_F(NeighborTest, AsksThreeTimesThenGivesUpForASecond) {
  (void)resolve(gateway);
  std::size_t asked = 0;
  for (int i = 0; i < 400; ++i) {
    asked += due().size();
    now = now + milliseconds(10);
  }
  EXPECT_EQ(asked, 3U);
  EXPECT_EQ(cache.take_unreachable(), 1U);
  EXPECT_EQ(cache.pending(), 0U);
  EXPECT_EQ(pool.free_buffers(), 512U);
  now = now + seconds(2);
  (void)resolve(gateway);
  EXPECT_EQ(due().size(), 1U);  // and tries again
  now = now + seconds(1);
  EXPECT_EQ(due().size(), 1U);
  now = now + seconds(1);
  EXPECT_EQ(due().size(), 1U);
  now = now + seconds(1);
  EXPECT_EQ(due().size(), 0U);
  EXPECT_EQ(resolve(gateway).drop, Drop::NeighborUnreachable);
}

TEST_F(NeighborTest, NewPacketsPushOutTheOldestOfOneNeighbor) {
  for (std::size_t i = 0; i < NeighborCache::kPendingPerNeighborMax; ++i) {
    EXPECT_EQ(resolve(gateway).drop, Drop::None);
  }
  EXPECT_EQ(resolve(gateway).drop, Drop::NeighborQueueFull);
  EXPECT_EQ(cache.pending(), NeighborCache::kPendingPerNeighborMax);
  EXPECT_EQ(pool.free_buffers(), 512 - NeighborCache::kPendingPerNeighborMax);
}

TEST_F(NeighborTest, WhatWaitsAndWhoIsAskedIsBoundedInAll) {
  std::size_t refused = 0;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    buf::Packet one = packet();
    refused += cache.resolve(now, IpAddress::v4(0x0b000000 + i), false, one).drop != Drop::None ? 1 : 0;
  }
  EXPECT_LE(cache.pending(), NeighborCache::kPendingMax);
  EXPECT_EQ(5000 - refused, NeighborCache::kAskingMax);
  EXPECT_EQ(due().size(), NeighborCache::kAskingMax);
}

TEST_F(NeighborTest, UnsolicitedAnswersTeachNothing) {
  EXPECT_FALSE(cache.on_answer(now, gateway, kNew));
  cache.on_claim(now, gateway, kNew);
  EXPECT_FALSE(cache.is_known(gateway));
  EXPECT_TRUE(due().empty());
}

TEST_F(NeighborTest, AForgedClaimChangesNothingWhileTheNeighborLives) {
  know(gateway, true);
  now = now + seconds(5);
  for (int forgery = 0; forgery < 20; ++forgery) {
    cache.on_claim(now, gateway, kNew);
    cache.on_answer(now, gateway, kNew);
    for (const Solicitation& one : due()) {
      EXPECT_FALSE(one.asks_everybody);  // its own MAC is asked first
      EXPECT_EQ(one.to, kOld);
      now = now + milliseconds(1);
      cache.on_answer(now, gateway, kNew);  // the forger answers, too
      cache.on_answer(now, gateway, kOld);
    }
    EXPECT_EQ(resolve(gateway).mac, kOld);
    now = now + milliseconds(500);
  }
  EXPECT_EQ(cache.counters().changes, 0U);
  EXPECT_LE(cache.counters().asked, 12U);  // a second apart, whoever shouts
}

TEST_F(NeighborTest, AGatewayThatFailedOverIsFollowedInUnderASecond) {
  know(gateway, true);
  now = now + seconds(5);
  const Instant failed_at = now;
  cache.on_claim(now, gateway, kNew);  // its announcement, or a frame it forwarded
  while (resolve(gateway, true).mac != kNew && now - failed_at < seconds(5)) {
    for (const Solicitation& one : due()) {
      if (one.asks_everybody) {  // the old MAC is dead; the new one answers only what it hears
        cache.on_answer(now, gateway, kNew);
      }
    }
    now = now + milliseconds(1);
  }
  EXPECT_LT(now - failed_at, seconds(1));
  EXPECT_EQ(cache.counters().changes, 1U);
}

TEST_F(NeighborTest, IsAskedAgainAfterItsTimeAndUsedMeanwhile) {
  know(gateway);
  now = now + seconds(14);
  (void)resolve(gateway);
  EXPECT_TRUE(due().empty());
  now = now + seconds(32);  // beyond one and a half times thirty seconds
  EXPECT_TRUE(resolve(gateway).is_known);
  const auto asked = due();
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_EQ(asked[0].to, kOld);
  for (int i = 0; i < 4; ++i) {
    now = now + milliseconds(250);
    EXPECT_TRUE(resolve(gateway).is_known);
    for (const Solicitation& one : due()) {
      EXPECT_TRUE(one.asks_everybody);
    }
  }
  now = now + milliseconds(250);
  (void)due();
  EXPECT_EQ(resolve(gateway).drop, Drop::NeighborUnreachable);
}

TEST_F(NeighborTest, RequestsToUsTeachButUnconfirmed) {
  cache.on_request(now, gateway, kOld);
  EXPECT_TRUE(resolve(gateway).is_known);
  const auto asked = due();  // used, so checked
  ASSERT_EQ(asked.size(), 1U);
  EXPECT_FALSE(asked[0].asks_everybody);
  EXPECT_TRUE(cache.on_answer(now, gateway, kOld));
  EXPECT_TRUE(resolve(gateway).is_known);
  EXPECT_TRUE(due().empty());
}

TEST_F(NeighborTest, AFloodOfRequestsDoesNotPushOutTheGateway) {
  know(gateway, true);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    cache.on_request(now, IpAddress::v4(0x0b000000 + i), kNew);
  }
  EXPECT_TRUE(cache.is_known(gateway));
  EXPECT_GT(cache.counters().evicted, 90'000U);
}

TEST_F(NeighborTest, TakesNoPacketWithoutRoomForTheNeighbor) {
  for (std::uint32_t i = 0; i < NeighborCache::kAskingMax; ++i) {
    (void)resolve(IpAddress::v4(0x0b000000 + i));
  }
  buf::Packet one = packet();
  EXPECT_EQ(cache.resolve(now, gateway, true, one).drop, Drop::NeighborTableFull);
  EXPECT_FALSE(one.is_empty());
}

}  // namespace
}  // namespace millrace::ip
