// dataplane/api/transport_contract.md, rule by rule, over every backend.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
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
  std::thread sender([&] {
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
  std::thread reader([&] { sent = peer.receive_to_end(); });
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

TEST_P(TransportContract, Rule4ClosedIsLast) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::string large = random_bytes(random, 8'000'000);
  for (std::size_t i = 0; i < transport->capabilities().sends_per_connection_max; ++i) {
    driver->send(conn, large);
  }
  ASSERT_TRUE(peer.send("unread"));
  driver->poll_for(milliseconds(20));
  driver->abort(conn);
  driver->abort(conn);
  driver->close(conn);
  // With room for one event at a time the order must hold too.
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }, 1));
  driver->poll_for(milliseconds(20));
  EXPECT_EQ(driver->count(EventKind::Closed, conn), 1U);
  EXPECT_EQ(driver->seen().back().kind, EventKind::Closed);
  EXPECT_EQ(driver->close_reason(conn), CloseReason::Requested);
  finish();
}

TEST_P(TransportContract, Rule4ResetIsClosedOnce) {
  if (!backend->has_resets()) {
    GTEST_SKIP() << "no resets here";
  }
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  ASSERT_TRUE(peer.send("abc"));
  EXPECT_TRUE(driver->until([&] { return driver->received(conn) == "abc"; }));
  peer.reset();
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_EQ(driver->close_reason(conn), CloseReason::Reset);
  driver->poll_for(milliseconds(20));
  EXPECT_EQ(driver->count(EventKind::Closed, conn), 1U);
  finish();
}

TEST_P(TransportContract, Rule5StaleIdsAreHarmless) {
  Peer first = connect_peer();
  const ConnId gone = driver->opened();
  driver->abort(gone);
  ASSERT_TRUE(driver->until([&] { return driver->is_closed(gone); }));
  Peer second = connect_peer();
  const ConnId live = driver->opened(1);
  EXPECT_NE(gone, live);
  const ConnId never{.slot = 0xffff'fff0, .generation = 7};
  for (const ConnId stale : {gone, never, ConnId{}, ConnId{.slot = live.slot, .generation = live.generation + 1}}) {
    driver->seen().clear();
    const std::uint64_t token = driver->send(stale, "nobody reads this", 2);
    transport->submit(driver->now(), std::vector<dataplane::TxOp>{
                                         {.kind = dataplane::TxKind::Pause, .conn = stale, .unconsumed = "abc"},
                                         {.kind = dataplane::TxKind::Resume, .conn = stale},
                                         {.kind = dataplane::TxKind::Close, .conn = stale},
                                         {.kind = dataplane::TxKind::Abort, .conn = stale}});
    EXPECT_TRUE(driver->until([&] { return !driver->seen().empty(); }));
    ASSERT_EQ(driver->seen().size(), 1U);
    EXPECT_EQ(driver->seen()[0].kind, EventKind::Released);
    EXPECT_EQ(driver->seen()[0].token, token);
    EXPECT_EQ(driver->seen()[0].conn, stale);
    EXPECT_EQ(transport->peer_text(stale), "");
  }
  // The one that lives in the slot now felt nothing.
  ASSERT_TRUE(second.send("still here"));
  EXPECT_TRUE(driver->until([&] { return driver->received(live) == "still here"; }));
  driver->send(live, "so am I");
  driver->poll();
  EXPECT_EQ(second.receive_exactly(7), "so am I");
  finish();
}

TEST_P(TransportContract, Rule6PauseStopsBytesAndThePeer) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  driver->pause(conn);
  const std::string chunk = random_bytes(random, 1 << 16);
  std::string sent;
  // The peer goes on until the windows are full: it must come to stand.
  int idle = 0;
  while (idle < 20) {
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
  std::thread sender([&] { EXPECT_TRUE(peer.send(sent)); });
  int pauses = 0;
  int turns_paused = 0;
  while (driver->received(conn).size() < sent.size()) {
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
    ASSERT_LT(pauses, 1'000'000);
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

TEST_P(TransportContract, Rule7CloseIsOrderly) {
  for (std::size_t round = 0; round < 5; ++round) {
    Peer peer = connect_peer();
    const ConnId conn = driver->opened(round);
    const std::string reply = random_bytes(random, pick(random, 1, 3'000'000));
    // Input that is never read, before and after the Close: it must not cost the peer its reply.
    ASSERT_TRUE(peer.send("unread input"));
    driver->send(conn, reply, 2);
    driver->close(conn);
    std::string got;
    std::thread reader([&] {
      peer.send("more, to a connection that closes");
      std::this_thread::sleep_for(milliseconds(20));
      got = peer.receive_to_end();
      peer.send_some("and more");
      peer.close();
    });
    EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
    reader.join();
    EXPECT_TRUE(got == reply);
    EXPECT_EQ(driver->close_reason(conn), CloseReason::Requested);
  }
  finish();
}

TEST_P(TransportContract, Rule7APeerThatStaysOpenIsClosedInTime) {
  Peer idle = connect_peer();
  Peer talks = connect_peer();
  const ConnId first = driver->opened(0);
  const ConnId second = driver->opened(1);
  driver->close(first);
  driver->close(second);
  std::atomic<bool> ends = false;
  std::thread talker([&] {
    const std::string chunk(1 << 14, 'x');
    while (!ends && talks.send(chunk)) {
    }
  });
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(first) && driver->is_closed(second); }));
  ends = true;
  talker.join();
  EXPECT_EQ(idle.receive_to_end(), "");
  finish();
}

TEST_P(TransportContract, Rule7AbortDropsWhatIsUnsent) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::string large = random_bytes(random, 32'000'000);
  driver->send(conn, large);
  driver->poll_for(milliseconds(20));
  driver->close(conn);  // which a peer that does not read could hold up for ever
  driver->poll_for(milliseconds(20));
  EXPECT_FALSE(driver->is_closed(conn));
  driver->abort(conn);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_LT(peer.receive_to_end().size(), large.size());
  EXPECT_EQ(peer.was_reset(), backend->has_resets());
  finish();
}

TEST_P(TransportContract, Rule7SendsAfterCloseAreReleased) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  driver->send(conn, "last words");
  driver->close(conn);
  driver->send(conn, "too late");
  std::string got;
  std::thread reader([&] {
    got = peer.receive_to_end();
    peer.close();
  });
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  reader.join();
  EXPECT_EQ(got, "last words");
  finish();
}

TEST_P(TransportContract, Rule8ASlowPeerIsPatient) {
  Peer slow = connect_peer();
  Peer quick = connect_peer();
  const ConnId slow_conn = driver->opened(0);
  const ConnId quick_conn = driver->opened(1);
  const std::string large = random_bytes(random, 16'000'000);
  driver->send(slow_conn, large, 7);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(quick.send("ping"));
    ASSERT_TRUE(driver->until([&] { return driver->received(quick_conn).size() == 4; }));
    driver->received(quick_conn).clear();
    driver->send(quick_conn, "pong");
    ASSERT_TRUE(driver->until([&] { return driver->unreleased(quick_conn) == 0 || i == 0; }));
    ASSERT_EQ(quick.receive_exactly(4), "pong");
  }
  EXPECT_EQ(driver->unreleased(slow_conn), 1U);
  EXPECT_FALSE(driver->is_closed(slow_conn));
  std::string got;
  std::thread reader([&] { got = slow.receive_exactly(large.size()); });
  EXPECT_TRUE(driver->until([&] { return driver->unreleased(slow_conn) == 0; }));
  reader.join();
  EXPECT_TRUE(got == large);
  finish();
}

TEST_P(TransportContract, Rule9EndOfStream) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const std::string request = random_bytes(random, 50'000);
  const std::string reply = random_bytes(random, 2'000'000);
  ASSERT_TRUE(peer.send(request));
  peer.finish_sending();
  ASSERT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, conn) == 1; }));
  EXPECT_TRUE(driver->received(conn) == request);
  // The answer takes its time, as one from another core does.
  driver->poll_for(milliseconds(20));
  EXPECT_FALSE(driver->is_closed(conn));
  driver->send(conn, reply.substr(0, 1'000'000), 3);
  driver->poll();
  driver->send(conn, reply.substr(1'000'000), 3);
  driver->close(conn);
  std::string got;
  std::thread reader([&] { got = peer.receive_to_end(); });
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  reader.join();
  EXPECT_TRUE(got == reply);
  EXPECT_EQ(driver->close_reason(conn), CloseReason::PeerClosed);
  EXPECT_EQ(driver->count(EventKind::PeerFinished, conn), 1U);
  finish();
}

TEST_P(TransportContract, Rule9EndOfStreamWaitsForResume) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  ASSERT_TRUE(peer.send("abcdef"));
  ASSERT_TRUE(driver->until([&] { return driver->received(conn).size() == 6; }));
  driver->pause(conn, driver->last_events().back().bytes.substr(3));
  peer.finish_sending();
  driver->poll_for(milliseconds(20));
  EXPECT_EQ(driver->count(EventKind::PeerFinished, conn), 0U);
  driver->resume(conn);
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, conn) == 1; }));
  EXPECT_EQ(driver->received(conn), "abcdef");
  driver->close(conn);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  finish();
}

TEST_P(TransportContract, Rule10Wake) {
  dataplane::Waker& waker = transport->waker();
  // One before the sleep, from this thread.
  waker.wake();
  waker.wake();
  EXPECT_EQ(driver->poll(seconds(3600)), 0U);
  // Each answer sends the next one off: a single lost wake is an hour's sleep.
  constexpr int kRounds = 5000;
  std::atomic<int> asked = 0;
  std::atomic<int> answered = 0;
  std::thread other([&] {
    for (int i = 1; i <= kRounds; ++i) {
      asked.store(i, std::memory_order_release);
      waker.wake();
      while (answered.load(std::memory_order_acquire) < i) {
        std::this_thread::yield();
      }
    }
  });
  while (answered < kRounds) {
    driver->poll(seconds(3600));
    answered.store(asked.load(std::memory_order_acquire), std::memory_order_release);
  }
  other.join();
  finish();
}

TEST_P(TransportContract, Rule10WakeFromManyThreads) {
  dataplane::Waker& waker = transport->waker();
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kWakes = 20'000;
  std::atomic<std::uint64_t> posted = 0;
  std::vector<std::thread> others;
  for (std::uint64_t i = 0; i < kThreads; ++i) {
    others.emplace_back([&] {
      for (std::uint64_t k = 0; k < kWakes; ++k) {
        posted.fetch_add(1, std::memory_order_release);
        waker.wake();
      }
    });
  }
  // Sleeps only while something may still be posted: the last wake has to end the last sleep.
  std::uint64_t taken = 0;
  while (taken < kThreads * kWakes) {
    driver->poll(seconds(3600));
    taken = posted.load(std::memory_order_acquire);
  }
  for (std::thread& other : others) {
    other.join();
  }
  finish();
}

TEST_P(TransportContract, Rule11Waiting) {
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(driver->poll(), 0U);
  }
  EXPECT_EQ(transport->counters().polls_that_slept, 0U);
  // It sleeps: few polls fill a time that idle ones would fill by the thousand.
  const Instant start = driver->now();
  int polls = 0;
  while (driver->now() - start < millrace::milliseconds(200)) {
    EXPECT_EQ(driver->poll(millrace::milliseconds(50)), 0U);
    ++polls;
  }
  EXPECT_LT(polls, 40);
  EXPECT_GT(transport->counters().polls_that_slept, 0U);
  // And something to do ends the sleep.
  std::thread late([&] {
    std::this_thread::sleep_for(milliseconds(20));
    Peer peer = connect_peer();
  });
  EXPECT_GE(driver->poll(seconds(3600)), 1U);
  late.join();
  finish();
}

/// Lowers the limit of descriptors to those in use, and puts it back.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    rlimit now = before_;
    now.rlim_cur = static_cast<rlim_t>(next);
    setrlimit(RLIMIT_NOFILE, &now);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

 private:
  rlimit before_{};
};

TEST_P(TransportContract, Rule12NoDescriptors) {
  Peer before = connect_peer();
  const ConnId first = driver->opened(0);
  std::vector<Peer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(Peer::unconnected(backend->endpoint()));
  }
  {
    const NoMoreDescriptors none;
    for (Peer& peer : peers) {
      ASSERT_TRUE(peer.connect(backend->endpoint()));
    }
    ASSERT_TRUE(driver->until([&] { return transport->counters().accept_failed_no_descriptor > 0; }));
    const std::uint64_t polls = 300;
    for (std::uint64_t i = 0; i < polls; ++i) {
      driver->poll(millrace::milliseconds(1));
    }
    EXPECT_LT(transport->counters().accept_failed_no_descriptor, polls / 2) << "it spins instead of resting";
    EXPECT_EQ(driver->count(EventKind::Opened), 1U);
    // A connection that closes makes room for one that waits.
    driver->abort(first);
    EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Opened) == 2; }));
  }
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Opened) == 6; }));
  EXPECT_GT(transport->counters().accept_paused_us, 0U);
  finish();
}

TEST_P(TransportContract, Rule13NothingLeaks) {
  // Ends of every kind, thousands of them, many at a time.
  std::map<ConnId, int> echoed;
  driver->on_event = [&](const Event& event) {
    if (event.kind == EventKind::Bytes) {
      const std::string bytes(event.bytes);
      driver->send(event.conn, bytes, 2);
      if (bytes[0] == 'C') {
        driver->close(event.conn);
      } else if (bytes[0] == 'A') {
        driver->abort(event.conn);
      } else if (bytes[0] == 'P') {
        driver->pause(event.conn, event.bytes.substr(1));
        driver->close(event.conn);
      }
    } else if (event.kind == EventKind::PeerFinished) {
      driver->close(event.conn);
    }
  };
  constexpr std::uint64_t kConnections = 3000;
  const std::uint64_t seed = random();
  std::atomic<bool> is_done = false;
  std::thread peers_thread([&] {
    std::mt19937_64 draw(seed);
    std::vector<Peer> peers;
    for (std::uint64_t i = 0; i < kConnections; ++i) {
      Peer peer = connect_peer();
      const char how = "CAPRE"[pick(draw, 0, 4)];
      peer.send(std::string(pick(draw, 1, 20'000), how));
      if (how == 'R') {
        peer.reset();
      } else {
        peers.push_back(std::move(peer));
      }
      if (peers.size() > 100) {
        peers.erase(peers.begin() + static_cast<std::ptrdiff_t>(pick(draw, 0, 99)));
      }
    }
    peers.clear();
    is_done = true;
  });
  EXPECT_TRUE(driver->until([&] {
    return is_done && transport->counters().accepted == kConnections && transport->counters().connections_open == 0;
  }));
  peers_thread.join();
  EXPECT_EQ(driver->count(EventKind::Opened), kConnections);
  EXPECT_EQ(driver->count(EventKind::Closed), kConnections);
  driver->expect_no_leaks();
}

INSTANTIATE_TEST_SUITE_P(Backends, TransportContract, testing::ValuesIn(backends()),
                         [](const auto& backend) { return std::string(backend.param.name); });

}  // namespace
}  // namespace millrace::contract
