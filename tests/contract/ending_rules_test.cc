// dataplane/api/transport_contract.md over every backend: the rules of how a connection ends (4, 5, 7, 9).
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

/// A reset may come at any moment of a connection's life; each ends in one Closed, with nothing left over.
TEST_P(TransportContract, Rule4AResetInAnyState) {
  if (!backend->has_resets()) {
    GTEST_SKIP() << "no resets here";
  }
  const std::string large = random_bytes(random, 8'000'000);
  const auto hand_back_all = [&](ConnId conn) {
    ASSERT_TRUE(driver->until([&] { return driver->received(conn).size() == 6; }));
    driver->pause(conn, driver->last_events().back().bytes);
  };
  struct Moment {
    const char* name;
    std::function<void(Peer&, ConnId)> before;
    std::function<void(ConnId)> after;
    CloseReason reason;
  };
  const std::vector<Moment> moments = {
      {"paused, with bytes handed back",
       [&](Peer& peer, ConnId conn) { peer.send("abcdef"), hand_back_all(conn), driver->poll(); },
       [&](ConnId conn) { driver->resume(conn); }, CloseReason::Reset},
      {"paused, its receive not yet cancelled",
       [&](Peer& peer, ConnId conn) { peer.send("abcdef"), hand_back_all(conn); },
       [&](ConnId conn) { driver->resume(conn); }, CloseReason::Reset},
      {"half-closed by the peer",
       [&](Peer& peer, ConnId conn) {
         peer.finish_sending();
         ASSERT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, conn) == 1; }));
       },
       [&](ConnId conn) { driver->send(conn, "an answer to nobody"); }, CloseReason::Reset},
      {"flushing", [&](Peer&, ConnId conn) { driver->send(conn, large), driver->close(conn), driver->poll(); },
       [](ConnId) {}, CloseReason::Reset},
      {"draining", [&](Peer&, ConnId conn) { driver->close(conn), driver->poll(); }, [](ConnId) {},
       CloseReason::Requested},
      {"aborted", [&](Peer&, ConnId conn) { driver->send(conn, large), driver->poll(), driver->abort(conn); },
       [](ConnId) {}, CloseReason::Requested}};
  for (std::size_t i = 0; i < moments.size(); ++i) {
    SCOPED_TRACE(moments[i].name);
    Peer peer = connect_peer();
    const ConnId conn = driver->opened(i);
    moments[i].before(peer, conn);
    peer.reset();
    driver->poll_for(milliseconds(5));
    moments[i].after(conn);
    ASSERT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
    EXPECT_EQ(driver->close_reason(conn), moments[i].reason);
    driver->expect_no_leaks();
  }
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
    std::jthread reader([&] {
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
  std::jthread talker([&] {
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
  std::jthread reader([&] {
    got = peer.receive_to_end();
    peer.close();
  });
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  reader.join();
  EXPECT_EQ(got, "last words");
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
  std::jthread reader([&] { got = peer.receive_to_end(); });
  EXPECT_TRUE(driver->until([&] { return driver->is_closed(conn); }));
  reader.join();
  EXPECT_TRUE(got == reply);
  EXPECT_EQ(driver->close_reason(conn), CloseReason::PeerClosed);
  EXPECT_EQ(driver->count(EventKind::PeerFinished, conn), 1U);
  finish();
}

TEST_P(TransportContract, Rule9EndOfStreamWaitsForWhatWasHandedBack) {
  Peer peer = connect_peer();
  const ConnId conn = driver->opened();
  ASSERT_TRUE(peer.send("abcdef"));
  peer.finish_sending();
  std::this_thread::sleep_for(milliseconds(20));  // both are there before the worker looks
  ASSERT_TRUE(driver->until([&] { return driver->received(conn).size() == 6; }));
  driver->pause(conn, driver->last_events().back().bytes.substr(2));
  driver->poll_for(milliseconds(20));
  driver->resume(conn);
  ASSERT_TRUE(driver->until([&] { return driver->received(conn).size() == 6; }));
  driver->pause(conn, driver->last_events().back().bytes.substr(1));
  driver->poll_for(milliseconds(20));
  EXPECT_EQ(driver->count(EventKind::PeerFinished), 0U);
  driver->resume(conn);
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::PeerFinished, conn) == 1; }));
  EXPECT_EQ(driver->received(conn), "abcdef");
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

}  // namespace
}  // namespace millrace::contract
