// dataplane/ip: token_bucket.h, path_mtu.h, output.h; dataplane/udp: port_table.h; dataplane/stack: lent_table.h.
#include <gtest/gtest.h>

#include <set>

#include "dataplane/ip/output.h"
#include "dataplane/ip/path_mtu.h"
#include "dataplane/ip/token_bucket.h"
#include "dataplane/stack/lent_table.h"
#include "dataplane/udp/port_table.h"
#include "support/stack_world.h"

namespace millrace::ip {
namespace {

using tests::v4;
using tests::v6;
using wire::Drop;

TEST(TokenBucket, ABurstThenTheRate) {
  TokenBucket bucket(10, 5);
  Instant now = Instant{} + seconds(1);
  int taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += bucket.take(now) ? 1 : 0;
  }
  EXPECT_EQ(taken, 5);
  for (int i = 0; i < 10'000; ++i) {  // ten seconds, a millisecond at a time
    now = now + milliseconds(1);
    taken += bucket.take(now) ? 1 : 0;
  }
  EXPECT_EQ(taken, 105);
  now = now + seconds(1'000'000'000);
  taken = 0;
  for (int i = 0; i < 100; ++i) {
    taken += bucket.take(now) ? 1 : 0;
  }
  EXPECT_EQ(taken, 5);
  EXPECT_FALSE(bucket.take(Instant{}));  // time that goes back gives nothing
}

TEST(PathMtu, OnlyLowersWithinReasonAndForgets) {
  PathMtu paths(1500, 1);
  Instant now{};
  EXPECT_EQ(paths.of(now, v4(1, 2, 3, 4)), 1500);
  EXPECT_EQ(paths.learn(now, v4(1, 2, 3, 4), 1500), Drop::IcmpMtuRefused);
  EXPECT_EQ(paths.learn(now, v4(1, 2, 3, 4), 551), Drop::IcmpMtuRefused);
  EXPECT_EQ(paths.learn(now, v4(1, 2, 3, 4), 70'000), Drop::IcmpMtuRefused);
  EXPECT_EQ(paths.learn(now, v4(1, 2, 3, 4), 1400), Drop::None);
  EXPECT_EQ(paths.of(now, v4(1, 2, 3, 4)), 1400);
  EXPECT_EQ(paths.learn(now, v4(1, 2, 3, 4), 1450), Drop::IcmpMtuRefused);
  EXPECT_EQ(paths.of(now, v4(1, 2, 3, 5)), 1500);
  EXPECT_EQ(paths.learn(now, v6(1), 100), Drop::None);
  EXPECT_EQ(paths.of(now, v6(1)), 1280);
  now = now + PathMtu::kLifetime;
  EXPECT_EQ(paths.of(now, v4(1, 2, 3, 4)), 1500);
}

TEST(Output, FragmentsCoverTheDatagramOnce) {
  for (const bool is_v4 : {true, false}) {
    for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{1280, 1492, 1500, 9000}) {
      for (const std::uint32_t bytes : {8U, 1232U, 1240U, 1452U, 1460U, 1480U, 1481U, 3000U, 8980U, 65'515U}) {
        std::uint32_t at = 0;
        bool is_last = false;
        while (!is_last) {
          const FragmentRange range = fragment_at(bytes, at, mtu, is_v4);
          ASSERT_EQ(range.offset_bytes, at);
          ASSERT_LE(range.bytes + ip_header_bytes(is_v4, range.is_fragment()), mtu);
          ASSERT_TRUE(!range.more || range.bytes % 8 == 0);
          at += range.bytes;
          is_last = !range.more;
        }
        ASSERT_EQ(at, bytes);
        EXPECT_EQ(fragment_at(bytes, 0, mtu, is_v4).is_fragment(), bytes + ip_header_bytes(is_v4, false) > mtu);
      }
    }
  }
}

TEST(Output, IdentificationsDifferAndStartByTheSeed) {
  Identifications one(1);
  Identifications two(2);
  const auto destination = v4(1, 2, 3, 4);
  std::set<std::uint32_t> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(one.next(destination)).second);
  }
  EXPECT_FALSE(seen.contains(two.next(destination)));
}

TEST(PortTable, OpensEachPortOnce) {
  udp::PortTable ports;
  EXPECT_FALSE(ports.bind(0));
  EXPECT_EQ(ports.bind(11211), 0);
  EXPECT_FALSE(ports.bind(11211));
  EXPECT_EQ(ports.bind(53), 1);
  EXPECT_EQ(ports.find(53), 1);
  EXPECT_FALSE(ports.find(54));
  for (std::size_t port = 20'000; port < 20'000 + udp::PortTable::kPortsMax - 2; ++port) {
    EXPECT_TRUE(ports.bind(static_cast<std::uint16_t>(port)));
  }
  EXPECT_FALSE(ports.bind(9999));
  ports.unbind(53);
  EXPECT_FALSE(ports.find(53));
  EXPECT_EQ(ports.bind(9999), 1);
  EXPECT_FALSE(ports.bind(53));
}

TEST(LentTable, TellsATokenWhenItsLastPieceIsBack) {
  stack::LentTable lent(2);
  const auto one = lent.open(11);
  const auto two = lent.open(22);
  ASSERT_TRUE(one && two);
  EXPECT_FALSE(lent.open(33));
  lent.add_piece(*one);
  lent.add_piece(*one);
  EXPECT_TRUE(lent.close(*one));
  EXPECT_FALSE(lent.close(*two));  // nothing of it was attached
  std::uint64_t token = 0;
  lent.remove_piece(*one);
  EXPECT_FALSE(lent.take_told(token));
  lent.remove_piece(*one);
  const auto three = lent.open(33);
  EXPECT_TRUE(three);
  EXPECT_FALSE(lent.open(44));  // the first slot is free when its token was told
  EXPECT_TRUE(lent.take_told(token));
  EXPECT_EQ(token, 11U);
  EXPECT_TRUE(lent.open(44));
}

}  // namespace
}  // namespace millrace::ip
