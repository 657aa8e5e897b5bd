// Whole runs of the generator against a cache server in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "bench/load/report/table.h"
#include "tests/unit/load/test_run.h"

namespace millrace::load {
namespace {

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
  options.mix[static_cast<std::size_t>(Operation::Get)] = 75;
  options.mix[static_cast<std::size_t>(Operation::Set)] = 25;
  options.requests = 8000;
  options.ttl_s_min = options.ttl_s_max = 77;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[0].tally.requests, 8000U);
  // Standard deviation 39.
  EXPECT_NEAR(static_cast<double>(report.phases[0].tally.keys_asked), 6000, 250);
  EXPECT_EQ(run.server().items.begin()->second.ttl, "77");
}

Options mixed(const std::vector<std::pair<Operation, double>>& weights) {
  Options options = small({Mode::Fill, Mode::Mix});
  for (const auto& [operation, weight] : weights) {
    options.mix[static_cast<std::size_t>(operation)] = weight;
  }
  options.requests = 4000;
  return options;
}

TEST(Generator, AMixOfAllIsVerifiedAndCounted) {
  using enum Operation;
  Options options = mixed(
      {{Get, 30}, {MultiGet, 5}, {Set, 10}, {Add, 10}, {Append, 10}, {Cas, 10}, {Delete, 10}, {Touch, 5}, {Incr, 10}});
  options.ttl_s_min = 10;
  options.ttl_s_max = 12;
  options.keys_per_get = 5;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  const Tally& tally = report.phases[1].tally;
  std::uint64_t requests = 0;
  for (std::size_t i = 0; i < kOperations; ++i) {
    const OperationTally& counts = tally.operations[i];
    EXPECT_GT(counts.done, 0U) << kOperationNames[i];
    EXPECT_EQ(counts.done + counts.refused + counts.missed, counts.requests) << kOperationNames[i];
    EXPECT_EQ(report.phases[1].latency_ns_of.of(static_cast<Operation>(i)).count(), counts.requests);
    requests += counts.requests;
  }
  EXPECT_EQ(requests, tally.requests);
  EXPECT_GT(tally.of(Add).refused, 0U);
  EXPECT_GT(tally.of(Append).refused, 0U);
  EXPECT_GT(tally.of(Delete).missed, 0U);
  EXPECT_EQ(tally.of(Gets).requests + tally.of(MultiGet).requests * 5 + tally.of(Get).requests, tally.keys_asked);
  // Each gets that found something was followed by its cas.
  EXPECT_EQ(tally.of(Cas).requests, tally.of(Gets).done);
  // 4000 were chosen; on top come each cas, and an add for each counter that was not there.
  EXPECT_EQ(tally.requests, 4000 + tally.of(Cas).requests + tally.of(Incr).missed);
  std::set<std::string> ttls;
  for (const auto& [key, item] : run.server().items) {
    ttls.insert(item.ttl);
  }
  for (const char* const ttl : {"10", "11", "12"}) {
    EXPECT_TRUE(ttls.contains(ttl));
  }
}

TEST(Generator, CountersAreKeysOfTheirOwn) {
  Options options = mixed({{Operation::Incr, 1}, {Operation::Get, 1}});
  options.connections = 1;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  std::uint64_t sum = 0;
  for (const auto& [key, item] : run.server().items) {
    if (key.starts_with("ctr:")) {
      sum += std::stoull(item.value);
    }
  }
  EXPECT_EQ(run.server().items.size(), 2 * options.keys);
  EXPECT_EQ(sum, report.phases[1].tally.of(Operation::Incr).done);
}

TEST(Generator, ReadThroughSetsWhatItMisses) {
  for (const Mode mode : {Mode::Get, Mode::MultiGet}) {
    for (const bool verifies : {true, false}) {
      Options options = small({mode});
      options.keys_per_get = 7;
      options.key_plan.order = KeyOrder::Sequential;  // so that none is left out
      options.reads_through = true;
      options.verifies = verifies;
      TestRun run(options);
      const RunReport report = run.go();
      EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
      const Tally& tally = report.phases[0].tally;
      EXPECT_EQ(tally.stores().done, tally.misses());
      EXPECT_GT(tally.hits, 0U);
      EXPECT_EQ(run.server().items.size(), 200U);
      EXPECT_LE(run.server().requests_in_one_send_max, 4U);
      // What was stored is what a verifying reader expects.
      const RunReport read = TestRun(small({Mode::Get})).with_items(run.server().items).go();
      EXPECT_EQ(read.failures.total(), 0U) << read.failures.first;
      EXPECT_EQ(read.phases[0].tally.misses(), 0U);
    }
  }
}

TEST(Generator, WhatWasAppendedIsVerifiedWhenTheMixAppends) {
  Options options = mixed({{Operation::Append, 1}});
  TestRun run(options);
  EXPECT_EQ(run.go().failures.total(), 0U);
  const auto items = run.server().items;
  options = mixed({{Operation::Get, 99}, {Operation::Append, 1}});
  options.modes = {Mode::Mix};
  const RunReport appending = TestRun(options).with_items(items).go();
  EXPECT_EQ(appending.failures.total(), 0U) << appending.failures.first;
  for (const Fault fault : {Fault::WrongSize, Fault::WrongByte}) {
    EXPECT_GT(TestRun(options, fault, 20).with_items(items).go().failures.verification, 0U);
  }
  // A run that appends nothing takes what was appended for wrong.
  EXPECT_GT(TestRun(small({Mode::Get})).with_items(items).go().failures.verification, 0U);
}

TEST(Generator, KeysOfManySizesAreVerified) {
  Options options = small({Mode::Fill, Mode::MultiGet});
  options.key_sizes = *SizeDistribution::parse(SizeDistribution::Of::Keys, "etc");
  options.value_sizes = *SizeDistribution::parse(SizeDistribution::Of::Values, "etc");
  options.keys_per_get = 9;
  TestRun run(options);
  const RunReport report = run.go();
  EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
  EXPECT_EQ(report.phases[1].tally.hits, 9000U);
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
  // Behind the fill; sorted, because connections overtake each other. One key alone would be the same by chance.
  const auto sets_of = [&](std::uint32_t thread) {
    std::vector<std::string> sets(run.server(thread).log.end() - 33, run.server(thread).log.end());
    std::ranges::sort(sets);
    return sets;
  };
  EXPECT_NE(sets_of(1), sets_of(2)) << "each thread has a sequence of its own";
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
  options.value_sizes = value_sizes(300'000, 400'000);
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

/// Each fault in a closed and in an open loop.
class GeneratorFault : public testing::TestWithParam<std::tuple<FaultCase, bool>> {};

TEST_P(GeneratorFault, IsCountedAndSaidAndNeverHangs) {
  Options options = small({Mode::Fill, Mode::Get});
  options.value_sizes = value_sizes(20, 90);
  const auto [fault_case, is_open_loop] = GetParam();
  const auto [fault, counted] = fault_case;
  if (fault == Fault::Silence || fault == Fault::NeverOpen) {
    options.timeout_s = 0.2;  // else patience, or a slow machine shows as a fault of its own
  }
  if (is_open_loop) {
    options.rate_per_s = 20'000;
  }
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
  WholeReport whole;
  whole.run = report;
  const std::string text = table_text(whole);
  EXPECT_NE(text.find("FAILED"), std::string::npos);
  EXPECT_NE(text.find(report.failures.first), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, GeneratorFault,
    testing::Combine(
        testing::Values(
            FaultCase{Fault::Refuse, &Failures::connect}, FaultCase{Fault::NeverOpen, &Failures::connect},
            FaultCase{Fault::Close, &Failures::closed}, FaultCase{Fault::HalfClose, &Failures::closed},
            FaultCase{Fault::Reset, &Failures::reset}, FaultCase{Fault::Silence, &Failures::timeouts},
            FaultCase{Fault::Trickle, &Failures::verification}, FaultCase{Fault::Garbage, &Failures::protocol},
            FaultCase{Fault::EndlessLine, &Failures::protocol}, FaultCase{Fault::Unasked, &Failures::protocol},
            FaultCase{Fault::WrongKind, &Failures::protocol}, FaultCase{Fault::NoLineEnd, &Failures::protocol},
            FaultCase{Fault::ErrorReply, &Failures::error_replies}, FaultCase{Fault::WrongKey, &Failures::verification},
            FaultCase{Fault::WrongFlags, &Failures::verification}, FaultCase{Fault::WrongSize, &Failures::verification},
            FaultCase{Fault::WrongByte, &Failures::verification}),
        testing::Bool()));

TEST(Generator, WithoutVerifyOnlyTheFormIsJudged) {
  for (const Fault fault : {Fault::WrongKey, Fault::WrongFlags, Fault::WrongSize, Fault::WrongByte}) {
    Options options = small({Mode::Fill, Mode::Get});
    options.value_sizes = value_sizes(20, 90);
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

TEST(Replay, KeepsAPaceAndItsOrder) {
  Trace trace = random_trace(test_seed(), 600);
  for (std::size_t i = 0; i < trace.records.size(); ++i) {
    trace.times.push_back(microseconds(static_cast<std::int64_t>(1000 * i)));
  }
  Options options = replay_options(3, 4);
  options.threads = 3;
  for (const bool is_rate : {false, true}) {
    options.replay_speed = is_rate ? std::nullopt : std::optional(4.0);
    options.rate_per_s = is_rate ? std::optional(4000.0) : std::nullopt;
    const auto begin = std::chrono::steady_clock::now();
    const RunReport report = TestRun(options).with_trace(trace).go();
    EXPECT_EQ(report.failures.total(), 0U) << report.failures.first;
    EXPECT_EQ(report.phases[0].records_replayed, 600U);
    // The last is due a quarter of 599 ms after the beginning, whenever its thread got to run.
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(149));
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

}  // namespace
}  // namespace millrace::load
