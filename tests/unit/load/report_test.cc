// What a result says, in every form it takes, and whether it comes back from JSON as it was.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <thread>

#include "bench/load/report/compare.h"
#include "bench/load/report/facts.h"
#include "bench/load/report/hdr_codec.h"
#include "bench/load/report/live_line.h"
#include "bench/load/report/merge.h"
#include "bench/load/report/page.h"
#include "bench/load/report/report_file.h"
#include "bench/load/report/sentences.h"
#include "bench/load/report/table.h"
#include "bench/load/report/whole_report_json.h"
#include "tests/unit/load/test_run.h"

namespace millrace::load {
namespace {

/// What a run of `options` against a server in memory comes to.
WholeReport whole_report(const Options& options) {
  WholeReport report;
  report.run = TestRun(options).go();
  report.started_unix_ms = 1'700'000'000'000;
  report.server.add("address", "memory").add("version", "1.2.3").add("settings", Json().add("maxbytes", "64"));
  report.generators = {generator_facts(options)};
  report.workload = workload_facts(options);
  return report;
}

Options two_loops() {
  Options options = small({Mode::Fill, Mode::Mix});
  options.mix = only(Operation::Get);
  options.mix[static_cast<std::size_t>(Operation::Set)] = 1;
  options.requests.reset();
  options.seconds = 0.12;
  options.interval_s = 0.05;
  options.rate_per_s = 5000;
  options.threads = 2;
  return options;
}

TEST(Report, ComesBackFromJsonAsItWas) {
  WholeReport report = whole_report(two_loops());
  report.run.failures.protocol = 2;
  report.run.failures.first = "a \"quoted\" \\ line\n";
  report.run.phases[1].verdict = KneeVerdict::Behind;
  report.run.knee =
      KneeReport{.p99_max_us = 500, .knee_per_s = 10, .failed_per_s = 12, .trials = 3, .is_precise = true};
  report.model = ModelReport{1000, 10, 5, 0.5};
  report.notes = {"one", "two"};
  const std::string text = to_json(report).text(1);
  const auto json = Json::parse(text);
  ASSERT_TRUE(json);
  const auto again = from_json(*json);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ(to_json(*again).text(1), text);
  EXPECT_EQ(table_text(*again), table_text(report));

  const PhaseReport& before = report.run.phases[1];
  const PhaseReport& after = again->run.phases[1];
  EXPECT_GT(before.latency_ns_of.of(Operation::Get).count(), 0U);
  EXPECT_GT(before.latency_ns_of.of(Operation::Set).count(), 0U);
  EXPECT_EQ(after.latency_ns_of.of(Operation::Get).buckets(), before.latency_ns_of.of(Operation::Get).buckets());
  EXPECT_EQ(after.latency_ns.sum(), before.latency_ns.sum());
  EXPECT_EQ(after.latency_ns.max(), before.latency_ns.max());
  EXPECT_EQ(after.paced.late_ns.buckets(), before.paced.late_ns.buckets());
}

TEST(Report, JsonHasTheFieldsThatScriptsRead) {
  const Options options = small({Mode::Fill, Mode::Get});
  const Json json = to_json(whole_report(options));
  const Json& phase = json["phases"].array().at(1);
  EXPECT_EQ(phase["mode"].string(), "get");
  EXPECT_EQ(phase["hits"].whole(), 1000U);
  EXPECT_EQ(phase["misses"].whole(1), 0U);
  EXPECT_EQ(phase["hit_ratio"].number(), 1);
  EXPECT_GT(phase["requests_per_s"].number(), 0);
  EXPECT_GT(phase["latency_us"]["p99"].number(), 0);
  EXPECT_FALSE(phase["generator_core_share"].is_null());
  EXPECT_EQ(json["failures"]["total"].whole(1), 0U);
  EXPECT_EQ(json["generators"].array().at(0)["seed"].whole(), options.seed);
}

TEST(Report, TheTimelineAddsUpToThePhase) {
  const WholeReport report = whole_report(two_loops());
  for (const PhaseReport& phase : report.run.phases) {
    std::uint64_t requests = 0;
    std::uint64_t latencies = 0;
    double end = 0;
    for (const TimePoint& point : phase.timeline) {
      EXPECT_GE(point.begin_s + 1e-9, end - 0.05) << "in order";
      end = point.begin_s + point.length_s;
      requests += point.requests;
      Histogram histogram;
      ASSERT_TRUE(add_hdr_text(point.latency_hdr, histogram));
      latencies += histogram.count();
    }
    EXPECT_EQ(requests, phase.tally.requests);
    EXPECT_EQ(latencies, phase.tally.requests);
    EXPECT_EQ(phase.workers.size(), 2U);
    EXPECT_EQ(phase.workers[0].requests + phase.workers[1].requests, phase.tally.requests);
  }
}

TEST(Report, RefusesWhatIsNoResult) {
  for (const char* const text : {"{}", "[]", "1", R"({"program":"other"})", R"({"program":"millrace-load"})",
                                 R"({"program":"millrace-load","phases":[{}]})"}) {
    EXPECT_FALSE(from_json(*Json::parse(text))) << text;
  }
  EXPECT_FALSE(read_report("/nowhere"));
  // Of this program, and with little in it: whatever is missing reads as nothing.
  const auto sparse = from_json(*Json::parse(R"({"program":"millrace-load","phases":[{}],"generators":[{}]})"));
  ASSERT_TRUE(sparse);
  EXPECT_FALSE(table_text(*sparse).empty());
}

PhaseReport phase_of(const PhaseResult& thread, std::optional<Pace> pace = {}) {
  PhaseReport phase;
  phase.pace = pace;
  phase.add(thread, 1);
  return phase;
}

PhaseResult second_of(std::uint64_t requests, std::int64_t latency_ns) {
  PhaseResult thread;
  thread.window = seconds(1);
  thread.is_complete = true;
  thread.tally.requests = requests;
  for (std::uint64_t i = 0; i < requests; ++i) {
    thread.latency_ns.record(Operation::Get, latency_ns);
  }
  return thread;
}

TEST(Report, SaysWhoWasTheBottleneckOfAClosedLoop) {
  PhaseResult thread = second_of(5, 1000);
  thread.usage.ran_ns = 970'000'000;
  EXPECT_TRUE(phase_of(thread).is_bound_by_generator());
  EXPECT_TRUE(bottleneck_text(phase_of(thread)).contains("the generator was the bottleneck"));
  thread.usage.ran_ns = 300'000'000;
  EXPECT_TRUE(bottleneck_text(phase_of(thread)).contains("the generator was idle 70 % of the time"));
  thread.usage.waited_ns = 650'000'000;  // its core was somebody else's
  EXPECT_TRUE(phase_of(thread).is_bound_by_generator());
  EXPECT_EQ(bottleneck_text(phase_of(second_of(0, 0))), "");
}

TEST(Report, SaysWhoFellBehindInAnOpenLoop) {
  const Pace pace{.rate_per_s = 100};
  PhaseResult thread = second_of(100, 100'000);
  thread.paced.due = 100;
  for (int i = 0; i < 100; ++i) {
    thread.paced.late_ns.record(2000);
  }
  EXPECT_TRUE(bottleneck_text(phase_of(thread, pace)).contains("the generator kept to its schedule"));
  EXPECT_FALSE(bottleneck_text(phase_of(thread, pace)).contains("no connection had room"));

  thread.usage.ran_ns = 950'000'000;
  EXPECT_TRUE(bottleneck_text(phase_of(thread, pace)).contains("replies may have waited for it"));
  thread.paced.spun = milliseconds(800);  // most of it was only to be awake
  EXPECT_FALSE(bottleneck_text(phase_of(thread, pace)).contains("replies may have waited for it"));

  thread.paced.queued = 7;
  thread.paced.never_left = 3;
  EXPECT_TRUE(
      bottleneck_text(phase_of(thread, pace)).contains("7.00 % of the requests waited because no connection had room"));

  for (int i = 0; i < 100; ++i) {
    thread.paced.late_ns.record(90'000);
  }
  EXPECT_TRUE(phase_of(thread, pace).was_generator_late());
  EXPECT_TRUE(bottleneck_text(phase_of(thread, pace)).contains("by its own fault"));
}

TEST(Report, SaysWhatASearchFound) {
  KneeReport knee{.p99_max_us = 500, .knee_per_s = 1000, .failed_per_s = 1030, .trials = 9, .is_precise = true};
  EXPECT_EQ(knee_text(knee), "knee: p99 stays within 500 us up to 1000 requests/s, and no longer at 1030 (9 trials).");
  knee.is_bound_by_generator = true;
  EXPECT_TRUE(knee_text(knee).contains("The generator set the upper end"));
  knee.is_precise = false;
  EXPECT_TRUE(knee_text(knee).contains("--knee-trials"));
  knee.knee_per_s = 0;
  EXPECT_EQ(knee_text(knee), "knee: no rate down to 1030/s kept p99 within 500 us.");
}

TEST(Report, TheLiveLineSaysHowItGoes) {
  TimePoint point{.begin_s = 3, .length_s = 1, .requests = 1234, .keys_asked = 1000, .hits = 900};
  point.p50_us = 10;
  point.p99_us = 20;
  point.p999_us = 30;
  const Step closed{.mode = Mode::Get, .round = 2, .pace = {}};
  EXPECT_EQ(live_text(closed, point, 0),
            "get 2      4 s        1234 requests/s  hits 0.9000  p50 10.0  p99 20.0  p99.9 30.0 us");
  const Step open{.mode = Mode::Get, .round = 2, .pace = Pace{.rate_per_s = 2000}};
  EXPECT_TRUE(live_text(open, point, 0).contains("1234 of 2000 requests/s"));
  EXPECT_TRUE(live_text(open, point, 5).contains("FAILURES 5"));
}

TEST(Report, ThePageHoldsTheResultAndNothingFromElsewhere) {
  WholeReport report = whole_report(two_loops());
  report.server.add("note", "</script><b>");
  const std::string page = page_text(report);
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_FALSE(page.contains("@@"));
  EXPECT_FALSE(page.contains("</script><b>")) << "text of others cannot end the script";
  EXPECT_FALSE(page.contains("src=") || page.contains("<link") || page.contains("@import") || page.contains("url("));
  const std::string open = "id=\"result\">";
  const std::size_t begin = page.find(open) + open.size();
  const auto json = Json::parse(page.substr(begin, page.find("</script>", begin) - begin));
  ASSERT_TRUE(json);
  EXPECT_EQ((*json)["server"]["note"].string(), "</script><b>");
  EXPECT_EQ((*json)["phases"].array().size(), 2U);
}

/// A result of one phase: `latencies` in intervals of one second each, opened at `opened_unix_ms`.
WholeReport result_of(const std::vector<std::vector<std::int64_t>>& seconds_of_latencies, std::int64_t opened_unix_ms,
                      const char* host) {
  WholeReport report;
  report.started_unix_ms = opened_unix_ms - 250;
  report.server.add("address", "memory");
  report.generators = {Json().add("host", host).add("interval_s", 1.0).add("connections", std::uint64_t{4})};
  PhaseResult thread;
  PhaseReport phase;
  phase.mode = Mode::Get;
  phase.opened_s = 0.25;
  phase.pace = Pace{.rate_per_s = 10};
  thread.window = seconds(static_cast<std::int64_t>(seconds_of_latencies.size()));
  thread.is_complete = true;
  double begin = 0;
  for (const auto& latencies : seconds_of_latencies) {
    TimePoint point{.begin_s = begin++, .length_s = 1, .requests = latencies.size()};
    Histogram histogram;
    for (const std::int64_t latency : latencies) {
      histogram.record(latency);
      thread.latency_ns.record(Operation::Get, latency);
      ++thread.tally.requests;
      ++thread.tally.of(Operation::Get).requests;
    }
    point.set_latency(histogram);
    phase.timeline.push_back(point);
  }
  phase.add(thread, 1);
  report.run.phases = {phase};
  return report;
}

TEST(Merge, IsTheSameAsIfAllHadBeenMeasuredByOne) {
  Prng prng(test_seed());
  std::vector<std::vector<std::int64_t>> a(4);
  std::vector<std::vector<std::int64_t>> b(4);
  Histogram all;
  std::vector<Histogram> by_second(5);
  for (int i = 0; i < 3000; ++i) {
    const auto latency = static_cast<std::int64_t>(prng.next() >> (34 + prng.below(20)));
    const std::size_t second = prng.below(4);
    const bool is_of_a = prng.below(2) == 0;
    (is_of_a ? a : b)[second].push_back(latency);
    all.record(latency);
    by_second[is_of_a ? second : second + 1].record(latency);  // B began a second later
  }
  const auto merged = merge({result_of(a, 1'700'000'000'250, "east"), result_of(b, 1'700'000'001'240, "west")});
  ASSERT_TRUE(merged) << merged.error().what;
  const PhaseReport& phase = merged->run.phases[0];
  EXPECT_EQ(phase.tally.requests, 3000U);
  EXPECT_EQ(phase.latency_ns.buckets(), all.buckets());
  EXPECT_EQ(phase.latency_ns.max(), all.max());
  EXPECT_EQ(phase.pace->rate_per_s, 20);
  EXPECT_EQ(phase.requests_per_s(), 750);
  ASSERT_EQ(phase.timeline.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(phase.timeline[i].begin_s, static_cast<double>(i));
    Histogram histogram;
    ASSERT_TRUE(add_hdr_text(phase.timeline[i].latency_hdr, histogram));
    EXPECT_EQ(histogram.buckets(), by_second[i].buckets()) << i;
  }
  ASSERT_EQ(phase.workers.size(), 2U);
  EXPECT_EQ(phase.workers[1].host, "west");
  EXPECT_EQ(merged->generators.size(), 2U);
  ASSERT_EQ(merged->notes.size(), 1U) << "three of four seconds are not together enough";
  EXPECT_TRUE(merged->notes[0].contains("the hosts ran together for only"));
  EXPECT_TRUE(table_text(*merged).contains(merged->notes[0]));
}

TEST(Merge, TakesResultsOfTheSamePhasesOnly) {
  const WholeReport one = result_of({{1000}}, 1'700'000'000'000, "east");
  EXPECT_TRUE(merge({one, one})->notes.empty());
  EXPECT_EQ(to_json(*merge({one})).text(), to_json(one).text());
  WholeReport other = one;
  other.run.phases[0].mode = Mode::Set;
  EXPECT_FALSE(merge({one, other}));
  other = one;
  other.run.phases[0].pace.reset();
  EXPECT_FALSE(merge({one, other}));
  other = one;
  other.run.phases.push_back(one.run.phases[0]);
  EXPECT_FALSE(merge({one, other}));
  other = one;
  other.run.knee = KneeReport{};
  EXPECT_FALSE(merge({one, other}));
  other = one;
  other.run.phases[0].timeline[0].latency_hdr = "broken";
  EXPECT_FALSE(merge({one, other}));
  other = one;
  other.server = Json().add("address", "elsewhere");
  EXPECT_EQ(merge({one, other})->notes.size(), 1U);
}

TEST(Compare, ShowsRatiosAndWhatDiffers) {
  const WholeReport a = result_of({{1'000'000, 1'000'000}}, 1'700'000'000'000, "east");
  WholeReport b = result_of({{2'000'000, 2'000'000, 2'000'000}}, 1'700'000'000'000, "east");
  b.server.add("version", "9.9").add("settings", Json().add("threads", "4"));
  b.generators = {Json().add("host", "east").add("interval_s", 1.0).add("connections", std::uint64_t{8})};
  const std::string text = compare_text(a, "a.json", b, "b.json");
  const auto has_line = [&](std::initializer_list<const char*> words) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::size_t at = 0;
      for (const char* const word : words) {
        at = at == std::string::npos ? at : line.find(word, at);
      }
      if (at != std::string::npos) {
        return true;
      }
    }
    return false;
  };
  EXPECT_TRUE(has_line({"requests/s", "2", "3", "1.500"})) << text;
  EXPECT_TRUE(has_line({"p99 us", "1000.0", "2000.0", "2.000"})) << text;
  EXPECT_TRUE(has_line({"generator.connections", "4", "8"})) << text;
  EXPECT_TRUE(has_line({"server.version", "(none)", "9.9"})) << text;
  EXPECT_TRUE(has_line({"server.settings.threads", "(none)", "4"})) << text;
  EXPECT_FALSE(has_line({"generator.host"})) << "the same on both sides";
  EXPECT_TRUE(compare_text(a, "a", a, "a").contains("The configurations are the same."));
  b.run.phases[0].mode = Mode::Set;
  EXPECT_TRUE(compare_text(a, "a", b, "b").contains("1 phases of A and 1 of B have no counterpart."));
}

/// A unix socket on which one connection is answered with `answer`, and then left open.
Json facts_when_answered(const std::string& answer, Duration patience) {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("millrace_facts_" + std::to_string(getpid()))).string();
  std::filesystem::remove(path);
  const auto server = dataplane::Endpoint::unix_path(path);
  EXPECT_TRUE(server);
  const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  EXPECT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&server->address), server->address_bytes), 0);
  EXPECT_EQ(listen(listener, 1), 0);
  Json facts;
  {
    const std::jthread answerer([&] {
      const int connection = accept(listener, nullptr, nullptr);
      std::array<char, 256> asked;
      EXPECT_GT(recv(connection, asked.data(), asked.size(), 0), 0);
      EXPECT_EQ(send(connection, answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
      recv(connection, asked.data(), asked.size(), 0);  // until the other end goes
      close(connection);
    });
    facts = server_facts(*server, patience);
  }
  close(listener);
  std::filesystem::remove(path);
  return facts;
}

TEST(ServerFacts, AreItsVersionAndSettings) {
  const Json facts =
      facts_when_answered("VERSION 1.6.41\r\nSTAT maxbytes 67108864\r\nSTAT odd a b \x01\r\nEND\r\n", seconds(10));
  EXPECT_EQ(facts["version"].string(), "1.6.41");
  EXPECT_EQ(facts["settings"]["maxbytes"].string(), "67108864");
  EXPECT_EQ(facts["settings"]["odd"].string(), "a b ?");
  EXPECT_TRUE(facts["unanswered"].is_null());
}

TEST(ServerFacts, OfAnyOtherServerAreThatItDidNotSay) {
  for (const char* const answer : {"-ERR unknown command\r\n", "CLIENT_ERROR unauthenticated\r\n"}) {
    EXPECT_EQ(facts_when_answered(answer, seconds(10))["unanswered"].string(), "It answered with something else.");
  }
  EXPECT_EQ(facts_when_answered("VERSION 1", milliseconds(50))["unanswered"].string(), "It did not answer in time.");
  const Json refused = server_facts(*dataplane::Endpoint::unix_path("/nowhere/at/all"), seconds(10));
  EXPECT_FALSE(refused["unanswered"].string().empty());
  EXPECT_EQ(refused["address"].string(), "/nowhere/at/all");
}

TEST(Knee, ASearchRunsItsTrialsAndReportsEach) {
  Options options = small({Mode::Fill, Mode::Get});
  options.finds_knee = true;
  options.rate_per_s = 2000;
  options.p99_max_us = 1e9;  // no trial fails for its latency
  options.knee_trials_max = 5;
  options.requests.reset();
  options.seconds = 0.03;
  std::vector<std::uint32_t> rounds;
  TestRun run(options);
  const RunReport report =
      run.with_hooks({.on_phase = [&](const PhaseReport& phase) { rounds.push_back(phase.round); }}).go();
  ASSERT_TRUE(report.knee);
  EXPECT_GE(report.knee->trials, 2U);
  EXPECT_LE(report.knee->trials, 5U);
  ASSERT_EQ(report.phases.size(), report.knee->trials + 1) << "the fill and the trials; the first rate was given";
  EXPECT_FALSE(report.phases[0].verdict || report.phases[0].pace);
  EXPECT_EQ(report.phases[1].pace->rate_per_s, 2000);
  EXPECT_TRUE(std::ranges::all_of(report.phases.begin() + 1, report.phases.end(),
                                  [](const PhaseReport& phase) { return phase.pace && phase.verdict; }));
  EXPECT_EQ(rounds.size(), report.phases.size());
  EXPECT_EQ(rounds.back(), report.knee->trials);
}

TEST(Knee, WithoutAFirstRateAClosedLoopGivesIt) {
  Options options = small({Mode::Get});
  options.finds_knee = true;
  options.p99_max_us = 1e9;
  options.knee_trials_max = 1;
  options.requests.reset();
  options.seconds = 0.03;
  const RunReport report = TestRun(options).go();
  ASSERT_EQ(report.phases.size(), 2U);
  EXPECT_FALSE(report.phases[0].pace);
  EXPECT_NEAR(report.phases[1].pace->rate_per_s, 0.7 * report.phases[0].requests_per_s(), 1);
}

TEST(Knee, ASearchEndsWithItsConnections) {
  Options options = small({Mode::Get});
  options.finds_knee = true;
  options.rate_per_s = 2000;
  options.requests = 200;  // a count, so that no clock can end the trial before the server does
  const RunReport report = TestRun(options, Fault::Reset, 20).go();
  EXPECT_EQ(report.phases.size(), 1U);
  EXPECT_EQ(report.phases[0].verdict, KneeVerdict::Failed);
  EXPECT_EQ(report.knee->knee_per_s, 0);
}

}  // namespace
}  // namespace millrace::load
