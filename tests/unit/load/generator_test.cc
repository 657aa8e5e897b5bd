// Whole runs of the generator against a cache server in memory.
#include "bench/load/generator.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "bench/load/report.h"
#include "tests/unit/load/memory_server.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

/// One run; keeps the servers of its threads to look into.
class TestRun {
 public:
  explicit TestRun(Options options, Fault fault = Fault::None, std::uint64_t fault_at = 0)
      : options_(std::move(options)), fault_(fault), fault_at_(fault_at), servers_(options_.threads) {}

  TestRun& with_trace(Trace trace) {
    trace_ = std::move(trace);
    return *this;
  }
  TestRun& with_items(const std::map<std::string, MemoryServer::Item, std::less<>>& items) {
    items_ = items;
    return *this;
  }

  RunReport go(bool is_stopped = false) {
    const bool is_replay = options_.is_replay();
    const auto keys = KeyText::make(options_.key_bytes, is_replay ? trace_.keys : options_.keys);
    const Workload workload{*keys, ValueText(options_.value_bytes_min, options_.value_bytes_max,
                                             is_replay ? trace_.value_bytes_max : options_.value_bytes_max)};
    const std::uint64_t seed = options_.seed;
    Generator generator(
        options_, workload, {}, is_replay ? &trace_ : nullptr,
        [&, seed](std::uint32_t thread, std::uint32_t) -> Result<std::unique_ptr<dataplane::Transport>> {
          auto server = std::make_unique<Keeper>(seed + thread, fault_, fault_at_, servers_[thread]);
          server->items = items_;
          return server;
        });
    std::atomic<bool> stop = is_stopped;
    auto report = generator.run(stop);
    EXPECT_TRUE(report);
    return *report;
  }

  /// What was left of thread `i`'s server.
  struct Remains {
    std::map<std::string, MemoryServer::Item, std::less<>> items;
    std::vector<std::string> log;
    std::uint64_t requests = 0;
    std::uint32_t requests_in_one_send_max = 0;
    bool all_gone = false;
  };
  [[nodiscard]] const Remains& server(std::uint32_t thread = 0) const { return servers_[thread]; }

 private:
  class Keeper final : public dataplane::Transport {
   public:
    Keeper(std::uint64_t seed, Fault fault, std::uint64_t fault_at, Remains& remains)
        : server_(seed, fault, fault_at), items(server_.items), remains_(remains) {}
    ~Keeper() override {
      remains_ = {server_.items, server_.log, server_.requests, server_.requests_in_one_send_max, server_.all_gone()};
    }
    std::size_t poll(Instant now, std::span<dataplane::Event> out, Duration wait) noexcept override {
      return server_.poll(now, out, wait);
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
    MemoryServer server_;

   public:
    std::map<std::string, MemoryServer::Item, std::less<>>& items;

   private:
    Remains& remains_;
  };

  Options options_;
  Fault fault_;
  std::uint64_t fault_at_;
  Trace trace_;
  std::map<std::string, MemoryServer::Item, std::less<>> items_;
  std::vector<Remains> servers_;
};

Options small(std::vector<Mode> modes) {
  Options options;
  options.modes = std::move(modes);
  options.connections = 3;
  options.depth = 4;
  options.keys = 200;
  options.key_bytes = 12;
  options.value_bytes_min = 0;
  options.value_bytes_max = 90;
  options.requests = 1000;
  options.verifies = true;
  options.timeout_s = 5;
  options.seed = test_seed();
  return options;
}

TEST(Generator, FillStoresEveryKeyOnceAndGetsFindThemAll) {
  TestRun run(small({Mode::Fill, Mode::Get}));
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  ASSERT_EQ(report.phases.size(), 2U);
  EXPECT_EQ(report.phases[0].tally.stores().done, 200U);
  EXPECT_EQ(report.phases[1].tally.requests, 1000U);
  EXPECT_EQ(report.phases[1].tally.keys_asked, 1000U);
  EXPECT_EQ(report.phases[1].tally.hits, 1000U);
  EXPECT_EQ(report.phases[1].latency_ns.count(), 1000U);
  EXPECT_TRUE(report.phases[1].is_complete);
  EXPECT_EQ(run.server().items.size(), 200U);
  EXPECT_EQ(run.server().requests, 1200U);
  EXPECT_TRUE(run.server().all_gone) << "every connection was ended";
  EXPECT_EQ(run.server().requests_in_one_send_max, 4U) << "the pipeline was used, and not overrun";
}

TEST(Generator, EmptyServerGivesMisses) {
  const RunReport report = TestRun(small({Mode::Get})).go();
  EXPECT_EQ(report.failures.total(), 0U);
  EXPECT_EQ(report.phases[0].tally.hits, 0U);
  EXPECT_EQ(report.phases[0].tally.misses(), 1000U);
}

TEST(Generator, MultiGetCountsKeysAndVerifiesWithMissesBetween) {
  Options options = small({Mode::Fill, Mode::MultiGet});
  options.keys_per_get = 7;
  TestRun full(options);
  const RunReport report = full.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[1].tally.requests, 1000U);
  EXPECT_EQ(report.phases[1].tally.keys_asked, 7000U);
  EXPECT_EQ(report.phases[1].tally.hits, 7000U);

  auto half = full.server().items;
  int n = 0;
  std::erase_if(half, [&](const auto&) { return n++ % 2 == 0; });
  options.modes = {Mode::MultiGet};
  const RunReport second = TestRun(options).with_items(half).go();
  EXPECT_EQ(second.failures.total(), 0U) << second.failures.first;
  EXPECT_GT(second.phases[0].tally.hits, 2500U);
  EXPECT_LT(second.phases[0].tally.hits, 4500U);
}

TEST(Generator, MixHoldsItsShare) {
  Options options = small({Mode::Mix});
  options.get_share = 0.75;
  options.requests = 8000;
  options.ttl_s = 77;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[0].tally.requests, 8000U);
  // Standard deviation 39.
  EXPECT_NEAR(static_cast<double>(report.phases[0].tally.keys_asked), 6000, 250);
  EXPECT_EQ(run.server().items.begin()->second.ttl, "77");
}

TEST(Generator, ThreadsShareKeysRequestsAndConnections) {
  Options options = small({Mode::Fill, Mode::Set});
  options.threads = 3;
  options.connections = 7;
  options.keys = 200;
  options.requests = 100;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[0].tally.stores().done, 200U);
  EXPECT_EQ(report.phases[1].tally.stores().done, 100U);
  std::size_t fills = 0;
  for (std::uint32_t i = 0; i < 3; ++i) {
    fills += run.server(i).requests;
  }
  EXPECT_EQ(fills, 300U);
  EXPECT_NE(run.server(0).log.back(), run.server(1).log.back()) << "each thread has a sequence of its own";
}

TEST(Generator, RoundsRepeatAllButTheFill) {
  Options options = small({Mode::Fill, Mode::Get});
  options.rounds = 3;
  options.requests = 50;
  const RunReport report = TestRun(options).go();
  ASSERT_EQ(report.phases.size(), 4U);
  EXPECT_EQ(report.phases[3].round, 3U);
  EXPECT_EQ(report.phases[3].tally.requests, 50U);
}

TEST(Generator, TimeEndsAPhaseToo) {
  Options options = small({Mode::Get});
  options.requests.reset();
  options.seconds = 0.05;
  options.warmup_s = 0.02;
  const RunReport report = TestRun(options).go();
  EXPECT_EQ(report.failures.total(), 0U);
  EXPECT_TRUE(report.phases[0].is_complete);
  EXPECT_GE(report.phases[0].window, milliseconds(50));
  EXPECT_GT(report.phases[0].tally.requests, 0U);
}

TEST(Generator, ALargeValueIsSplitOverManyReads) {
  Options options = small({Mode::Fill, Mode::Get});
  options.keys = 3;
  options.value_bytes_min = 300'000;
  options.value_bytes_max = 400'000;
  options.requests = 20;
  const RunReport report = TestRun(options).go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[1].tally.hits, 20U);
  EXPECT_GE(report.phases[1].tally.value_bytes, 20U * 300'000);
}

TEST(Generator, AnInterruptedRunStillReports) {
  const RunReport report = TestRun(small({Mode::Fill, Mode::Get})).go(true);
  ASSERT_EQ(report.phases.size(), 1U) << "what had not begun is no part of it";
  EXPECT_FALSE(report.phases[0].is_complete);
  EXPECT_EQ(report.phases[0].tally.requests, 0U);
}

struct FaultCase {
  Fault fault;
  std::uint64_t Failures::* counted;
};

class GeneratorFault : public testing::TestWithParam<FaultCase> {};

TEST_P(GeneratorFault, IsCountedAndSaidAndNeverHangs) {
  Options options = small({Mode::Fill, Mode::Get});
  options.value_bytes_min = 20;
  options.timeout_s = 0.2;
  const auto [fault, counted] = GetParam();
  TestRun run(options, fault, 210);  // after the fill
  const RunReport report = run.go();
  EXPECT_GT(report.failures.*counted, 0U);
  EXPECT_FALSE(report.failures.first.empty());
  EXPECT_TRUE(run.server().all_gone);
  const bool framing_holds = fault == Fault::ErrorReply;
  EXPECT_EQ(report.phases.back().is_complete, framing_holds);
  if (!framing_holds && fault != Fault::Unasked) {
    EXPECT_GT(report.failures.lost_requests + report.failures.connect, 0U);
  }
  // Every failure was looked for where it belongs: the other counters are untouched.
  EXPECT_EQ(report.failures.total(), report.failures.*counted + report.failures.lost_requests);
  Options shown = options;
  const std::string text =
      table_text({.run = report, .server = "memory", .model = {}, .was_interrupted = false}, shown);
  EXPECT_NE(text.find("FAILED"), std::string::npos);
  EXPECT_NE(text.find(report.failures.first), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, GeneratorFault,
    testing::Values(FaultCase{Fault::Refuse, &Failures::connect}, FaultCase{Fault::NeverOpen, &Failures::connect},
                    FaultCase{Fault::Close, &Failures::closed}, FaultCase{Fault::HalfClose, &Failures::closed},
                    FaultCase{Fault::Reset, &Failures::reset}, FaultCase{Fault::Silence, &Failures::timeouts},
                    FaultCase{Fault::Trickle, &Failures::verification}, FaultCase{Fault::Garbage, &Failures::protocol},
                    FaultCase{Fault::EndlessLine, &Failures::protocol}, FaultCase{Fault::Unasked, &Failures::protocol},
                    FaultCase{Fault::WrongKind, &Failures::protocol}, FaultCase{Fault::NoLineEnd, &Failures::protocol},
                    FaultCase{Fault::ErrorReply, &Failures::error_replies},
                    FaultCase{Fault::WrongKey, &Failures::verification},
                    FaultCase{Fault::WrongFlags, &Failures::verification},
                    FaultCase{Fault::WrongSize, &Failures::verification},
                    FaultCase{Fault::WrongByte, &Failures::verification}));

TEST(Generator, WithoutVerifyOnlyTheFormIsJudged) {
  for (const Fault fault : {Fault::WrongKey, Fault::WrongFlags, Fault::WrongSize, Fault::WrongByte}) {
    Options options = small({Mode::Fill, Mode::Get});
    options.value_bytes_min = 20;
    options.verifies = false;
    EXPECT_EQ(TestRun(options, fault, 210).go().failures.total(), 0U);
  }
}

TEST(Generator, AValueThatNeverEndsTimesOut) {
  Options options = small({Mode::Get});
  options.verifies = false;
  options.timeout_s = 0.2;
  const RunReport report = TestRun(options, Fault::Trickle, 5).go();
  EXPECT_EQ(report.failures.timeouts, 3U);
}

Options replay_options(std::uint32_t connections, std::uint32_t depth) {
  Options options = small({Mode::Replay});
  options.requests.reset();
  options.connections = connections;
  options.depth = depth;
  return options;
}

Trace random_trace(std::uint64_t seed, std::size_t records) {
  Prng prng(seed);
  TraceParser parser;
  for (std::size_t i = 0; i < records; ++i) {
    const std::uint64_t key = prng.below(1 + prng.below(60));
    const bool is_set = prng.below(8) == 0;
    const std::string line =
        std::to_string(key) + " " + std::to_string(10 + key * 3) + " 60 " + (is_set ? "set" : "get");
    EXPECT_TRUE(parser.line(line));
  }
  return parser.take();
}

/// What an unpipelined read-through of the trace does with a key: its requests in order.
std::map<std::uint32_t, std::vector<std::string>> expected_by_key(const Trace& trace) {
  std::map<std::uint32_t, std::vector<std::string>> ops;
  for (const TraceRecord& record : trace.records) {
    auto& mine = ops[record.key];
    const bool is_there = !mine.empty();
    if (!record.is_set) {
      mine.emplace_back("get");
    }
    if (record.is_set || !is_there) {
      mine.emplace_back("set");
    }
  }
  return ops;
}

TEST(Replay, KeepsTheOrderOfEachKeyHoweverDeepThePipeline) {
  const std::uint64_t seed = test_seed();
  for (const auto& [connections, depth] : {std::pair{1U, 1U}, {1U, 16U}, {5U, 3U}, {8U, 64U}}) {
    const Trace trace = random_trace(seed, 3000);
    const auto expected = expected_by_key(trace);
    TestRun run(replay_options(connections, depth));
    const RunReport report = run.with_trace(trace).go();
    EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
    EXPECT_TRUE(report.phases[0].is_complete);
    EXPECT_EQ(report.phases[0].records_replayed, 3000U);
    const auto keys = KeyText::make(12, trace.keys);
    std::map<std::uint32_t, std::vector<std::string>> seen;
    for (const std::string& line : run.server().log) {
      seen[static_cast<std::uint32_t>(*keys->number(line.substr(4)))].push_back(line.substr(0, 3));
    }
    EXPECT_EQ(seen, expected) << connections << " connections, depth " << depth;
    // Nothing is ever evicted, so only a key's first request can miss.
    std::uint64_t gets = 0;
    std::uint64_t first_gets = 0;
    for (const auto& [key, ops] : expected) {
      gets += static_cast<std::uint64_t>(std::ranges::count(ops, "get"));
      first_gets += ops.front() == "get" ? 1 : 0;
    }
    EXPECT_EQ(report.phases[0].tally.keys_asked, gets);
    EXPECT_EQ(report.phases[0].tally.misses(), first_gets);
    EXPECT_EQ(run.server().items.begin()->second.ttl, "60");
  }
}

TEST(Replay, OfSeveralThreadsCoversTheTraceOnce) {
  const Trace trace = random_trace(test_seed(), 2000);
  Options options = replay_options(6, 8);
  options.threads = 3;
  TestRun run(options);
  const RunReport report = run.with_trace(trace).go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[0].records_replayed, 2000U);
}

TEST(Replay, EndsWhenAConnectionIsLost) {
  TestRun run(replay_options(4, 8), Fault::Close, 500);
  const RunReport report = run.with_trace(random_trace(test_seed(), 3000)).go();
  EXPECT_FALSE(report.phases[0].is_complete);
  EXPECT_GT(report.failures.closed, 0U);
}

TEST(Report, JsonHasTheFiguresAndEscapesText) {
  RunReport run = TestRun(small({Mode::Fill, Mode::Get})).go();
  run.failures.protocol = 2;
  run.failures.first = "a \"quoted\" \\ line\n";
  const Options options = small({Mode::Fill, Mode::Get});
  const std::string json = json_text(
      {.run = run, .server = "memory", .model = ModelReport{1000, 10, 5, 0.5}, .was_interrupted = false}, options);
  EXPECT_NE(json.find(R"("mode":"get","round":1)"), std::string::npos);
  EXPECT_NE(json.find(R"("hits":1000,"misses":0,"hit_ratio":1.000000)"), std::string::npos);
  EXPECT_NE(json.find(R"("first":"a \"quoted\" \\ line\u000a")"), std::string::npos);
  EXPECT_NE(json.find(R"("model":{"memory_bytes":1000,"gets":10,"hits":5,"hit_ratio":0.500000})"), std::string::npos);
  EXPECT_EQ(std::ranges::count(json, '{'), std::ranges::count(json, '}'));
}

TEST(Report, SaysWhoWasTheBottleneck) {
  RunReport run;
  PhaseReport phase;
  PhaseResult thread;
  thread.window = seconds(1);
  thread.is_complete = true;
  thread.tally.requests = 5;
  thread.usage.ran_ns = 970'000'000;
  phase.add(thread, 1);
  EXPECT_TRUE(phase.is_bound_by_generator());
  run.phases.push_back(phase);
  const Options options = small({Mode::Get});
  const auto text = [&] {
    return table_text({.run = run, .server = "memory", .model = {}, .was_interrupted = false}, options);
  };
  EXPECT_NE(text().find("the generator was the bottleneck"), std::string::npos);

  thread.usage.ran_ns = 300'000'000;
  run.phases[0] = PhaseReport{};
  run.phases[0].add(thread, 1);
  EXPECT_NE(text().find("the generator was idle 70 % of the time"), std::string::npos);

  thread.usage.waited_ns = 650'000'000;  // its core was somebody else's
  run.phases[0] = PhaseReport{};
  run.phases[0].add(thread, 1);
  EXPECT_TRUE(run.phases[0].is_bound_by_generator());
}

}  // namespace
}  // namespace millrace::load
