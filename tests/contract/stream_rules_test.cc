// dataplane/api/transport_contract.md over every backend: the rules of the stream (1, 2, 3, 6, 8, 20).
#include <algorithm>
#include <atomic>
#include <ranges>
#include <thread>

#include "tests/contract/suite.h"

namespace millrace::contract {
namespace {

using dataplane::CloseReason;
using dataplane::Event;
using dataplane::EventKind;
using std::chrono::milliseconds;

TEST_P(TransportContract, Rule1Order) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::string sent = random_bytes(random, 2'000'000);
  const std::uint64_t seed = random();
  std::jthread sender([&] {
    std::mt19937_64 cuts(seed);
    for (std::size_t at = 0; at < sent.size();) {
      const std::size_t size = std::min(pick(cuts, 1, 30'000), sent.size() - at);
      ASSERT_TRUE(peer.send(std::string_view(sent).substr(at, size)));
      at += size;
    }
  });
  // Little room now and then: what does not fit comes later, and in order.
  EXPECT_TRUE(driver->until([&] { return driver->received(conn).size() >= sent.size(); }, pick(random, 1, 8)));
  sender.join();
  EXPECT_TRUE(driver->received(conn) == sent);
  finish();
}

TEST_P(TransportContract, Rule2Views) {
  std::vector<Peer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(connect_peer());
  }
  driver->opened(7);
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.send(random_bytes(random, 3000)));
  }
  std::size_t views = 0;
  std::size_t bytes = 0;
  while (bytes < 8 * 3000) {
    driver->seen().clear();
    ASSERT_TRUE(driver->until([&] { return driver->count(EventKind::Bytes) > 0; }));
    // More arrives, and the worker submits: neither may touch what is lent.
    for (Peer& peer : peers) {
      peer.send_some("x");
    }
    for (const Event& event : driver->last_events()) {
      if (event.kind == EventKind::Bytes) {
        driver->send(event.conn, event.bytes);
      }
    }
    std::this_thread::sleep_for(milliseconds(2));
    const std::vector<Seen>& copies = driver->seen();
    const std::size_t before = copies.size() - driver->last_events().size();
    for (std::size_t i = 0; i < driver->last_events().size(); ++i) {
      const Event& event = driver->last_events()[i];
      views += event.bytes.empty() ? 0 : 1;
      bytes += event.bytes.size();
      EXPECT_EQ(event.bytes, copies[before + i].bytes);
    }
  }
  EXPECT_GE(views, 8U);
  finish();
}

TEST_P(TransportContract, Rule3Release) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::size_t together = transport->capabilities().sends_per_connection_max;
  std::string sent;
  std::jthread reader([&] { sent = peer.receive_to_end(); });
  std::string expected;
  for (int round = 0; round < 50; ++round) {
    for (std::size_t i = 0; i < together; ++i) {
      const std::string bytes = random_bytes(random, pick(random, 0, 100'000));
      driver->send(conn, bytes, pick(random, 1, transport->capabilities().slices_per_send_max));
      expected += bytes;
    }
    // The driver checks: each once, in order.
    ASSERT_TRUE(driver->until([&] { return driver->unreleased(conn) == 0; }));
  }
  driver->close(conn);
  driver->poll();
  reader.join();
  EXPECT_TRUE(sent == expected);
  peer.close();
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  finish();
}

TEST_P(TransportContract, Rule3ReleaseThoughThePeerIsGone) {
  for (const bool resets : {false, true}) {
    Peer peer = connect_peer();
    const ConnId conn = driver->opened(resets ? 1 : 0);
    // More than any window: these are unsent when the peer goes.
    const std::string large = random_bytes(random, 8'000'000);
    for (std::size_t i = 0; i < transport->capabilities().sends_per_connection_max; ++i) {
      driver->send(conn, large, 3);
    }
    driver->poll_for(milliseconds(20));
    EXPECT_GT(driver->unreleased(conn), 0U);
    if (resets) {
      peer.reset();
    } else {
      peer.close();  // with unread bytes: a reset too
    }
    EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
    EXPECT_EQ(driver->unreleased(conn), 0U);
    EXPECT_EQ(driver->close_reason(conn), CloseReason::Reset);
  }
  finish();
}

TEST_P(TransportContract, Rule6PauseStopsBytesAndThePeer) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  driver->pause(conn);
  const std::string chunk = random_bytes(random, 1 << 16);
  std::string sent;
  // The peer goes on until the windows are full: it must come to stand.
  const Patience patience;
  int idle = 0;
  while (idle < 20 && !patience.is_over()) {
    const std::size_t taken = peer.send_some(chunk);
    sent += chunk.substr(0, taken);
    idle = taken == 0 ? idle + 1 : 0;
    driver->poll(millrace::milliseconds(2));
    ASSERT_LT(sent.size(), 64U << 20) << "the peer does not feel the pause";
  }
  EXPECT_EQ(driver->count(EventKind::Bytes), 0U);
  EXPECT_LT(transport->counters().bytes_held_for_paused, 4U << 20);
  driver->resume(conn);
  EXPECT_TRUE(driver->until([&] { return driver->received(conn).size() >= sent.size(); }));
  EXPECT_TRUE(driver->received(conn) == sent);
  finish();
}

TEST_P(TransportContract, Rule6HandedBackBytesComeFirst) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::string sent = random_bytes(random, 3'000'000);
  std::jthread sender([&] { EXPECT_TRUE(peer.send(sent)); });
  int pauses = 0;
  int turns_paused = 0;
  const Patience patience;
  while (driver->received(conn).size() < sent.size() && !patience.is_over()) {
    if (turns_paused > 0 && --turns_paused == 0) {
      driver->resume(conn);
    }
    driver->poll(millrace::milliseconds(5), pick(random, 1, 6));
    if (driver->last_events().empty() || pick(random, 0, 2) != 0) {
      continue;
    }
    // Hands back the tail of one of the events of this turn, and all that came after it.
    const std::vector<Event> events = driver->last_events();
    const std::size_t from = pick(random, 0, events.size() - 1);
    for (std::size_t i = from; i < events.size(); ++i) {
      if (events[i].kind == EventKind::Bytes) {
        driver->pause(conn, events[i].bytes.substr(i == from ? pick(random, 0, events[i].bytes.size()) : 0));
        turns_paused = static_cast<int>(pick(random, 1, 4));
      }
    }
    // Sometimes the worker changes its mind at once.
    if (turns_paused > 0 && pick(random, 0, 3) == 0) {
      turns_paused = 0;
      driver->resume(conn);
    }
    ++pauses;
  }
  sender.join();
  EXPECT_GT(pauses, 5);
  EXPECT_TRUE(driver->received(conn) == sent);
  finish();
}

TEST_P(TransportContract, Rule6ResumeDeliversWithoutNewBytes) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  ASSERT_TRUE(peer.send("get a\r\nget b\r\n"));
  ASSERT_TRUE(driver->until([&] { return driver->received(conn).size() == 14; }));
  ASSERT_EQ(driver->last_events().size(), 1U);
  driver->pause(conn, driver->last_events()[0].bytes.substr(7));
  driver->poll_for(milliseconds(10));
  EXPECT_EQ(driver->received(conn), "get a\r\n");
  EXPECT_EQ(transport->counters().bytes_held_for_paused, 7U);
  driver->resume(conn);
  const std::uint64_t slept = transport->counters().polls_that_slept;
  EXPECT_EQ(driver->poll(seconds(10)), 1U);
  EXPECT_EQ(transport->counters().polls_that_slept, slept);
  EXPECT_EQ(driver->received(conn), "get a\r\nget b\r\n");
  finish();
}

TEST_P(TransportContract, Rule8ASlowPeerIsPatient) {
  Peer slow = connect_peer();
  Peer quick = connect_peer();
  const ConnId slow_conn = driver->opened(0);
  const ConnId quick_conn = driver->opened(1);
  const std::string large = random_bytes(random, 16'000'000);
  driver->send(slow_conn, large, 7);
  const std::size_t together = transport->capabilities().sends_per_connection_max;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(quick.send("ping"));
    ASSERT_TRUE(driver->until([&] { return driver->received(quick_conn).size() == 4; }));
    driver->received(quick_conn).clear();
    ASSERT_TRUE(driver->until([&] { return driver->unreleased(quick_conn) < together; }));
    driver->send(quick_conn, "pong");
    driver->poll();
    ASSERT_EQ(quick.receive_exactly(4), "pong");
  }
  EXPECT_EQ(driver->unreleased(slow_conn), 1U);
  EXPECT_FALSE(driver->is_closed(slow_conn));
  std::string got;
  std::jthread reader([&] { got = slow.receive_exactly(large.size()); });
  EXPECT_TRUE(driver->until([&] { return driver->unreleased(slow_conn) == 0; }));
  reader.join();
  EXPECT_TRUE(got == large);
  finish();
}

/// What the loud one has sent lies there already when the quiet one's byte comes.
TEST_P(TransportContract, Rule20WhoSendsLittleDoesNotWaitForWhoSendsMuch) {
  Peer loud = connect_peer();
  Peer quiet = connect_peer();
  const ConnId quiet_conn = driver->opened(1);
  const ConnId loud_conn = driver->opened(0);
  const std::string much = random_bytes(random, 4'000'000);
  const std::size_t sent = loud.send_some(much);
  ASSERT_TRUE(quiet.send("x"));
  EXPECT_TRUE(driver->until([&] { return !driver->received(quiet_conn).empty(); }));
  EXPECT_LE(driver->received(loud_conn).size(), 2 * Driver::kBytesPerPollMax);
  EXPECT_TRUE(driver->until([&] { return driver->received(loud_conn).size() == sent; }));
  EXPECT_TRUE(driver->received(loud_conn) == much.substr(0, sent));
  // The receive that was stopped meanwhile goes on.
  ASSERT_TRUE(loud.send("and more"));
  EXPECT_TRUE(driver->until([&] { return driver->received(loud_conn).ends_with("and more"); }));
  driver->close(loud_conn);
  driver->close(quiet_conn);
  loud.close();
  quiet.close();
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(loud_conn) && driver->is_closed(quiet_conn); }));
  finish();
}

/// The same where turns are so long that each brings a single piece.
TEST_P(TransportContract, Rule20WhoSendsLittleDoesNotWaitWhereTurnsAreLong) {
  Peer loud = connect_peer();
  Peer louder = connect_peer();
  Peer quiet = connect_peer();
  const ConnId quiet_conn = driver->opened(2);
  const auto told = [&] {
    return driver->received(driver->opened(0)).size() + driver->received(driver->opened(1)).size();
  };
  const std::string much = random_bytes(random, 4'000'000);
  const std::size_t sent = loud.send_some(much) + louder.send_some(much);
  driver->take_turns_of(millrace::milliseconds(1));
  ASSERT_TRUE(driver->until([&] { return told() >= std::min<std::size_t>(sent / 4, 100'000); }));
  const std::size_t told_before = told();
  ASSERT_TRUE(quiet.send("x"));
  EXPECT_TRUE(driver->until([&] { return !driver->received(quiet_conn).empty(); }));
  EXPECT_LE(told() - told_before, Driver::kBytesPerPollMax);
  EXPECT_TRUE(driver->until([&] { return told() == sent; }));
  finish();
}

/// One is cut off by us and one goes by itself, while what they sent is still being told: nothing of it is left behind.
TEST_P(TransportContract, Rule20TheLoudMayGoMeanwhile) {
  Peer cut = connect_peer();
  Peer goes = connect_peer();
  Peer quiet = connect_peer();
  const ConnId quiet_conn = driver->opened(2);
  const ConnId cut_conn = driver->opened(0);
  const ConnId goes_conn = driver->opened(1);
  const std::string much = random_bytes(random, 4'000'000);
  cut.send_some(much);
  const std::size_t sent = goes.send_some(much);
  ASSERT_TRUE(quiet.send("x"));
  EXPECT_TRUE(driver->until([&] { return !driver->received(quiet_conn).empty(); }));
  driver->abort(cut_conn);
  goes.finish_sending();
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(cut_conn); }));
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, goes_conn) == 1; }));
  EXPECT_TRUE(driver->received(goes_conn) == much.substr(0, sent));
  driver->close(goes_conn);
  driver->close(quiet_conn);
  goes.close();
  quiet.close();
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(goes_conn) && driver->is_closed(quiet_conn); }));
  finish();
}

/// Several that have sent much, which lies there already, while turns are long: none waits until another's has all been
/// told.
TEST_P(TransportContract, Rule20TheLoudTakeTurns) {
  std::vector<Peer> peers;
  std::vector<std::string> sent;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect_peer());
  }
  driver->opened(peers.size() - 1);
  for (Peer& peer : peers) {
    const std::string much = random_bytes(random, 2'000'000);
    sent.push_back(much.substr(0, peer.send_some(much)));
    peer.finish_sending();
  }
  const auto share_told = [&](std::size_t i) {
    return static_cast<double>(driver->received(driver->opened(i)).size()) / static_cast<double>(sent[i].size());
  };
  driver->take_turns_of(millrace::milliseconds(1));
  const std::size_t events_max = pick(random, 1, 8);
  ASSERT_TRUE(driver->until(
      [&] { return std::ranges::any_of(std::views::iota(0, 4), [&](int i) { return share_told(i) >= 1; }); },
      events_max));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_GT(share_told(i), 0.25) << "of connection " << i << ", which sent " << sent[i].size();
  }
  EXPECT_TRUE(
      driver->until([&] { return driver->count(EventKind::PeerFinished) == peers.size(); }, pick(random, 1, 8)));
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_TRUE(driver->received(driver->opened(i)) == sent[i]);
    driver->close(driver->opened(i));
  }
  peers.clear();
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Closed) == 4; }));
  finish();
}

}  // namespace
}  // namespace millrace::contract
