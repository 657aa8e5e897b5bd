// StackTransport on the simulated wire, with another host of ours as the peer: the rules of transport_contract.md that
// concern datagrams, over IPv4 and IPv6, with and without slices that are lent.
#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "dataplane/stack/stack_transport.h"
#include "tests/contract/driver.h"
#include "tests/support/seed.h"
#include "tests/support/stack_world.h"

namespace millrace::contract {
namespace {

using dataplane::CloseReason;
using dataplane::DatagramFlow;
using dataplane::Endpoint;
using dataplane::Event;
using dataplane::EventKind;
using tests::SimHost;
using tests::SimPort;
using tests::SimWire;

constexpr std::uint16_t kServed = 11211;
constexpr std::uint16_t kServedToo = 11212;
constexpr std::uint16_t kPeerPort = 4711;
constexpr std::uint16_t kSocketBase = 100;
constexpr std::uint32_t kConnectionsMax = 8;

struct Kind {
  const char* name;
  bool is_v4;
  bool lends;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<char>('a' + i * 7 % 23);
  }
  return bytes;
}

class StackContract : public testing::TestWithParam<Kind> {
 protected:
  StackContract()
      : wire({.delay = nanoseconds(0)}),
        port(wire, capabilities()),
        peer(wire, 2),
        transport(std::move(
            *stack::StackTransport::create(port, tests::addresses_of(1),
                                           {.ports = {kServed, kServedToo},
                                            .socket_base = kSocketBase,
                                            .connections_max = kConnectionsMax,
                                            .stack = {.zero_copy_bytes_min = GetParam().lends ? 500U : 0U}}))),
        driver(*transport) {
    EXPECT_TRUE(peer.stack.bind_udp(kPeerPort));
    // Past the announcements of both, and so that each knows the other's address.
    until([&] { return transport->stack().counters().announcements_sent > 1; });
    const std::uint64_t before = transport->counters().datagrams_received;
    send("first");
    until([&] { return driver.count(EventKind::Datagram) == 1; });
    EXPECT_EQ(transport->counters().datagrams_received, before + 1);
    answer_ = driver.seen().back().flow;
    driver.send_datagram(answer_, "first", false);
    EXPECT_EQ(receive(), "first");
    driver.seen().clear();
  }

  static port::PortCapabilities capabilities() {
    port::PortCapabilities facts{.mac = tests::mac_of(1)};
    if (GetParam().lends) {
      facts.tx_segments_max = 8;
      facts.external_max = 64;
    }
    return facts;
  }

  /// Turns of both until it holds.
  bool until(const std::function<bool()>& holds) {
    return driver.until([&] {
      peer.turn(driver.now());
      return holds();
    });
  }
  wire::IpAddress address(std::uint8_t n) const { return GetParam().is_v4 ? tests::v4(10, 0, 0, n) : tests::v6(n); }
  void send(std::string_view bytes, std::uint16_t to = kServed) {
    EXPECT_NE(
        peer.send(driver.now(), {.destination = address(1), .source_port = kPeerPort, .destination_port = to}, bytes),
        stack::Sent::Dropped);
    peer.stack.flush(driver.now());
  }
  /// What came to the peer, in order.
  std::string receive() {
    EXPECT_TRUE(until([&] { return !peer.received.empty(); }));
    if (peer.received.empty()) {
      return "";
    }
    last_from = peer.received.front().flow;
    std::string bytes = peer.received.front().bytes;
    peer.received.pop_front();
    return bytes;
  }
  [[nodiscard]] Endpoint endpoint(std::uint16_t udp_port = kPeerPort) const {
    auto found = Endpoint::resolve(GetParam().is_v4 ? "10.0.0.2" : "2001:db8::2", udp_port);
    found->front().is_datagram = true;
    return found->front();
  }
  ConnId connect() {
    ConnId conn;
    EXPECT_EQ(transport->connect(endpoint(), conn), Status::Ok);
    EXPECT_TRUE(until([&] { return driver.count(EventKind::Opened, conn) == 1; }));
    return conn;
  }
  std::vector<std::string> told(EventKind kind, ConnId conn = {}) {
    std::vector<std::string> all;
    for (const Seen& seen : driver.seen()) {
      if (seen.kind == kind && seen.conn == conn) {
        all.push_back(seen.bytes);
      }
    }
    return all;
  }
  void finish() {
    for (const ConnId conn : driver.open_connections()) {
      driver.abort(conn);
    }
    EXPECT_TRUE(until([&] { return driver.unreleased_datagrams() == 0; }));
    driver.poll();
    driver.expect_no_leaks();
    EXPECT_EQ(port.free_buffers(), 512U);
  }

  SimWire wire;
  SimPort port;
  SimHost peer;
  std::unique_ptr<stack::StackTransport> transport;
  Driver driver;
  wire::FlowKey last_from{};
  DatagramFlow answer_{};
};

TEST_P(StackContract, Rule2Views) {
  for (int i = 0; i < 40; ++i) {
    send(bytes_of(20U + static_cast<std::size_t>(i)));
  }
  ASSERT_TRUE(until([&] { return driver.count(EventKind::Datagram) == 40; }));
  // Whatever else is done until the next poll: views stay.
  driver.send_datagram(answer_, bytes_of(9000), false);
  driver.send_datagram(answer_, bytes_of(600), true);
  std::size_t index = driver.seen().size() - driver.last_events().size();
  for (const Event& event : driver.last_events()) {
    EXPECT_EQ(event.bytes, driver.seen()[index].bytes);
    if (event.kind == EventKind::Datagram) {
      EXPECT_EQ(*event.flow, driver.seen()[index].flow);
    }
    ++index;
  }
  finish();
}

TEST_P(StackContract, Rule3Release) {
  const ConnId conn = connect();
  for (int i = 0; i < 10; ++i) {
    driver.send(conn, bytes_of(i % 2 == 0 ? 10 : 800), i % 3 == 0 ? 3 : 1);
  }
  EXPECT_TRUE(until([&] { return driver.unreleased(conn) == 0; }));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(receive(), bytes_of(i % 2 == 0 ? 10 : 800));
  }
  driver.send(conn, "one that is not sent before the end");
  driver.abort(conn);
  driver.send(conn, "one for nobody");
  EXPECT_TRUE(until([&] { return driver.is_closed(conn); }));
  finish();
}

TEST_P(StackContract, Rule5StaleIdsAreHarmless) {
  const ConnId first = connect();
  driver.close(first);
  EXPECT_TRUE(until([&] { return driver.is_closed(first); }));
  const ConnId second = connect();
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_NE(second.generation, first.generation);
  driver.abort(first);
  driver.send(first, "nobody");
  driver.send(second, "somebody");
  EXPECT_EQ(receive(), "somebody");
  EXPECT_FALSE(driver.is_closed(second));
  finish();
}

TEST_P(StackContract, Rule6Pause) {
  const ConnId conn = connect();
  driver.send(conn, "?");
  EXPECT_EQ(receive(), "?");
  bool handed_back = false;
  driver.on_event = [&](const Event& event) {
    if (event.kind == EventKind::Bytes && !handed_back) {
      handed_back = true;
      driver.pause(conn, event.bytes.substr(4));
    }
  };
  const auto answer = [&](std::string_view bytes) { peer.send(driver.now(), last_from.reversed(), bytes); };
  answer("one and a half");
  EXPECT_TRUE(until([&] { return handed_back; }));
  answer("two");
  answer("three");
  for (int i = 0; i < 5; ++i) {
    peer.turn(driver.now());
    driver.poll();
  }
  EXPECT_GT(transport->counters().bytes_held_for_paused, 0U);
  driver.resume(conn);
  EXPECT_TRUE(until([&] { return told(EventKind::Bytes, conn).size() == 4; }));
  EXPECT_EQ(told(EventKind::Bytes, conn), (std::vector<std::string>{"one and a half", "and a half", "two", "three"}));
  // What a connection keeps is bounded.
  driver.pause(conn);
  for (std::size_t i = 0; i < stack::StackTransport::kHeldMax + 5; ++i) {
    answer("x");
    peer.turn(driver.now());
    driver.poll();
  }
  EXPECT_EQ(transport->counters().bytes_held_for_paused, stack::StackTransport::kHeldMax);
  EXPECT_EQ(transport->counters().datagrams_not_received, 5U);
  finish();
}

TEST_P(StackContract, Rule10Wake) {
  dataplane::Waker& waker = transport->waker();
  waker.wake();
  waker.wake();
  EXPECT_TRUE(driver.sleep());
  constexpr int kRounds = 3000;
  std::atomic<int> asked = 0;
  std::atomic<int> answered = 0;
  std::jthread other([&](const std::stop_token& stop) {
    for (int i = 1; i <= kRounds; ++i) {
      asked.store(i, std::memory_order_release);
      waker.wake();
      while (answered.load(std::memory_order_acquire) < i && !stop.stop_requested()) {
        std::this_thread::yield();
      }
    }
  });
  while (answered < kRounds) {
    ASSERT_TRUE(driver.sleep()) << "after " << answered << " wakes one was lost";
    answered.store(asked.load(std::memory_order_acquire), std::memory_order_release);
  }
}

TEST_P(StackContract, Rule11Waiting) {
  const std::uint64_t slept = transport->counters().polls_that_slept;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(driver.poll(), 0U);
  }
  EXPECT_EQ(transport->counters().polls_that_slept, slept);
  const Instant start = driver.now();
  int polls = 0;
  while (driver.now() - start < millrace::milliseconds(200)) {
    EXPECT_EQ(driver.poll(millrace::milliseconds(50)), 0U);
    ++polls;
  }
  EXPECT_LT(polls, 40);
  EXPECT_GT(transport->counters().polls_that_slept, slept);
  EXPECT_GT(transport->counters().naps, 0U);
  EXPECT_GT(transport->counters().napped_us, 20'000U);
  EXPECT_GT(transport->counters().idle_us, 100'000U);
  // A nap is bounded: what has come is seen although nobody wakes.
  send("while it naps");
  ASSERT_TRUE(driver.sleep());
  EXPECT_EQ(told(EventKind::Datagram), (std::vector<std::string>{"while it naps"}));
}

TEST_P(StackContract, Rule14EachSendIsOneDatagram) {
  const ConnId conn = connect();
  EXPECT_FALSE(transport->peer_text(conn).empty());
  driver.send(conn, "one, in three slices", 3);
  EXPECT_EQ(receive(), "one, in three slices");
  const wire::FlowKey back = last_from.reversed();
  EXPECT_EQ(back.destination, address(1));
  for (const std::size_t size : {1U, 1400U, 5000U}) {
    peer.send(driver.now(), back, bytes_of(size));
  }
  peer.send(driver.now(), back, "");  // not told
  peer.send(driver.now(), back, "last");
  EXPECT_TRUE(until([&] { return told(EventKind::Bytes, conn).size() == 4; }));
  EXPECT_EQ(told(EventKind::Bytes, conn),
            (std::vector<std::string>{bytes_of(1), bytes_of(1400), bytes_of(5000), "last"}));
  EXPECT_EQ(driver.count(EventKind::PeerFinished, conn), 0U);
  // A stranger who knows the port is not heard.
  ASSERT_TRUE(peer.stack.bind_udp(kPeerPort + 1));
  wire::FlowKey forged = back;
  forged.source_port = kPeerPort + 1;
  peer.send(driver.now(), forged, "stranger");
  peer.send(driver.now(), back, "friend");
  EXPECT_TRUE(until([&] { return told(EventKind::Bytes, conn).size() == 5; }));
  EXPECT_EQ(told(EventKind::Bytes, conn).back(), "friend");
  driver.send(conn, "last words");
  driver.close(conn);
  EXPECT_TRUE(until([&] { return driver.is_closed(conn); }));
  EXPECT_EQ(driver.close_reason(conn), CloseReason::Requested);
  EXPECT_TRUE(transport->peer_text(conn).empty());
  EXPECT_EQ(receive(), "last words");
  finish();
}

TEST_P(StackContract, Rule14EachConnectionHasItsOwn) {
  std::vector<ConnId> conns;
  for (std::uint32_t i = 0; i < kConnectionsMax; ++i) {
    conns.push_back(connect());
  }
  ConnId none;
  EXPECT_EQ(transport->connect(endpoint(), none), Status::Exhausted);
  for (std::size_t i = conns.size(); i-- > 0;) {
    driver.send(conns[i], std::to_string(i));
    const std::string asked = receive();
    peer.send(driver.now(), last_from.reversed(), "answer to " + asked);
  }
  for (std::size_t i = 0; i < conns.size(); ++i) {
    EXPECT_TRUE(until([&] { return !told(EventKind::Bytes, conns[i]).empty(); }));
    EXPECT_EQ(told(EventKind::Bytes, conns[i]), (std::vector<std::string>{"answer to " + std::to_string(i)}));
  }
  Endpoint stream = endpoint();
  stream.is_datagram = false;
  EXPECT_EQ(transport->connect(stream, none), Status::Unsupported);
  auto elsewhere = Endpoint::resolve("192.0.2.1", kPeerPort);  // no route leads there
  elsewhere->front().is_datagram = true;
  EXPECT_EQ(transport->connect(elsewhere->front(), none), Status::Invalid);
  finish();
}

TEST_P(StackContract, Rule14NobodyThereIsAReset) {
  ConnId conn;
  ASSERT_EQ(transport->connect(endpoint(4), conn), Status::Ok);
  const ConnId other = connect();
  driver.send(conn, "is anybody there?");
  EXPECT_TRUE(until([&] { return driver.is_closed(conn); }));
  EXPECT_EQ(driver.close_reason(conn), CloseReason::Reset);
  driver.send(other, "still here");
  EXPECT_EQ(receive(), "still here");
  EXPECT_FALSE(driver.is_closed(other));
  finish();
}

TEST_P(StackContract, Rule14NobodyOnTheLink) {
  if (GetParam().lends) {
    GTEST_SKIP() << "three seconds of asking, and nothing to lend";
  }
  auto nobody = Endpoint::resolve(GetParam().is_v4 ? "10.0.0.77" : "2001:db8::77", kPeerPort);
  nobody->front().is_datagram = true;
  ConnId conn;
  ASSERT_EQ(transport->connect(nobody->front(), conn), Status::Ok);
  ConnId given_up;
  ASSERT_EQ(transport->connect(nobody->front(), given_up), Status::Ok);
  driver.poll();
  driver.abort(given_up);
  EXPECT_TRUE(until([&] { return driver.is_closed(given_up); }));
  EXPECT_EQ(driver.close_reason(given_up), CloseReason::Requested);
  EXPECT_TRUE(until([&] { return driver.is_closed(conn); }));
  EXPECT_EQ(driver.close_reason(conn), CloseReason::ConnectFailed);
  EXPECT_EQ(driver.count(EventKind::Opened), 0U);
  finish();
}

TEST_P(StackContract, Rule15Listeners) {
  const std::vector<std::size_t> sizes = {0, 1, 8, 100, 1400, 1472, 3000, 20'000};
  for (const std::size_t size : sizes) {
    send(bytes_of(size), size % 2 == 0 ? kServed : kServedToo);
    peer.turn(driver.now());
  }
  EXPECT_TRUE(until([&] { return driver.count(EventKind::Datagram) == sizes.size(); }));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const Seen& seen = driver.seen()[i];
    EXPECT_EQ(seen.bytes, bytes_of(sizes[i]));
    EXPECT_EQ(seen.listener, kSocketBase + sizes[i] % 2);
    EXPECT_EQ(seen.flow.socket, seen.listener);
    EXPECT_EQ(seen.flow.peer, address(2).bytes);
    EXPECT_EQ(seen.flow.local, address(1).bytes);
    EXPECT_EQ(seen.flow.peer_port, kPeerPort);
    EXPECT_EQ(seen.flow.local_port, kServed + sizes[i] % 2);
  }
  finish();
}

TEST_P(StackContract, Rule15NoMoreThanThereIsRoomFor) {
  for (int i = 0; i < 100; ++i) {
    send(std::to_string(i));
  }
  for (int i = 0; i < 1000 && driver.count(EventKind::Datagram) < 100; ++i) {
    EXPECT_LE(driver.poll(millrace::milliseconds(0), 1 + static_cast<std::size_t>(i) % 3), 3U);
  }
  const auto all = told(EventKind::Datagram);
  ASSERT_EQ(all.size(), 100U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i], std::to_string(i));
  }
  finish();
}

TEST_P(StackContract, Rule16SendDatagram) {
  const std::uint64_t sent = transport->counters().datagrams_sent;
  for (const std::size_t size : {0U, 1U, 600U, 1472U, 8000U, 60'000U}) {
    for (const bool is_lent : {false, true}) {
      driver.send_datagram(answer_, bytes_of(size), is_lent, size > 10 ? 3 : 1);
      EXPECT_EQ(receive(), bytes_of(size)) << size;
      EXPECT_EQ(last_from.source, address(1));
      EXPECT_EQ(last_from.source_port, kServed);
      EXPECT_EQ(last_from.destination_port, kPeerPort);
    }
  }
  EXPECT_EQ(transport->counters().datagrams_sent, sent + 12);
  EXPECT_TRUE(until([&] { return driver.unreleased_datagrams() == 0; }));
  // From whichever of our addresses fits.
  DatagramFlow chosen = answer_;
  chosen.local = {};
  driver.send_datagram(chosen, "chosen", false);
  EXPECT_EQ(receive(), "chosen");
  EXPECT_EQ(last_from.source, address(1));
  finish();
}

TEST_P(StackContract, Rule16LentUntilTheDeviceHasRead) {
  if (!GetParam().lends) {
    driver.send_datagram(answer_, bytes_of(1000), true);
    driver.poll();
    EXPECT_EQ(driver.unreleased_datagrams(), 0U) << "copied, so there is nothing to wait for";
    EXPECT_EQ(transport->capabilities().datagram_lend_bytes_min, 0U);
    return finish();
  }
  EXPECT_EQ(transport->capabilities().datagram_lend_bytes_min, 500U);
  port.tx_room = 0;
  driver.send_datagram(answer_, bytes_of(1000), true);
  driver.send_datagram(answer_, bytes_of(100), true);
  for (int i = 0; i < 3; ++i) {
    driver.poll();
  }
  EXPECT_EQ(driver.unreleased_datagrams(), 1U) << "the short one was copied, the long one waits";
  EXPECT_EQ(transport->counters().sends_in_flight, 1U);
  port.tx_room = SIZE_MAX;
  EXPECT_EQ(receive(), bytes_of(1000));
  EXPECT_EQ(receive(), bytes_of(100));
  finish();
}

TEST_P(StackContract, Rule16WhatIsNotSentIsCountedAndReleased) {
  const std::uint64_t before = transport->counters().datagrams_not_sent;
  DatagramFlow nowhere = answer_;
  nowhere.peer = tests::v4(192, 0, 2, 1).bytes;
  driver.send_datagram(nowhere, "no route", false);
  driver.send_datagram(nowhere, bytes_of(700), true);
  driver.send_datagram(answer_, bytes_of(66'000), true);
  driver.poll();
  EXPECT_EQ(driver.unreleased_datagrams(), 0U);
  EXPECT_EQ(transport->counters().datagrams_not_sent, before + 3);
  // A device that takes nothing: bounded, counted, and nothing is kept.
  port.tx_room = 0;
  for (int i = 0; i < 1000; ++i) {
    driver.send_datagram(answer_, bytes_of(700), i % 2 == 0);
  }
  EXPECT_GT(transport->counters().datagrams_not_sent, before + 3 + 500);
  port.tx_room = SIZE_MAX;
  finish();
}

TEST_P(StackContract, Rule17DatagramsStop) {
  transport->stop_accepting();
  send("too late");
  for (int i = 0; i < 5; ++i) {
    peer.turn(driver.now());
    driver.poll();
  }
  EXPECT_EQ(driver.count(EventKind::Datagram), 0U);
  driver.send_datagram(answer_, "owed", false);
  EXPECT_EQ(receive(), "owed");
  transport->stop_accepting();
  const ConnId conn = connect();
  driver.send(conn, "a connection");
  EXPECT_EQ(receive(), "a connection");
  finish();
}

INSTANTIATE_TEST_SUITE_P(Kinds, StackContract,
                         testing::Values(Kind{"V4Copies", true, false}, Kind{"V4Lends", true, true},
                                         Kind{"V6Copies", false, false}, Kind{"V6Lends", false, true}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace millrace::contract
