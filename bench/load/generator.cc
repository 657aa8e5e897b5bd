#include "bench/load/generator.h"

#include <algorithm>
#include <barrier>
#include <optional>
#include <thread>
#include <utility>

#include "base/affinity.h"
#include "base/clock.h"
#include "bench/load/client_set.h"
#include "bench/load/replay_phase.h"
#include "bench/load/steady_phase.h"

namespace millrace::load {
namespace {

Duration from_seconds(double s) { return {static_cast<std::int64_t>(s * 1e9)}; }

OperationWeights weights_of(Mode mode, const Options& options) {
  switch (mode) {
    case Mode::Fill:
    case Mode::Set:
      return only(Operation::Set);
    case Mode::MultiGet:
      return only(Operation::MultiGet);
    case Mode::Mix: {
      OperationWeights weights{};
      weights[static_cast<std::size_t>(Operation::Get)] = options.get_share;
      weights[static_cast<std::size_t>(Operation::Set)] = 1 - options.get_share;
      return weights;
    }
    case Mode::Get:
    case Mode::Replay:
      break;
  }
  return only(Operation::Get);
}

/// Share `index` of `total` divided among `count`: the first ones get one more. Returns [first, first + size).
std::pair<std::uint64_t, std::uint64_t> share(std::uint64_t total, std::uint32_t index, std::uint32_t count) {
  const std::uint64_t each = total / count;
  const std::uint64_t more = total % count;
  return {index * each + std::min<std::uint64_t>(index, more), each + (index < more ? 1 : 0)};
}

}  // namespace

struct Generator::ThreadOutcome {
  std::optional<Error> error;  ///< it could not begin
  std::vector<PhaseResult> phases;
  Failures failures;
};

/// Where the threads meet: after making ready, and before each phase.
class Generator::PhaseGate {
 public:
  explicit PhaseGate(std::uint32_t threads) : barrier_(threads) {}
  void report_failure() noexcept { has_failed_ = true; }
  /// False: some thread could not begin, so none does.
  bool pass() {
    barrier_.arrive_and_wait();
    return !has_failed_;
  }

 private:
  std::atomic<bool> has_failed_ = false;
  std::barrier<> barrier_;
};

void PhaseReport::add(const PhaseResult& thread, std::uint32_t threads) {
  window = std::max(window, thread.window);
  tally.merge(thread.tally);
  latency_ns.merge(thread.latency_ns.all());
  latency_ns_of.merge(thread.latency_ns);
  if (thread.window.ns > 0) {
    const auto whole = static_cast<double>(thread.window.ns);
    const double ran = static_cast<double>(thread.usage.ran_ns) / whole;
    core_share_max = std::max(core_share_max, ran);
    core_share_mean += ran / threads;
    waited_share_max = std::max(waited_share_max, static_cast<double>(thread.usage.waited_ns) / whole);
  }
  records_replayed += thread.records_replayed;
  is_complete = is_complete && thread.is_complete;
}

double PhaseReport::requests_per_s() const noexcept {
  return window.ns <= 0 ? 0 : static_cast<double>(tally.requests) * 1e9 / static_cast<double>(window.ns);
}

double PhaseReport::keys_per_s() const noexcept {
  return window.ns <= 0
             ? 0
             : static_cast<double>(tally.keys_asked + tally.stores().requests) * 1e9 / static_cast<double>(window.ns);
}

Generator::Generator(const Options& options, const Workload& workload, const dataplane::Endpoint& server,
                     const Trace* trace, TransportFactory make_transport)
    : options_(options),
      workload_(workload),
      server_(server),
      trace_(trace),
      make_transport_(std::move(make_transport)) {
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    for (const Mode mode : options.modes) {
      if (mode != Mode::Fill || round == 1) {
        steps_.push_back({mode, round});
      }
    }
  }
}

std::uint32_t Generator::connections_of(std::uint32_t thread) const noexcept {
  return static_cast<std::uint32_t>(share(options_.connections, thread, options_.threads).second);
}

Result<RunReport> Generator::run(const std::atomic<bool>& stop) {
  PhaseGate gate(options_.threads);
  std::vector<ThreadOutcome> outcomes(options_.threads);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t i = 0; i < options_.threads; ++i) {
      threads.emplace_back([this, i, &gate, &outcome = outcomes[i], &stop] { run_thread(i, gate, outcome, stop); });
    }
  }
  RunReport report;
  for (const ThreadOutcome& outcome : outcomes) {
    if (outcome.error) {
      return std::unexpected(*outcome.error);
    }
    report.failures.merge(outcome.failures);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    PhaseReport phase;
    phase.mode = steps_[i].mode;
    phase.round = steps_[i].round;
    for (const ThreadOutcome& outcome : outcomes) {
      phase.add(outcome.phases[i], options_.threads);
    }
    report.phases.push_back(std::move(phase));
  }
  return report;
}

void Generator::run_thread(std::uint32_t thread, PhaseGate& gate, ThreadOutcome& outcome,
                           const std::atomic<bool>& stop) const {
  std::unique_ptr<dataplane::Transport> transport;
  if (!options_.cores.empty()) {
    if (auto pinned = pin_this_thread(options_.cores[thread]); !pinned) {
      outcome.error = pinned.error();
    }
  }
  if (!outcome.error) {
    if (auto made = make_transport_(thread, connections_of(thread))) {
      transport = std::move(*made);
    } else {
      outcome.error = made.error();
    }
  }
  if (outcome.error) {
    gate.report_failure();
  }
  if (!gate.pass()) {
    return;
  }
  SystemClock clock;
  ClientSet clients(*transport, clock, from_seconds(options_.timeout_s));
  const bool is_replay = options_.is_replay();
  clients.connect(server_, connections_of(thread), workload_,
                  {.depth = options_.depth,
                   .keys_per_get = std::ranges::count(options_.modes, Mode::MultiGet) > 0 ? options_.keys_per_get : 1,
                   .verifies = options_.verifies,
                   .verifies_sizes = !is_replay,
                   .reads_through = is_replay},
                  stop);
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    gate.pass();
    outcome.phases.push_back(run_step(steps_[i], i, thread, clients, stop));
  }
  clients.close();
  outcome.failures = clients.stats().failures;
}

PhaseResult Generator::run_step(const Step& step, std::uint32_t index, std::uint32_t thread, ClientSet& clients,
                                const std::atomic<bool>& stop) const {
  if (step.mode == Mode::Replay) {
    return ReplayPhase(clients, *trace_, {.thread = thread, .threads = options_.threads, .ttl_s = options_.ttl_s})
        .run(stop);
  }
  const std::uint64_t seed = mix64(options_.seed + (std::uint64_t{thread} << 32) + (std::uint64_t{index} << 48));
  const MixPlan mix{.weights = weights_of(step.mode, options_),
                    .keys_per_get = step.mode == Mode::MultiGet ? options_.keys_per_get : 1,
                    .ttl_s = options_.ttl_s,
                    .seed = seed};
  const auto run_steady = [&](const KeySequence& keys, const SteadyPlan& plan) {
    return SteadyPhase(clients, OperationMix(workload_, keys, mix), plan).run(stop);
  };
  SteadyPlan plan;
  if (step.mode == Mode::Fill) {
    const auto [first, count] = share(options_.keys, thread, options_.threads);
    if (count == 0) {
      return PhaseResult{.is_complete = true};  // fewer keys than threads
    }
    plan.requests = count;
    return run_steady(KeySequence(KeyOrder::Sequential, 0, first, count, seed), plan);
  }
  plan.warmup = from_seconds(options_.warmup_s);
  if (options_.seconds) {
    plan.length = from_seconds(*options_.seconds);
  }
  if (options_.requests) {
    plan.requests = share(*options_.requests, thread, options_.threads).second;
  }
  return run_steady(KeySequence(options_.order, options_.zipf_exponent, 0, options_.keys, seed), plan);
}

}  // namespace millrace::load
