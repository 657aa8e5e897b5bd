// dataplane/ip/reassembly.h: order, copies, overlaps, bounds and time.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "dataplane/ip/reassembly.h"
#include "dataplane/wire/ipv4.h"
#include "support/seed.h"
#include "support/stack_world.h"

namespace millrace::ip {
namespace {

using tests::v4;
using tests::v6;
using wire::Drop;

class ReassemblyTest : public testing::Test {
 protected:
  ReassemblyTest() {
    for (std::size_t i = 0; i < whole.size(); ++i) {
      whole[i] = static_cast<std::byte>(i * 31 + i / 256);
    }
  }
  Arrived fragment(std::size_t offset, std::size_t bytes, bool more, std::uint32_t id = 1) const {
    return {.is_fragment = true,
            .protocol = wire::kProtocolUdp,
            .fragment = {.id = id, .offset_bytes = static_cast<std::uint16_t>(offset), .more = more},
            .source = v4(10, 0, 0, 1),
            .destination = v4(10, 0, 0, 2),
            .payload = wire::Bytes(whole).subspan(offset, bytes)};
  }
  ReassemblyOutcome add(const Arrived& one) { return reassembler.add(now, one, counters); }
  bool equals_whole(const ReassemblyOutcome& outcome, std::size_t bytes) const {
    return outcome.is_whole && std::ranges::equal(outcome.payload, wire::Bytes(whole).first(bytes));
  }

  std::vector<std::byte> whole = std::vector<std::byte>(65'536);
  Reassembler reassembler{{.datagrams_max = 4}};
  wire::DropCounters counters;
  Instant now = Instant{} + seconds(1);
};

TEST_F(ReassemblyTest, AnyOrderAnyCutAndCopies) {
  std::mt19937_64 random(tests::test_seed());
  for (int round = 0; round < 500; ++round) {
    const std::size_t bytes = 9 + random() % 20'000;
    std::vector<std::pair<std::size_t, std::size_t>> cuts;
    for (std::size_t at = 0; at < bytes;) {
      const std::size_t blocks = std::max<std::size_t>(bytes / 400, 1 + random() % 150);
      const std::size_t size = std::min(bytes - at, at == 0 ? std::min(blocks * 8, (bytes - 1) / 8 * 8) : blocks * 8);
      cuts.emplace_back(at, size);
      at += size;
    }
    if (cuts.size() > kFragmentsMax || cuts.size() < 2) {
      continue;
    }
    std::ranges::shuffle(cuts, random);
    ReassemblyOutcome outcome;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      const Arrived one = fragment(cuts[i].first, cuts[i].second, cuts[i].first + cuts[i].second < bytes,
                                   static_cast<std::uint32_t>(round));
      if (i > 0 && random() % 4 == 0) {
        const auto& copy = cuts[random() % i];
        ASSERT_EQ(
            add(fragment(copy.first, copy.second, copy.first + copy.second < bytes, static_cast<std::uint32_t>(round)))
                .drop,
            Drop::FragmentDuplicate);
      }
      ASSERT_FALSE(outcome.is_whole);
      outcome = add(one);
      ASSERT_EQ(outcome.drop, Drop::None);
    }
    ASSERT_TRUE(equals_whole(outcome, bytes)) << "round " << round;
    reassembler.release_whole();
    ASSERT_EQ(reassembler.waiting(), 0U);
  }
}

TEST_F(ReassemblyTest, OverlapsEndTheirDatagramForGood) {
  EXPECT_EQ(add(fragment(0, 16, true)).drop, Drop::None);
  EXPECT_EQ(add(fragment(8, 16, true)).drop, Drop::FragmentOverlap);
  EXPECT_EQ(add(fragment(16, 8, false)).drop, Drop::FragmentOverlap);  // it would have been whole now
  EXPECT_EQ(add(fragment(0, 16, true)).drop, Drop::FragmentOverlap);
  EXPECT_TRUE(add(fragment(0, 16, true, 2)).drop == Drop::None);
  EXPECT_TRUE(equals_whole(add(fragment(16, 8, false, 2)), 24));  // others are not hurt
}

TEST_F(ReassemblyTest, ACopyThatSaysOtherwiseIsAnOverlap) {
  EXPECT_EQ(add(fragment(0, 16, true)).drop, Drop::None);
  const std::vector<std::byte> other(16, std::byte{0x55});
  Arrived forged = fragment(0, 16, true);
  forged.payload = other;
  EXPECT_EQ(add(forged).drop, Drop::FragmentOverlap);
}

TEST_F(ReassemblyTest, ContradictingEnds) {
  EXPECT_EQ(add(fragment(16, 8, false)).drop, Drop::None);
  EXPECT_EQ(add(fragment(24, 8, false)).drop, Drop::FragmentOverlap);
  EXPECT_EQ(add(fragment(32, 8, true, 2)).drop, Drop::None);
  EXPECT_EQ(add(fragment(16, 8, false, 2)).drop, Drop::FragmentOverlap);
  EXPECT_EQ(add(fragment(0, 13, false, 3)).is_whole, true);  // all of it in one
  EXPECT_EQ(add(fragment(8, 13, false, 4)).drop, Drop::None);
  EXPECT_EQ(add(fragment(16, 8, true, 4)).drop, Drop::FragmentOverlap);  // behind an end that is no whole block
}

TEST_F(ReassemblyTest, FragmentsAreBoundedInNumber) {
  for (std::size_t i = 0; i < kFragmentsMax; ++i) {
    EXPECT_EQ(add(fragment(i * 8, 8, true)).drop, Drop::None);
  }
  EXPECT_EQ(add(fragment(kFragmentsMax * 8, 8, true)).drop, Drop::FragmentTooMany);
}

TEST_F(ReassemblyTest, DatagramsAreBoundedAndTheOldestMakesRoom) {
  for (std::uint32_t id = 1; id <= 5; ++id) {
    now = now + milliseconds(1);
    EXPECT_EQ(add(fragment(0, 16, true, id)).drop, Drop::None);
  }
  EXPECT_EQ(counters.of(Drop::FragmentEvicted), 1U);
  EXPECT_EQ(reassembler.waiting(), 4U);
  EXPECT_TRUE(equals_whole(add(fragment(16, 8, false, 5)), 24));
  EXPECT_FALSE(add(fragment(16, 8, false, 1)).is_whole);  // the oldest was given up
}

TEST_F(ReassemblyTest, WholeOnesStayUntilReleased) {
  for (std::uint32_t id = 1; id <= 4; ++id) {
    (void)add(fragment(0, 16, true, id));
    EXPECT_TRUE(add(fragment(16, 8, false, id)).is_whole);
  }
  EXPECT_EQ(add(fragment(0, 16, true, 9)).drop, Drop::FragmentEvicted);
  reassembler.release_whole();
  EXPECT_EQ(add(fragment(0, 16, true, 9)).drop, Drop::None);
}

TEST_F(ReassemblyTest, TimeEndsThem) {
  (void)add(fragment(0, 16, true));
  now = now + seconds(6);
  reassembler.expire(now, counters);
  EXPECT_EQ(counters.of(Drop::FragmentTimeout), 1U);
  EXPECT_EQ(reassembler.waiting(), 0U);
  EXPECT_FALSE(add(fragment(16, 8, false)).is_whole);
  // Also when nobody ran the timer: an old beginning does not meet a new end.
  now = now + seconds(6);
  EXPECT_FALSE(add(fragment(0, 16, true)).is_whole);
  EXPECT_EQ(counters.of(Drop::FragmentTimeout), 2U);
}

TEST_F(ReassemblyTest, WhoSentItTellsThemApart) {
  (void)add(fragment(0, 16, true));
  Arrived other = fragment(16, 8, false);
  other.source = v4(10, 0, 0, 3);
  EXPECT_FALSE(add(other).is_whole);
  other = fragment(16, 8, false);
  other.protocol = wire::kProtocolIcmpv4;
  EXPECT_FALSE(add(other).is_whole);
  other = fragment(16, 8, false);
  EXPECT_TRUE(add(other).is_whole);
}

TEST_F(ReassemblyTest, OfIpv6TheFirstFragmentSaysTheProtocol) {
  Arrived last = fragment(16, 8, false);
  Arrived first = fragment(0, 16, true);
  last.source = first.source = v6(1);
  last.destination = first.destination = v6(2);
  last.protocol = wire::kProtocolIcmpv6;  // RFC 8200 4.5: may differ, and does not count
  (void)add(last);
  const ReassemblyOutcome outcome = add(first);
  EXPECT_TRUE(outcome.is_whole);
  EXPECT_EQ(outcome.protocol, wire::kProtocolUdp);
}

TEST_F(ReassemblyTest, TcpIsNotPutTogether) {
  Arrived one = fragment(0, 16, true);
  one.protocol = wire::kProtocolTcp;
  EXPECT_EQ(add(one).drop, Drop::FragmentProtocol);
  EXPECT_EQ(reassembler.waiting(), 0U);
}

}  // namespace
}  // namespace millrace::ip
