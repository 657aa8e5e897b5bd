// Two cores of one device: one MAC, one set of addresses, a stack each; which queue a frame lands on is the device's
// affair. What one hears the other has to know.
#include <gtest/gtest.h>

#include <thread>

#include "support/stack_world.h"

namespace millrace::tests {
namespace {

constexpr std::uint16_t kPort = 11211;

/// A device on a wire whose frames land where `queue_of` says; both stacks' frames leave by it.
class TwoQueues {
 public:
  class Queue final : public port::FramePort {
   public:
    Queue(TwoQueues& device, std::size_t index) : device_(device), index_(index) {}
    std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override {
      device_.sort(now);
      std::size_t count = 0;
      for (auto& waiting = device_.waiting_[index_]; count < out.size() && !waiting.empty(); waiting.pop_front()) {
        out[count++] = std::move(waiting.front());
      }
      return count;
    }
    std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override {
      return device_.inner.tx_burst(now, packets);
    }
    std::size_t alloc(std::span<buf::Packet> out) noexcept override { return device_.inner.alloc(out); }
    Status attach(buf::Packet&, std::span<const std::byte>, std::uint64_t) noexcept override {
      return Status::Unsupported;
    }
    std::size_t take_released(std::span<std::uint64_t>) noexcept override { return 0; }
    port::LinkState link() const noexcept override { return device_.inner.link(); }
    const port::PortCapabilities& capabilities() const noexcept override { return device_.inner.capabilities(); }
    const port::PortCounters& counters() const noexcept override { return device_.inner.counters(); }
    void release(std::span<void* const> origins) noexcept override { device_.inner.release(origins); }
    buf::SegmentView next_segment(void* origin) const noexcept override { return device_.inner.next_segment(origin); }

   private:
    TwoQueues& device_;
    std::size_t index_;
  };

  explicit TwoQueues(SimWire& wire) : inner(wire, {.mac = mac_of(1)}), queues{Queue(*this, 0), Queue(*this, 1)} {
    for (std::size_t i = 0; i < spread.key.size(); ++i) {
      spread.key[i] = static_cast<std::uint8_t>(0x6d + 37 * i);
    }
    for (std::uint16_t core = 0; core < 2; ++core) {
      stacks.push_back(std::make_unique<stack::HostStack>(
          queues[core], addresses_of(1),
          stack::StackOptions{
              .seed = core + 7U, .news = &news, .core = core, .fragments = &fragments, .watch = &watch}));
      EXPECT_TRUE(stacks.back()->bind_udp(kPort));
    }
  }

  /// Whatever comes and is no UDP datagram lands here, as on most cards.
  std::size_t other_queue = 0;
  std::size_t udp_queue = 0;
  bool keeps_its_word = false;  ///< UDP comes where hash and table say, not on udp_queue
  stack::FlowSpread spread{.table = {0, 1, 1, 0}};
  stack::SpreadWatch watch{spread, 2};
  bool scatters_fragments = false;  ///< each fragment comes on another queue than the one before
  stack::FragmentExchange fragments{2, 11, 1500};
  SimPort inner;
  Queue queues[2];
  stack::LinkNews news{2};
  std::vector<std::unique_ptr<stack::HostStack>> stacks;

  void turn(Instant now) {
    for (const auto& stack : stacks) {
      stack::Datagram datagrams[64];
      const std::size_t count = stack->poll(now, datagrams);
      received += count;
      for (std::size_t i = 0; i < count; ++i) {
        const dataplane::Slice slice{reinterpret_cast<const char*>(datagrams[i].bytes.data()),
                                     static_cast<std::uint32_t>(datagrams[i].bytes.size())};
        (void)stack->send(now, {.flow = datagrams[i].key().reversed(), .slices = {&slice, 1}});
      }
      stack->flush(now);
    }
  }
  std::size_t received = 0;

 private:
  void sort(Instant now) {
    buf::Packet packet;
    while (inner.rx_burst(now, {&packet, 1}) == 1) {
      const std::byte* at = packet.first().data();
      const bool is_udp = (at[12] == std::byte{0x08} && at[13] == std::byte{0x00} && at[23] == std::byte{17}) ||
                          (at[12] == std::byte{0x86} && at[20] == std::byte{17});
      if (scatters_fragments && is_fragment(at)) {
        waiting_[next_fragment_++ % 2].push_back(std::move(packet));
        continue;
      }
      waiting_[!is_udp ? other_queue : keeps_its_word ? queue_of(at) : udp_queue].push_back(std::move(packet));
    }
  }
  static bool is_fragment(const std::byte* at) {
    return at[12] == std::byte{0x08} ? (wire::load_be16(at + 20) & 0x3fff) != 0
                                     : at[12] == std::byte{0x86} && at[20] == std::byte{44};
  }
  /// As a device would, from the frame alone.
  [[nodiscard]] std::size_t queue_of(const std::byte* at) const {
    wire::FlowKey flow;
    if (at[12] == std::byte{0x08}) {
      flow.source = wire::IpAddress::v4_at(at + 26);
      flow.destination = wire::IpAddress::v4_at(at + 30);
      at += 34;
    } else {
      flow.source = wire::IpAddress::v6(at + 22);
      flow.destination = wire::IpAddress::v6(at + 38);
      at += 54;
    }
    flow.source_port = wire::load_be16(at);
    flow.destination_port = wire::load_be16(at + 2);
    return spread.queue_of(flow);
  }
  std::deque<buf::Packet> waiting_[2];
  std::size_t next_fragment_ = 0;
};

struct Rig {
  Rig() : device(world.wire), peer(world.add(2)) { EXPECT_TRUE(peer.stack.bind_udp(4000)); }
  bool until(const std::function<bool()>& holds) {
    for (int i = 0; i < 20'000 && !holds(); ++i) {
      world.run(microseconds(200), microseconds(100));
      device.turn(world.now);
    }
    return holds();
  }
  StackWorld world;
  TwoQueues device;
  SimHost& peer;
};

TEST(TwoQueues, AnAnswerReachesTheCoreThatAsked) {
  for (const wire::IpAddress& peer_address : {v4(10, 0, 0, 2), v6(2)}) {
    Rig rig;
    // Core 1 speaks first, so it asks; the answer lands on core 0.
    const dataplane::Slice slice{"hello", 5};
    EXPECT_NE(rig.device.stacks[1]->send(
                  rig.world.now, {.flow = {.destination = peer_address, .source_port = kPort, .destination_port = 4000},
                                  .slices = {&slice, 1}}),
              stack::Sent::Dropped);
    EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() == 1; }));
    EXPECT_TRUE(rig.device.stacks[1]->neighbors().is_known(peer_address));
    EXPECT_GT(rig.device.stacks[1]->counters().news_taken, 0U);
  }
}

TEST(TwoQueues, ADatagramIsAnsweredWhereverItLands) {
  for (const wire::IpAddress& our_address : {v4(10, 0, 0, 1), v6(1)}) {
    for (const std::size_t udp_queue : {0U, 1U}) {
      Rig rig;
      rig.device.udp_queue = udp_queue;
      const wire::FlowKey flow{.destination = our_address, .source_port = 4000, .destination_port = kPort};
      EXPECT_NE(rig.peer.send(rig.world.now, flow, "question"), stack::Sent::Dropped);
      EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() == 1; })) << udp_queue;
      EXPECT_EQ(rig.device.stacks[udp_queue]->counters().datagrams_received, 1U);
      // The core that did not hear the peer's ARP request knew from the other: it asked nobody before it answered.
      EXPECT_EQ(rig.peer.received.front().bytes, "question");
    }
  }
}

TEST(TwoQueues, OneOfThemAnnounces) {
  Rig rig;
  EXPECT_TRUE(rig.until([&] { return rig.device.stacks[0]->counters().announcements_sent >= 3; }));
  EXPECT_EQ(rig.device.stacks[1]->counters().announcements_sent, 0U);
}

std::uint64_t handed_over(const Rig& rig, std::size_t core) {
  return rig.device.stacks[core]->counters().fragments_handed_over;
}

TEST(TwoQueues, FragmentsThatComeOnBothAreBroughtTogether) {
  for (const wire::IpAddress& our_address : {v4(10, 0, 0, 1), v6(1)}) {
    Rig rig;
    rig.device.scatters_fragments = true;
    const wire::FlowKey flow{.destination = our_address, .source_port = 4000, .destination_port = kPort};
    EXPECT_NE(rig.peer.send(rig.world.now, flow, "first"), stack::Sent::Dropped);
    EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() == 1; }));
    std::string question(7000, 'q');
    for (std::size_t i = 0; i < 20; ++i) {
      question[i * 300] = static_cast<char>('a' + i);
      EXPECT_NE(rig.peer.send(rig.world.now, flow, question), stack::Sent::Dropped);
      EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() == i + 2; })) << i;
      EXPECT_EQ(rig.peer.received.back().bytes, question);
    }
    const stack::StackCounters& first = rig.device.stacks[0]->counters();
    const stack::StackCounters& second = rig.device.stacks[1]->counters();
    EXPECT_GT(handed_over(rig, 0), 0U) << "the hash draws both cores";
    EXPECT_GT(handed_over(rig, 1), 0U);
    EXPECT_EQ(first.fragments_taken_over, second.fragments_handed_over);
    EXPECT_EQ(second.fragments_taken_over, first.fragments_handed_over);
    EXPECT_EQ(first.fragments_received + second.fragments_received, 100U) << "each is counted where it landed";
    EXPECT_EQ(first.datagrams_reassembled + second.datagrams_reassembled, 20U);
  }
}

TEST(TwoQueues, FragmentsThatFindNoRoomAreDroppedAndCounted) {
  Rig rig;
  rig.device.other_queue = 1;
  rig.device.udp_queue = 1;
  const wire::FlowKey flow{.destination = v4(10, 0, 0, 1), .source_port = 4000, .destination_port = kPort};
  EXPECT_NE(rig.peer.send(rig.world.now, flow, "first"), stack::Sent::Dropped);
  EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() == 1; }));
  // Core 0 takes no turn: what is its own fills the ring, and no more.
  const std::string question(60'000, 'q');
  stack::Datagram datagrams[64];
  for (int i = 0; i < 40; ++i) {
    EXPECT_NE(rig.peer.send(rig.world.now, flow, question), stack::Sent::Dropped);
    rig.world.run(milliseconds(1));
    while (rig.device.stacks[1]->poll(rig.world.now, datagrams) > 0) {
    }
  }
  const stack::StackCounters& counters = rig.device.stacks[1]->counters();
  EXPECT_EQ(counters.fragments_handed_over, stack::FragmentExchange::kPlaces);
  EXPECT_GT(counters.drops.of(wire::Drop::FragmentHandOver), 0U);
  // In a turn so many are taken, until all are.
  for (std::size_t i = 0; i < 8; ++i) {
    (void)rig.device.stacks[0]->poll(rig.world.now, datagrams);
  }
  EXPECT_EQ(rig.device.stacks[0]->counters().fragments_taken_over, stack::FragmentExchange::kPlaces);
}

/// Also for the thread sanitizer: two give, one takes, none is lost, doubled or torn; and whoever sleeps is woken.
TEST(FragmentExchange, IsWholeAndOnce) {
  struct CountingWaker final : dataplane::Waker {
    std::atomic<int> calls = 0;
    void wake() noexcept override { ++calls; }
  } waker;
  constexpr std::uint32_t kEach = 20'000;
  stack::FragmentExchange exchange(3, 5, 100);
  std::vector<std::jthread> givers;
  for (std::uint32_t giver = 1; giver <= 2; ++giver) {
    givers.emplace_back([&, giver] {
      for (std::uint32_t i = 0; i < kEach;) {
        const std::vector<std::byte> bytes(1 + i % 100, static_cast<std::byte>(i));
        const ip::Arrived fragment{.fragment = {.id = giver << 24 | i}, .payload = bytes};
        i += exchange.give(0, fragment, {}) ? 1 : 0;
      }
    });
  }
  std::uint32_t next[3] = {};
  for (std::uint32_t taken = 0; taken < 2 * kEach;) {
    exchange.rest(0, waker);
    taken += exchange.take(0,
                           [&](const ip::Arrived& fragment, const wire::MacAddress&) {
                             const std::uint32_t giver = fragment.fragment.id >> 24;
                             const std::uint32_t i = fragment.fragment.id & 0xff'ffff;
                             ASSERT_EQ(i, next[giver]++);
                             ASSERT_EQ(fragment.payload.size(), 1 + i % 100);
                             for (const std::byte byte : fragment.payload) {
                               ASSERT_EQ(byte, static_cast<std::byte>(i));
                             }
                           })
                 ? 1
                 : 0;
    exchange.rise(0);
  }
  EXPECT_GT(waker.calls, 0);
}

/// Asks from many ports, a question a millisecond; all are answered.
void ask_from_many_ports(Rig& rig, const wire::IpAddress& our_address, std::uint16_t ports) {
  for (std::uint16_t i = 0; i < ports; ++i) {
    const auto port = static_cast<std::uint16_t>(5000 + i);
    EXPECT_TRUE(rig.peer.stack.bind_udp(port));
    const std::size_t before = rig.peer.received.size();
    EXPECT_NE(rig.peer.send(rig.world.now, {.destination = our_address, .source_port = port, .destination_port = kPort},
                            "question"),
              stack::Sent::Dropped);
    EXPECT_TRUE(rig.until([&] { return rig.peer.received.size() > before; }));
    rig.world.run(milliseconds(1));
  }
}

std::uint64_t surprises(const Rig& rig) {
  return rig.device.stacks[0]->counters().queue_not_as_told + rig.device.stacks[1]->counters().queue_not_as_told;
}

TEST(SpreadWatch, FindsADeviceThatBringsAllToOneQueue) {
  for (const wire::IpAddress& our_address : {v4(10, 0, 0, 1), v6(1)}) {
    Rig rig;
    ask_from_many_ports(rig, our_address, 20);
    EXPECT_FALSE(rig.device.watch.verdict()) << "so few say nothing";
    for (std::uint16_t port = 5000; port < 5020; ++port) {
      rig.peer.stack.unbind_udp(port);
    }
    ask_from_many_ports(rig, our_address, 120);
    EXPECT_GT(surprises(rig), 30U);
    EXPECT_GT(rig.device.stacks[0]->counters().queue_as_told, 30U) << "half of the flows are where they should be";
    ASSERT_TRUE(rig.device.watch.verdict());
    EXPECT_NE(rig.device.watch.verdict()->find("all of them on queue 0"), std::string::npos);
  }
}

TEST(SpreadWatch, BelievesADeviceThatKeepsItsWord) {
  for (const wire::IpAddress& our_address : {v4(10, 0, 0, 1), v6(1)}) {
    Rig rig;
    rig.device.keeps_its_word = true;
    ask_from_many_ports(rig, our_address, 120);
    EXPECT_EQ(surprises(rig), 0U);
    EXPECT_GT(rig.device.stacks[0]->counters().queue_as_told, 30U);
    EXPECT_GT(rig.device.stacks[1]->counters().queue_as_told, 30U);
    EXPECT_FALSE(rig.device.watch.verdict());
  }
}

TEST(SpreadWatch, RulesComeBeforeTheHash) {
  stack::FlowSpread said{.table = {0, 1}, .aim_port = 11300, .queues = 2, .aims_v4 = true};
  wire::FlowKey flow{.source = v4(10, 0, 0, 2), .destination = v4(10, 0, 0, 1)};
  for (flow.source_port = 1; flow.source_port < 50; ++flow.source_port) {
    flow.destination_port = 11300;
    EXPECT_EQ(said.queue_of(flow), 0);
    flow.destination_port = 11301;
    EXPECT_EQ(said.queue_of(flow), 1);
  }
  for (const unsigned port : {11299U, 11302U}) {
    flow.destination_port = static_cast<std::uint16_t>(port);
    EXPECT_EQ(said.queue_of(flow), said.table[wire::rss_hash(said.key, flow, true) % 2]);
  }
}

TEST(SpreadWatch, SeesADeviceThatHashesOtherwise) {
  Rig rig;
  rig.device.keeps_its_word = true;
  rig.device.spread.udp4_by_ports = false;  // what it says; then what it does
  const stack::FlowSpread said = rig.device.spread;
  const std::uint16_t queue = said.queue_of({.source = v4(10, 0, 0, 2), .destination = v4(10, 0, 0, 1)});
  stack::SpreadWatch watch(said, 2);
  for (std::uint16_t port = 0; port < 40; ++port) {
    const wire::FlowKey flow{
        .source = v4(10, 0, 0, 2), .destination = v4(10, 0, 0, 1), .source_port = port, .destination_port = kPort};
    EXPECT_TRUE(watch.note(queue, flow)) << "ports are not in this hash";
    EXPECT_FALSE(watch.note(1 - queue, flow));
  }
  ASSERT_TRUE(watch.verdict());
  EXPECT_NE(watch.verdict()->find("40 of 80"), std::string::npos);
  EXPECT_NE(watch.verdict()->find("in a way of its own"), std::string::npos);
}

TEST(LinkNews, ReachesEveryoneElseInOrder) {
  stack::LinkNews news(3);
  std::uint64_t seen[3] = {};
  stack::LinkNews::Cursor cursors[3] = {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
  for (std::uint16_t i = 0; i < 5; ++i) {
    news.tell(1, {.kind = stack::LinkNews::Kind::PathMtu, .mtu = i});
  }
  for (const std::size_t reader : {0U, 2U}) {
    for (std::uint16_t i = 0; i < 5; ++i) {
      const auto item = news.take(reader, seen[reader], cursors[reader]);
      ASSERT_TRUE(item);
      EXPECT_EQ(item->mtu, i);
    }
    EXPECT_FALSE(news.take(reader, seen[reader], cursors[reader]));
  }
  EXPECT_FALSE(news.take(1, seen[1], cursors[1]));
  // Who is too far behind gets the newest.
  for (std::uint16_t i = 0; i < 1000; ++i) {
    news.tell(1, {.kind = stack::LinkNews::Kind::PathMtu, .mtu = i});
  }
  std::uint16_t last = 0;
  int taken = 0;
  while (const auto item = news.take(0, seen[0], cursors[0])) {
    EXPECT_GE(item->mtu, last);
    last = item->mtu;
    ++taken;
  }
  EXPECT_EQ(last, 999);
  EXPECT_LE(taken, static_cast<int>(stack::LinkNews::kPlaces));
}

/// Also for the thread sanitizer: readers that are overtaken all the time never see half of an item.
TEST(LinkNews, IsWholeOrNotTaken) {
  stack::LinkNews news(2);
  std::jthread writer([&](const std::stop_token& stop) {
    for (std::uint16_t i = 0; !stop.stop_requested(); ++i) {
      const auto byte = static_cast<std::uint8_t>(i);
      news.tell(
          0,
          {.mtu = byte,
           .about = {{byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte, byte}},
           .mac = {byte, byte, byte, byte, byte, byte}});
    }
  });
  std::uint64_t seen = 0;
  stack::LinkNews::Cursor cursor = {0, 0};
  int taken = 0;
  while (taken < 200'000) {
    const auto item = news.take(1, seen, cursor);
    if (!item) {
      continue;
    }
    ++taken;
    const auto byte = static_cast<std::uint8_t>(item->mtu);
    ASSERT_EQ(item->about.bytes, (std::array<std::uint8_t, 16>{byte, byte, byte, byte, byte, byte, byte, byte, byte,
                                                               byte, byte, byte, byte, byte, byte, byte}));
    ASSERT_EQ(item->mac, (wire::MacAddress{byte, byte, byte, byte, byte, byte}));
  }
}

}  // namespace
}  // namespace millrace::tests
