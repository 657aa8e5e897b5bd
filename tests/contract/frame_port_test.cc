// What dataplane/port/frame_port.h promises, over each port.
#include "tests/contract/frame_port_suite.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "tests/support/seed.h"

namespace millrace::contract {
namespace {

using buf::Packet;
using port::PortCapabilities;

/// A type that IEEE 802 keeps for experiments, so that no peer answers.
constexpr std::byte kTypeHigh{0x88};
constexpr std::byte kTypeLow{0xb5};

class FramePortContract : public testing::TestWithParam<FramePortMaker> {
 protected:
  void SetUp() override { start(1500); }

  void start(std::uint16_t mtu) {
    bench.reset();
    bench = GetParam().make(mtu);
    if (bench == nullptr) {
      GTEST_SKIP() << "this host has no " << GetParam().name;
    }
  }
  port::FramePort& port() { return bench->port(); }

  Frame frame(std::size_t bytes, std::uint32_t mark) {
    Frame made(bytes);
    const auto& mac = port().capabilities().mac;
    for (std::size_t i = 0; i < bytes; ++i) {
      made[i] = static_cast<std::byte>(i * 13 + mark);
    }
    for (std::size_t i = 0; i < 6; ++i) {
      made[i] = static_cast<std::byte>(mac[i]);
      made[6 + i] = static_cast<std::byte>(i == 0 ? 0x02 : 0x77);
    }
    made[12] = kTypeHigh;
    made[13] = kTypeLow;
    for (std::size_t i = 0; i < 4; ++i) {
      made[14 + i] = static_cast<std::byte>(mark >> (8 * i));
    }
    return made;
  }
  static bool is_ours(const Frame& one) { return one.size() >= 18 && one[12] == kTypeHigh && one[13] == kTypeLow; }

  Packet packet_of(const Frame& bytes) {
    Packet packet;
    EXPECT_EQ(port().alloc({&packet, 1}), 1U);
    std::ranges::copy(bytes, packet.append(static_cast<std::uint16_t>(bytes.size())).begin());
    return packet;
  }
  /// Receives until `wanted` experimental frames are there, or half a second long none.
  std::vector<Frame> receive(std::size_t wanted) {
    std::vector<Frame> all;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (all.size() < wanted && std::chrono::steady_clock::now() < end) {
      Packet burst[8];
      const std::size_t count = port().rx_burst(bench->now(), burst);
      for (std::size_t i = 0; i < 8; ++i) {
        EXPECT_EQ(burst[i].is_empty(), i >= count);
      }
      for (const Packet& packet : std::span(burst).first(count)) {
        Frame one;
        packet.for_each_segment(
            [&](std::span<const std::byte> piece) { one.insert(one.end(), piece.begin(), piece.end()); });
        if (is_ours(one)) {
          all.push_back(std::move(one));
        }
      }
    }
    return all;
  }
  std::vector<Frame> peer_receives(std::size_t wanted) {
    std::vector<Frame> all;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    while (all.size() < wanted && std::chrono::steady_clock::now() < end) {
      (void)bench->now();
      auto one = bench->peer_receives();
      if (!one) {
        std::this_thread::yield();
      } else if (is_ours(*one)) {
        all.push_back(std::move(*one));
      }
    }
    return all;
  }
  /// Sends all, offering again what was not taken; true when all were taken.
  bool send(std::span<Packet> packets) {
    for (int i = 0; i < 10'000 && !packets.empty(); ++i) {
      packets = packets.subspan(port().tx_burst(bench->now(), packets));
    }
    return packets.empty();
  }
  /// Every packet that exists can be had: none is lost.
  void expect_whole_pool() {
    std::vector<Packet> all(bench->packets_in_all() + 1);
    EXPECT_EQ(port().alloc(all), bench->packets_in_all());
    buf::release_burst(all);
  }
  static bool starts_with(const Frame& longer, const Frame& shorter) {
    return longer.size() >= shorter.size() && std::equal(shorter.begin(), shorter.end(), longer.begin());
  }

  std::unique_ptr<FramePortBench> bench;
};

TEST_P(FramePortContract, SaysWhatAStackNeeds) {
  const PortCapabilities& can = port().capabilities();
  EXPECT_EQ(can.mac[0] & 1, 0);
  EXPECT_GE(can.mtu, 1280);
  EXPECT_GE(can.buffer_bytes, can.mtu);
  EXPECT_GE(can.headroom_bytes, 118);  // Ethernet, a tag, IPv6, TCP with options
  EXPECT_GE(can.tx_segments_max, 1);
  EXPECT_EQ(port().link(), port::LinkState::Up);
}

/// A received frame's buffer, with another frame that was written behind the first, goes back.
TEST_P(FramePortContract, SendsFromTheRoomOfWhatItReceived) {
  constexpr std::size_t kAnswer = 500;
  bench->peer_sends(frame(100, 1));
  std::optional<Packet> got;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (!got && std::chrono::steady_clock::now() < end) {
    Packet packet;
    if (port().rx_burst(bench->now(), {&packet, 1}) == 1 && packet.size() >= 100 && packet.first()[12] == kTypeHigh) {
      got = std::move(packet);
    }
  }
  ASSERT_TRUE(got);
  if (got->tailroom() < kAnswer) {
    GTEST_SKIP() << "what it receives has no room";
  }
  const Frame answer = frame(kAnswer, 2);
  std::byte* const at = got->first().data() + got->size();
  std::ranges::copy(answer, at);
  const unsigned room = got->headroom() + got->size() + got->tailroom();
  got->move_behind(kAnswer);
  EXPECT_EQ(got->first().data(), at);
  EXPECT_EQ(got->headroom() + got->size() + got->tailroom(), room);
  EXPECT_TRUE(send({&*got, 1}));
  const auto sent = peer_receives(1);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(starts_with(sent[0], answer));
  expect_whole_pool();
}

TEST_P(FramePortContract, AllocatesEmptyPacketsWithRoom) {
  Packet packets[5];
  ASSERT_EQ(port().alloc(packets), 5U);
  for (Packet& packet : packets) {
    EXPECT_EQ(packet.size(), 0U);
    EXPECT_GE(packet.headroom(), port().capabilities().headroom_bytes);
    EXPECT_GE(packet.tailroom(), port().capabilities().buffer_bytes);
    packet.append(10);
    EXPECT_EQ(packet.prepend(14).size(), 14U);
    EXPECT_EQ(packet.size(), 24U);
  }
  buf::release_burst(packets);
  EXPECT_TRUE(packets[0].is_empty());
  expect_whole_pool();
}

TEST_P(FramePortContract, RunsDryAndRecovers) {
  std::vector<Packet> all(bench->packets_in_all() + 10);
  const std::uint64_t failed_before = port().counters().alloc_failed;
  EXPECT_EQ(port().alloc(all), bench->packets_in_all());
  EXPECT_EQ(port().counters().alloc_failed - failed_before, 10U);
  bench->peer_sends(frame(100, 1));  // nowhere to put it: it waits or is lost, and nothing breaks
  EXPECT_TRUE(receive(1).empty());
  all.clear();
  (void)receive(1);
  bench->peer_sends(frame(100, 2));
  EXPECT_FALSE(receive(1).empty());
  expect_whole_pool();
}

TEST_P(FramePortContract, SendsInOrderAndLeavesNothingBehind) {
  constexpr std::uint32_t kFrames = 100;
  std::vector<Packet> packets;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    packets.push_back(packet_of(frame(60 + i * 13, i)));
  }
  ASSERT_TRUE(send(packets));
  EXPECT_TRUE(std::ranges::all_of(packets, &Packet::is_empty));
  const auto got = peer_receives(kFrames);
  ASSERT_EQ(got.size(), kFrames);
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    EXPECT_EQ(got[i], frame(60 + i * 13, i)) << i;
  }
  EXPECT_EQ(port().counters().tx_frames, kFrames);
  expect_whole_pool();
}

TEST_P(FramePortContract, ReceivesInOrder) {
  constexpr std::uint32_t kFrames = 60;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    bench->peer_sends(frame(60 + i * 20, i));
  }
  const auto got = receive(kFrames);
  ASSERT_EQ(got.size(), kFrames);
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    EXPECT_EQ(got[i], frame(60 + i * 20, i)) << i;
  }
  EXPECT_GE(port().counters().rx_frames, kFrames);
  expect_whole_pool();
}

TEST_P(FramePortContract, CarriesFramesOfTheMtuAndTakesLongerOnesOnlyToCountThem) {
  for (const std::uint16_t mtu : std::initializer_list<std::uint16_t>{1500, 9000}) {
    start(mtu);
    if (bench == nullptr) {
      return;
    }
    const Frame longest = frame(mtu + 14U, 7);
    bench->peer_sends(longest);
    const auto got = receive(1);
    ASSERT_EQ(got.size(), 1U) << mtu;
    EXPECT_EQ(got[0], longest);
    Packet one = packet_of(longest);
    ASSERT_TRUE(send({&one, 1}));
    const auto peers = peer_receives(1);
    ASSERT_EQ(peers.size(), 1U) << mtu;
    EXPECT_EQ(peers[0], longest);

    Packet two[2] = {packet_of(frame(mtu + 18U, 8)), packet_of(frame(100, 9))};
    if (two[0].headroom() < 100) {
      return;
    }
    two[0].prepend(100);  // by its headers it is too long now
    const std::uint64_t errors = port().counters().tx_errors;
    ASSERT_TRUE(send(two)) << "it stands in the way";
    EXPECT_EQ(port().counters().tx_errors, errors + 1);
    EXPECT_EQ(peer_receives(1), std::vector<Frame>{frame(100, 9)});
    expect_whole_pool();
  }
}

TEST_P(FramePortContract, AReceivedPacketMayBeSentBack) {
  bench->peer_sends(frame(300, 5));
  std::vector<Packet> held(1);
  for (int i = 0; i < 100'000 && held[0].is_empty(); ++i) {
    if (port().rx_burst(bench->now(), held) == 1 && (held[0].size() < 18 || held[0].first()[12] != kTypeHigh)) {
      held[0] = Packet{};
    }
  }
  ASSERT_FALSE(held[0].is_empty());
  ASSERT_TRUE(send(held));
  const auto got = peer_receives(1);
  ASSERT_EQ(got.size(), 1U);
  EXPECT_EQ(got[0], frame(300, 5));
  expect_whole_pool();
}

TEST_P(FramePortContract, AttachedBytesAreSentAndTheirTokensToldOnce) {
  const PortCapabilities& can = port().capabilities();
  if (can.tx_segments_max < 2) {
    Packet packet = packet_of(frame(20, 0));
    std::byte one{};
    EXPECT_EQ(port().attach(packet, {&one, 1}, 1), Status::Unsupported);
    return;
  }
  std::mt19937_64 random(tests::test_seed());
  std::multiset<std::uint64_t> expected;
  std::multiset<std::uint64_t> told;
  const auto take = [&] {
    std::uint64_t tokens[3];
    for (std::size_t count = 3; count == 3;) {
      count = port().take_released(tokens);
      told.insert(tokens, tokens + count);
    }
  };
  std::uint64_t token = 100;
  for (std::uint32_t round = 0; round < 200; ++round) {
    Frame whole = frame(20 + random() % 200, round);
    Packet packet = packet_of(whole);
    std::vector<Frame> lent;
    const std::size_t pieces = 1 + random() % (can.tx_segments_max - 1);
    for (std::size_t i = 0; i < pieces; ++i) {
      lent.push_back(frame(18 + random() % 150, static_cast<std::uint32_t>(token)));
      ASSERT_EQ(port().attach(packet, lent.back(), token), Status::Ok);
      expected.insert(token++);
      whole.insert(whole.end(), lent.back().begin(), lent.back().end());
    }
    EXPECT_EQ(packet.size(), whole.size());
    const bool is_sent = random() % 4 != 0;
    if (is_sent) {
      ASSERT_TRUE(send({&packet, 1}));
      const auto got = peer_receives(1);
      ASSERT_EQ(got.size(), 1U);
      EXPECT_TRUE(starts_with(got[0], whole));
    } else {
      packet = Packet{};
    }
    // A device may read until told: the bytes live until all tokens of this packet are back.
    for (int i = 0; i < 100'000 && told.size() < expected.size(); ++i) {
      (void)port().tx_burst(bench->now(), {});
      take();
    }
    ASSERT_EQ(told, expected);
  }
  // No more at once than it says, and then as many again.
  for (int again = 0; again < 2; ++again) {
    const Frame bytes = frame(50, 1);
    std::vector<Packet> packets(can.external_max + 1);
    packets.resize(port().alloc(packets));
    std::uint32_t attached = 0;
    for (Packet& packet : packets) {
      attached += port().attach(packet, bytes, 1) == Status::Ok ? 1 : 0;
    }
    EXPECT_EQ(attached, std::min<std::size_t>(packets.size(), can.external_max));
    packets.clear();
    told.clear();
    for (int i = 0; i < 1000 && told.size() < attached; ++i) {
      (void)port().tx_burst(bench->now(), {});
      take();
    }
    EXPECT_EQ(told.size(), attached);
  }
  expect_whole_pool();
}

TEST_P(FramePortContract, ALinkThatIsDownTakesNothing) {
  if (!bench->set_link(false)) {
    GTEST_SKIP() << "its link cannot go down";
  }
  EXPECT_EQ(port().link(), port::LinkState::Down);
  Packet packets[3] = {packet_of(frame(60, 1)), packet_of(frame(60, 2)), packet_of(frame(60, 3))};
  EXPECT_EQ(port().tx_burst(bench->now(), packets), 0U);
  EXPECT_FALSE(packets[0].is_empty());
  EXPECT_GE(port().counters().tx_refused, 1U);
  ASSERT_TRUE(bench->set_link(true));
  ASSERT_TRUE(send(packets));
  EXPECT_EQ(peer_receives(3).size(), 3U);
  expect_whole_pool();
}

INSTANTIATE_TEST_SUITE_P(Ports, FramePortContract, testing::ValuesIn(frame_port_makers()),
                         [](const auto& maker) { return std::string(maker.param.name); });

}  // namespace
}  // namespace millrace::contract
