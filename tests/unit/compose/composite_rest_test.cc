// How two transports rest as one: frames that can call end the kernel's sleep, those that cannot are looked at after
// naps. The kernel's is the real one.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "dataplane/compose/composite_transport.h"
#include "dataplane/uring/uring_transport.h"

namespace millrace::compose {
namespace {

using dataplane::Event;
using dataplane::EventKind;

/// Frames that come when the test says so.
class Frames final : public dataplane::Transport {
 public:
  explicit Frames(bool can_call) : bell_(can_call ? eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) : -1) {}
  Frames(const Frames&) = delete;
  Frames& operator=(const Frames&) = delete;
  ~Frames() override {
    if (bell_ >= 0) {
      close(bell_);
    }
  }

  /// Any thread.
  void bring() {
    waiting.fetch_add(1);
    if (bell_ >= 0 && rings) {
      const std::uint64_t one = 1;
      EXPECT_EQ(write(bell_, &one, sizeof one), static_cast<ssize_t>(sizeof one));
    }
  }
  std::atomic<int> waiting = 0;
  bool rings = true;
  int armed = 0;

  std::size_t poll(Instant, std::span<Event> out, Duration) noexcept override {
    if (waiting.load() == 0) {
      return 0;
    }
    waiting.fetch_sub(1);
    out[0] = {.kind = EventKind::Datagram};
    return 1;
  }
  int arm(dataplane::Waker&) noexcept override {
    armed += bell_ >= 0 ? 1 : 0;
    return bell_;
  }
  void disarm() noexcept override {
    std::uint64_t count = 0;
    (void)!read(bell_, &count, sizeof count);
    --armed;
  }
  void submit(Instant, std::span<const dataplane::TxOp>) noexcept override {}
  Status connect(const dataplane::Endpoint&, ConnId&) noexcept override { return Status::Unsupported; }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override { return {}; }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId) const override { return ""; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return ""; }

 private:
  struct NoWaker final : dataplane::Waker {
    void wake() noexcept override {}
  } waker_;
  dataplane::TransportCounters counters_;
  const int bell_;
};

struct Both {
  explicit Both(bool can_call) {
    auto owned = std::make_unique<Frames>(can_call);
    frames = owned.get();
    auto kernel = uring::UringTransport::create({.connections_max = 4});
    EXPECT_TRUE(kernel) << kernel.error().what;
    transport = std::make_unique<CompositeTransport>(std::move(owned), std::move(*kernel), 0x8000);
  }
  [[nodiscard]] static Instant clock() {
    return Instant{
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
            .count()};
  }
  /// Until something comes, at most so long; returns what there was.
  std::size_t await(Duration patience) {
    const Instant end = clock() + patience;
    std::size_t count = 0;
    while (count == 0 && clock() < end) {
      Event events[4];
      count = transport->poll(clock(), events, milliseconds(200));
    }
    return count;
  }
  [[nodiscard]] const dataplane::TransportCounters& counters() const { return transport->counters(); }

  Frames* frames = nullptr;
  std::unique_ptr<CompositeTransport> transport;
};

TEST(CompositeRest, AFrameThatCallsEndsTheSleep) {
  Both both(true);
  for (int round = 0; round < 20; ++round) {
    std::jthread later([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(round));
      both.frames->bring();
    });
    EXPECT_EQ(both.await(seconds(10)), 1U);
    EXPECT_EQ(both.frames->armed, 0) << "it is quiet while somebody looks";
  }
  EXPECT_GT(both.counters().sleeps, 0U);
  EXPECT_EQ(both.counters().naps, 0U);
}

TEST(CompositeRest, ASleepIsBounded) {
  Both both(true);
  both.frames->rings = false;  // a link that comes up, news of another core
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    both.frames->bring();
  });
  EXPECT_EQ(both.await(seconds(10)), 1U);
  // Nobody comes: it looks again and again.
  const std::uint64_t before = both.counters().sleeps;
  EXPECT_EQ(both.await(milliseconds(200)), 0U);
  EXPECT_GE(both.counters().sleeps, before + 5);
}

TEST(CompositeRest, ANeighbourEndsTheSleep) {
  Both both(true);
  Event events[4];
  while (both.counters().sleeps == 0) {
    EXPECT_EQ(both.transport->poll(Both::clock(), events, milliseconds(200)), 0U);
  }
  both.transport->waker().wake();
  const Instant begin = Both::clock();
  EXPECT_EQ(both.transport->poll(begin, events, seconds(100)), 0U);
  EXPECT_LT((Both::clock() - begin).ns, seconds(50).ns);
}

TEST(CompositeRest, WhereNothingCallsItNaps) {
  Both both(false);
  EXPECT_EQ(both.await(milliseconds(50)), 0U);
  EXPECT_EQ(both.counters().sleeps, 0U);
  EXPECT_GT(both.counters().naps, 0U);
  std::jthread later([&] { both.frames->bring(); });
  EXPECT_EQ(both.await(seconds(10)), 1U);
}

}  // namespace
}  // namespace millrace::compose
