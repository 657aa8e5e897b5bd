// The open loop, in a time that the test makes: a server that stalls, one that falls silent, a generator that is late.
#include "bench/load/paced_phase.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "base/clock.h"
#include "tests/unit/load/memory_server.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

/// A server in memory that answers at once, and a clock that moves only in poll(): by the time slept when nothing came,
/// by `turn` otherwise. While the clock is in `stall` the server does nothing.
class TimedServer final : public dataplane::Transport {
 public:
  struct Span {
    Instant begin{};
    Instant end{};
  };

  TimedServer(ManualClock& clock, Fault fault) : clock_(clock), server_(test_seed(), fault) {}

  std::optional<Span> stall;    ///< the server's
  std::optional<Span> absence;  ///< the generator's: who polls at its begin comes back at its end
  Duration turn = nanoseconds(500);

  std::size_t poll(Instant, std::span<dataplane::Event> out, Duration wait) noexcept override {
    const Instant now = clock_.now();
    if (absence && now >= absence->begin && now < absence->end) {
      clock_.advance(absence->end - now);
    }
    const bool is_stalled = stall && clock_.now() >= stall->begin && clock_.now() < stall->end;
    const std::size_t count = is_stalled ? 0 : server_.poll(clock_.now(), out, Duration{});
    Duration slept = count > 0 ? turn : std::max(wait, turn);
    if (is_stalled) {
      slept = std::min(slept, stall->end - clock_.now());
    } else if (stall && clock_.now() < stall->begin) {
      slept = std::min(slept, stall->begin - clock_.now());
    }
    clock_.advance(slept);
    return count;
  }
  void submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept override { server_.submit(now, ops); }
  Status connect(const dataplane::Endpoint& to, ConnId& conn) noexcept override { return server_.connect(to, conn); }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override { return {}; }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return server_.counters(); }
  dataplane::Waker& waker() noexcept override { return server_.waker(); }
  [[nodiscard]] std::string peer_text(ConnId) const override { return {}; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return {}; }

 private:
  ManualClock& clock_;
  MemoryServer server_;
};

class Paced : public testing::Test {
 protected:
  PhaseResult run(Fault fault = Fault::None) {
    TimedServer server(clock_, fault);
    server.stall = stall_;
    server.absence = absence_;
    const Workload workload{*KeyText::make(12, 100), ValueText(SizeDistribution(SizeDistribution::Of::Values, 10, 10))};
    ClientSet clients(server, clock_, patience_);
    const std::atomic<bool> stop = false;
    const dataplane::Endpoint nowhere;
    clients.connect({&nowhere, 1}, connections_, workload, {.depth = depth_}, stop);
    EXPECT_EQ(clients.open_count(), connections_);
    const Instant begin = clock_.now();
    MeasuredWindow window(clients, exchange_, {.thread = 0, .opens = begin + warmup_, .interval = milliseconds(100)});
    PacedPhase phase(clients, {OperationMix(workload, KeySequence({}, 0, 100, 1), {})}, Schedule(pace_, 0, 1, begin, 1),
                     plan_, window);
    const PhaseResult result = phase.run(stop);
    failures_ = clients.stats().failures;
    clients.close();
    return result;
  }
  Instant at(Duration offset) const { return start_ + offset; }

  ManualClock clock_;
  Instant start_ = clock_.now();
  IntervalExchange exchange_{1};
  std::optional<TimedServer::Span> stall_;
  std::optional<TimedServer::Span> absence_;
  std::uint32_t connections_ = 1;
  std::uint32_t depth_ = 1;
  Duration patience_ = seconds(10);
  Duration warmup_{};
  Pace pace_{.rate_per_s = 1000};
  PacedPlan plan_{.length = seconds(1), .requests = {}};
  Failures failures_;
};

TEST_F(Paced, HoldsTheRateAndIsNeverLate) {
  for (const Idling idling : {Idling::Near, Idling::Sleep, Idling::Spin}) {
    plan_.idling = idling;
    const PhaseResult result = run();
    EXPECT_TRUE(result.is_complete);
    EXPECT_EQ(result.tally.requests, 1000U);
    EXPECT_EQ(result.paced.due, 1000U);
    EXPECT_EQ(result.paced.queued, 0U);
    EXPECT_EQ(result.paced.never_left, 0U);
    EXPECT_LE(result.paced.late_ns.max(), 1000U);
    EXPECT_LE(result.latency_ns.all().max(), 100'000U);
    EXPECT_EQ(result.latency_ns.all().count(), 1000U);
    EXPECT_NEAR(static_cast<double>(result.window.ns), 1e9, 1e6);
    EXPECT_EQ(failures_.total(), 0U);
  }
}

TEST_F(Paced, TimeSpentAwakeForNothingIsNotWork) {
  plan_.idling = Idling::Sleep;
  EXPECT_LT(run().paced.spun, milliseconds(20));
  plan_.idling = Idling::Near;
  const Duration near = run().paced.spun;
  EXPECT_GT(near, milliseconds(70)) << "the last 100 us before each of 1000";
  EXPECT_LT(near, milliseconds(130));
  plan_.idling = Idling::Spin;
  EXPECT_GT(run().paced.spun, milliseconds(900));
}

TEST_F(Paced, AStallCostsEveryRequestThatWasDueInIt) {
  // 100 ms of nothing in the middle: 100 requests are due in it. A closed loop would have asked, and shown, one.
  stall_ = {at(milliseconds(500)), at(milliseconds(600))};
  const PhaseResult result = run();
  const Histogram latency = result.latency_ns.all();
  EXPECT_EQ(result.tally.requests, 1000U);
  EXPECT_NEAR(static_cast<double>(latency.max()), 100e6, 1e6);
  EXPECT_NEAR(static_cast<double>(latency.quantile(0.95)), 50e6, 2e6) << "the middle one of the tenth that waited";
  EXPECT_NEAR(static_cast<double>(latency.quantile(0.99)), 90e6, 2e6);
  EXPECT_LT(latency.quantile(0.89), 100'000U);
  EXPECT_NEAR(static_cast<double>(result.paced.queued), 99, 2) << "one connection, one in flight: the rest waited";
  EXPECT_LE(result.paced.late_ns.max(), 1000U) << "the server's fault, not the generator's";
}

TEST_F(Paced, AStallShowsTheSameWithRoomForAll) {
  stall_ = {at(milliseconds(500)), at(milliseconds(600))};
  depth_ = 200;
  const PhaseResult result = run();
  EXPECT_EQ(result.paced.queued, 0U) << "all left on time, and waited in the server";
  EXPECT_NEAR(static_cast<double>(result.latency_ns.all().quantile(0.95)), 50e6, 2e6);
  EXPECT_NEAR(static_cast<double>(result.latency_ns.all().max()), 100e6, 1e6);
}

TEST_F(Paced, AnAbsentGeneratorIsItsOwnFault) {
  absence_ = {at(milliseconds(500)), at(milliseconds(600))};
  depth_ = 200;
  const PhaseResult result = run();
  EXPECT_EQ(result.tally.requests, 1000U) << "what was missed is made up for";
  EXPECT_EQ(result.paced.queued, 0U);
  EXPECT_NEAR(static_cast<double>(result.paced.late_ns.quantile(0.99)), 90e6, 2e6);
  EXPECT_NEAR(static_cast<double>(result.latency_ns.all().quantile(0.99)), 90e6, 2e6) << "clients would have seen it";
}

TEST_F(Paced, WhatNeverLeftCountsWithTheTimeItHasWaited) {
  stall_ = {at(milliseconds(600)), at(milliseconds(2000))};
  const PhaseResult result = run();
  EXPECT_TRUE(result.is_complete);
  EXPECT_NEAR(static_cast<double>(result.tally.requests), 600, 2) << "answered within the window";
  EXPECT_EQ(result.paced.due, 1000U);
  EXPECT_NEAR(static_cast<double>(result.paced.never_left), 399, 2);
  const Histogram latency = result.latency_ns.all();
  EXPECT_EQ(latency.count(), 1000U) << "nothing that was due is left out";
  EXPECT_NEAR(static_cast<double>(latency.quantile(0.8)), 200e6, 5e6) << "due at 0.8 s, still waiting at 1 s";
  EXPECT_NEAR(static_cast<double>(latency.max()), 1400e6, 10e6) << "in flight at the end, and waited for";
}

TEST_F(Paced, ASilentServerIsGivenUp) {
  connections_ = 3;
  depth_ = 2;
  patience_ = milliseconds(300);
  const PhaseResult result = run(Fault::Silence);
  EXPECT_FALSE(result.is_complete);
  EXPECT_EQ(failures_.timeouts, 3U);
  EXPECT_EQ(failures_.lost_requests, 6U);
  EXPECT_EQ(result.tally.requests, 0U);
  EXPECT_GT(result.paced.never_left, 0U);
}

TEST_F(Paced, EndsWithItsTimeEvenWhenNothingIsAnswered) {
  connections_ = 3;
  depth_ = 2;
  const PhaseResult result = run(Fault::Silence);  // the patience is longer than the window
  EXPECT_TRUE(result.is_complete) << "its time was up while connections were open";
  EXPECT_EQ(result.paced.never_left, 994U);
  EXPECT_EQ(failures_.timeouts, 3U) << "the drain gave them up";
}

TEST_F(Paced, ACountEndsWithItsLastReply) {
  plan_ = {.length = {}, .requests = 321};
  const PhaseResult result = run();
  EXPECT_TRUE(result.is_complete);
  EXPECT_EQ(result.tally.requests, 321U);
  EXPECT_NEAR(static_cast<double>(result.window.ns), 320e6, 1e6);
}

TEST_F(Paced, AWarmUpIsKeptOutOfEverything) {
  warmup_ = milliseconds(500);
  stall_ = {at(milliseconds(100)), at(milliseconds(200))};
  const PhaseResult result = run();
  EXPECT_NEAR(static_cast<double>(result.tally.requests), 1000, 1);
  EXPECT_NEAR(static_cast<double>(result.paced.due), 1000, 1);
  EXPECT_EQ(result.paced.queued, 0U);
  EXPECT_LE(result.latency_ns.all().max(), 100'000U);
}

TEST_F(Paced, ConnectionsTakeTurns) {
  connections_ = 4;
  stall_ = {at(milliseconds(500)), at(microseconds(503'500))};
  const PhaseResult result = run();
  EXPECT_EQ(result.paced.queued, 0U) << "four requests are due in the stall, and there is room for four";
  EXPECT_EQ(result.tally.requests, 1000U);
}

TEST_F(Paced, IntervalsAddUpToTheWhole) {
  stall_ = {at(milliseconds(250)), at(milliseconds(450))};
  const PhaseResult result = run();
  Tally sum;
  std::uint64_t last = 0;
  auto delivery = exchange_.wait();
  ASSERT_GE(delivery.intervals.size(), 9U);
  for (const auto& interval : delivery.intervals) {
    EXPECT_TRUE(interval->index > last || interval == delivery.intervals.front());
    last = interval->index;
    EXPECT_EQ(interval->latency_ns.all().count(), interval->tally.requests);
    sum.merge(interval->tally);
  }
  EXPECT_EQ(last, 9U);
  EXPECT_EQ(sum.requests, result.tally.requests);
  EXPECT_LT(delivery.intervals[3]->tally.requests, 5U) << "the stall is where it was";
}

}  // namespace
}  // namespace millrace::load
