// What no single rule names, over every backend: large transfers both ways with pauses, many connections with a life of
// their own, a full table, outgoing connections, and the texts for `stats conns`.
#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/contract/suite.h"

namespace millrace::contract {
namespace {

using dataplane::CloseReason;
using dataplane::Event;
using dataplane::EventKind;

/// Echoes, and pauses at random in the middle of what it got, as a worker does that waits for a neighbour.
class MoodyEcho {
 public:
  MoodyEcho(Driver& driver, std::uint64_t seed, std::size_t sends_max)
      : driver_(driver), random_(seed), sends_max_(sends_max) {}

  void turn(std::size_t room) {
    for (auto& [conn, state] : paused_) {
      state = state == 0 ? 0 : state - 1;
    }
    for (auto at = paused_.begin(); at != paused_.end();) {
      const bool resumes = at->second == 0 && driver_.unreleased(at->first) < sends_max_;
      if (resumes) {
        driver_.resume(at->first);
      }
      at = resumes ? paused_.erase(at) : std::next(at);
    }
    driver_.poll(millrace::milliseconds(5), room);
    const std::vector<Event> events = driver_.last_events();
    for (const Event& event : events) {
      if (event.kind == EventKind::Bytes) {
        take(event);
      } else if (event.kind == EventKind::PeerFinished) {
        driver_.close(event.conn);
      } else if (event.kind == EventKind::Closed) {
        paused_.erase(event.conn);
      }
    }
  }

  [[nodiscard]] std::uint64_t pauses() const { return pauses_; }

 private:
  void take(const Event& event) {
    std::string_view bytes = event.bytes;
    const bool must_wait = paused_.contains(event.conn) || driver_.unreleased(event.conn) >= sends_max_;
    const bool wants_to = pick(random_, 0, 9) == 0;
    if (!must_wait) {
      const std::size_t taken = wants_to ? pick(random_, 0, bytes.size()) : bytes.size();
      driver_.send(event.conn, bytes.substr(0, taken), pick(random_, 1, 5));
      bytes.remove_prefix(taken);
    }
    if (must_wait || wants_to) {
      driver_.pause(event.conn, bytes);
      paused_.try_emplace(event.conn, pick(random_, 1, 5));
      ++pauses_;
    }
  }

  Driver& driver_;
  std::mt19937_64 random_;
  std::size_t sends_max_;
  std::map<ConnId, std::size_t> paused_;
  std::uint64_t pauses_ = 0;
};

TEST_P(TransportContract, LargeTransfersBothWaysWithPauses) {
  Peer peer = connect_peer();
  driver->opened();
  const std::string sent = random_bytes(random, 10'000'000);
  std::string got;
  std::atomic<bool> is_done = false;
  std::jthread sender([&] {
    EXPECT_TRUE(peer.send(sent));
    peer.finish_sending();
  });
  std::jthread reader([&] {
    got = peer.receive_to_end();
    is_done = true;
  });
  MoodyEcho echo(*driver, random(), transport->capabilities().sends_per_connection_max);
  const Patience patience;
  while (!is_done && !patience.is_over()) {
    echo.turn(pick(random, 1, 20));
  }
  sender.join();
  reader.join();
  EXPECT_TRUE(got == sent);
  EXPECT_GT(echo.pauses(), 3U);
  EXPECT_TRUE(driver->until([&] { return transport->counters().connections_open == 0; }));
  EXPECT_EQ(transport->counters().bytes_received, sent.size());
  EXPECT_EQ(transport->counters().bytes_sent, sent.size());
  driver->expect_no_leaks();
}

/// Many peers at once, with few buffers, so that all of the exceptions meet.
TEST_P(TransportContract, ManyPeersAndFewBuffers) {
  start({.receive_buffers = 8, .receive_buffer_bytes = 512});
  constexpr std::size_t kPeers = 40;
  std::atomic<std::size_t> done = 0;
  std::vector<std::jthread> threads;
  std::vector<Peer> peers(kPeers);
  for (std::size_t i = 0; i < kPeers; ++i) {
    peers[i] = connect_peer();
    threads.emplace_back([&, i, seed = random()] {
      std::mt19937_64 draw(seed);
      for (int round = 0; round < 30; ++round) {
        const std::string bytes = random_bytes(draw, pick(draw, 1, 20'000));
        ASSERT_TRUE(peers[i].send(bytes));
        ASSERT_TRUE(peers[i].receive_exactly(bytes.size()) == bytes);
      }
      if (pick(draw, 0, 1) == 0) {
        peers[i].reset();
      } else {
        peers[i].close();
      }
      ++done;
    });
  }
  MoodyEcho echo(*driver, random(), transport->capabilities().sends_per_connection_max);
  const Patience patience;
  while (done < kPeers && !patience.is_over()) {
    echo.turn(pick(random, 1, 64));
  }
  EXPECT_EQ(done, kPeers);
  threads.clear();
  EXPECT_GT(transport->counters().receive_buffers_exhausted, 0U);
  for (int i = 0; i < 1000 && transport->counters().connections_open > 0; ++i) {
    echo.turn(64);
  }
  driver->expect_no_leaks();
}

TEST_P(TransportContract, AFullTableLeavesPeersInTheBacklog) {
  start({.connections_max = 4});
  std::vector<Peer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect_peer());
  }
  driver->opened(3);
  driver->poll_for(std::chrono::milliseconds(10));
  for (int i = 0; i < 4; ++i) {
    peers.push_back(connect_peer());
  }
  driver->poll_for(std::chrono::milliseconds(30));
  EXPECT_EQ(driver->count(EventKind::Opened), 4U);
  EXPECT_EQ(transport->counters().accept_failed_table_full, 0U);
  for (std::size_t i = 0; i < 4; ++i) {
    driver->abort(driver->opened(i));
  }
  driver->opened(7);
  ASSERT_TRUE(peers[7].send("here"));
  EXPECT_TRUE(driver->until([&] { return driver->received(driver->opened(7)) == "here"; }));
  finish();
}

TEST_P(TransportContract, ConnectsToAListener) {
  const Wanted wanted;
  const auto server_backend = GetParam().make();
  const auto server = server_backend->make(wanted);
  Driver server_driver(*server);
  server_driver.poll();
  ConnId conn;
  ASSERT_EQ(transport->connect(server_backend->endpoint(), conn), Status::Ok);
  EXPECT_TRUE(driver->until([&] {
    server_driver.poll();
    return driver->count(EventKind::Opened, conn) == 1 && server_driver.count(EventKind::Opened) == 1;
  }));
  const ConnId far = server_driver.opened();
  driver->send(conn, "to the server");
  driver->poll();
  EXPECT_TRUE(server_driver.until([&] { return server_driver.received(far) == "to the server"; }));
  server_driver.send(far, "and back");
  server_driver.poll();
  EXPECT_TRUE(driver->until([&] { return driver->received(conn) == "and back"; }));
  server_driver.close(far);
  server_driver.poll();
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, conn) == 1; }));
  driver->close(conn);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_TRUE(server_driver.until([&] { return server_driver.is_closed(far); }));
  server_driver.expect_no_leaks();
  finish();
}

TEST_P(TransportContract, ConnectToNobodyFails) {
  // A place where somebody listened a moment ago.
  const auto gone = GetParam().make();
  gone->make({});
  ConnId conn;
  ASSERT_EQ(transport->connect(gone->endpoint(), conn), Status::Ok);
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  EXPECT_EQ(driver->close_reason(conn), CloseReason::ConnectFailed);
  EXPECT_EQ(driver->count(EventKind::Opened, conn), 0U);
  finish();
}

/// A place that never accepts: once its backlog is full, connections to it stay under way.
TEST_P(TransportContract, AbortWhileConnecting) {
  if (!backend->has_resets()) {
    GTEST_SKIP() << "a unix socket with a full backlog refuses at once";
  }
  dataplane::Endpoint silent = backend->endpoint();
  silent.set_port(0);
  const Peer listener = Peer::unconnected(silent);
  auto* address = reinterpret_cast<sockaddr*>(&silent.address);
  ASSERT_EQ(bind(listener.fd(), address, silent.address_bytes), 0);
  ASSERT_EQ(listen(listener.fd(), 0), 0);
  ASSERT_EQ(getsockname(listener.fd(), address, &silent.address_bytes), 0);
  std::vector<ConnId> conns(8);
  for (ConnId& conn : conns) {
    ASSERT_EQ(transport->connect(silent, conn), Status::Ok);
  }
  driver->poll_for(std::chrono::milliseconds(10));
  EXPECT_LT(driver->count(EventKind::Opened), conns.size());
  driver->send(conns.back(), "for a connection that never is");
  for (const ConnId conn : conns) {
    (conn < conns.back() ? driver->abort(conn) : driver->close(conn));
  }
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Closed) == conns.size(); }));
  EXPECT_EQ(driver->close_reason(conns.back()), CloseReason::ConnectFailed);
  finish();
}

TEST_P(TransportContract, StopsAccepting) {
  Peer before = connect_peer();
  const ConnId conn = driver->opened();
  transport->stop_accepting();
  driver->poll_for(std::chrono::milliseconds(10));
  Peer after = Peer::unconnected(backend->endpoint());
  EXPECT_FALSE(after.connect(backend->endpoint()));
  ASSERT_TRUE(before.send("open ones stay"));
  EXPECT_TRUE(driver->until([&] { return driver->received(conn) == "open ones stay"; }));
  EXPECT_EQ(driver->count(EventKind::Opened), 1U);
  finish();
}

TEST_P(TransportContract, EndsWithConnectionsOpen) {
  constexpr std::size_t kPeers = 6;
  std::vector<Peer> peers;
  for (std::size_t i = 0; i < kPeers; ++i) {
    peers.push_back(connect_peer());
  }
  driver->opened(kPeers - 1);
  const std::string large = random_bytes(random, 8'000'000);
  for (std::size_t i = 0; i < kPeers; ++i) {
    driver->send(driver->opened(i), large, 2);
    peers[i].send("pending input");
    if (i % 3 == 0) {
      driver->pause(driver->opened(i));
    } else if (i % 3 == 1) {
      driver->close(driver->opened(i));
    }
  }
  driver->poll();
  transport.reset();  // with slices lent, which nobody may read from now on
  driver->spoil_lent();
  for (Peer& peer : peers) {
    const std::string got = peer.receive_to_end();
    EXPECT_LT(got.size(), large.size());
    EXPECT_TRUE(large.starts_with(got));
  }
  driver.reset();
}

TEST_P(TransportContract, TellsWhoIsWho) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  const dataplane::Endpoint at = backend->endpoint();
  const std::string family = at.is_unix() ? "unix:" : at.address.ss_family == AF_INET6 ? "tcp6:" : "tcp:";
  EXPECT_EQ(transport->listener_text(conn), family + at.text());
  EXPECT_TRUE(transport->peer_text(conn).starts_with(family));
  EXPECT_EQ(transport->peer_text(ConnId{}), "");
  finish();
}

}  // namespace
}  // namespace millrace::contract
