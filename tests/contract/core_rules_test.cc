// dataplane/api/transport_contract.md over every backend: the rules of the core as a whole (10 to 13).
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

TEST_P(TransportContract, Rule10Wake) {
  dataplane::Waker& waker = transport->waker();
  // One before the sleep, from this thread.
  waker.wake();
  waker.wake();
  EXPECT_TRUE(driver->sleep());
  // Each answer sends the next one off: a single lost wake stops both.
  constexpr int kRounds = 5000;
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
    ASSERT_TRUE(driver->sleep()) << "after " << answered << " wakes one was lost";
    answered.store(asked.load(std::memory_order_acquire), std::memory_order_release);
  }
  finish();
}

TEST_P(TransportContract, Rule10WakeFromManyThreads) {
  dataplane::Waker& waker = transport->waker();
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kWakes = 20'000;
  std::atomic<std::uint64_t> posted = 0;
  std::vector<std::jthread> others;
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
    ASSERT_TRUE(driver->sleep()) << "a wake was lost after " << taken;
    taken = posted.load(std::memory_order_acquire);
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
  std::jthread late([&] {
    std::this_thread::sleep_for(milliseconds(20));
    Peer peer = connect_peer();
  });
  while (driver->count(EventKind::Opened) == 0) {
    ASSERT_TRUE(driver->sleep());
  }
  finish();
}

/// Lowers the limit of descriptors, and puts it back; between the two, all that are left can be taken.
class FewDescriptors {
 public:
  FewDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = std::min<rlim_t>(before_.rlim_cur, 100);
    setrlimit(RLIMIT_NOFILE, &few);
  }
  ~FewDescriptors() {
    give_back();
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

  void take_all() {
    for (int fd = dup(0); fd >= 0; fd = dup(0)) {
      taken_.push_back(fd);
    }
  }
  void give_back() {
    std::ranges::for_each(taken_, &close);
    taken_.clear();
  }

 private:
  rlimit before_{};
  std::vector<int> taken_;
};

TEST_P(TransportContract, Rule12NoDescriptors) {
  // Before the transport is made: the kernel goes by the limit at the moment in which accepting began.
  FewDescriptors descriptors;
  start({});
  Peer before = connect_peer();
  const ConnId first = driver->opened(0);
  std::vector<Peer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(Peer::unconnected(backend->endpoint()));
  }
  descriptors.take_all();
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.connect(backend->endpoint()));
  }
  ASSERT_TRUE(driver->until([&] { return transport->counters().accept_failed_no_descriptor > 0; }));
  constexpr std::uint64_t kPolls = 300;
  for (std::uint64_t i = 0; i < kPolls; ++i) {
    driver->poll(millrace::milliseconds(1));
  }
  EXPECT_LT(transport->counters().accept_failed_no_descriptor, kPolls / 2) << "it spins instead of resting";
  EXPECT_EQ(driver->count(EventKind::Opened), 1U);
  // A connection that closes makes room for one that waits.
  driver->abort(first);
  EXPECT_TRUE(driver->until([&] { return driver->count(EventKind::Opened) == 2; }));
  descriptors.give_back();
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
  std::jthread peers_thread([&] {
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
