#include "bench/load/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <barrier>
#include <optional>
#include <thread>
#include <utility>

#include "base/affinity.h"
#include "base/clock.h"
#include "bench/load/ask_aim.h"
#include "bench/load/client_set.h"
#include "bench/load/measured_window.h"
#include "bench/load/paced_phase.h"
#include "bench/load/replay_phase.h"
#include "bench/load/steady_phase.h"
#include "bench/load/timeline_collector.h"
#include "bench/load/workload_options.h"

namespace millrace::load {
namespace {

constexpr Duration kAimPatience = seconds(2);
constexpr Duration kLead = milliseconds(2);  // so that every thread is there when a step begins

Duration from_seconds(double s) { return {static_cast<std::int64_t>(s * 1e9)}; }

/// Share `index` of `total` divided among `count`: the first ones get one more. Returns [first, first + size).
std::pair<std::uint64_t, std::uint64_t> share(std::uint64_t total, std::uint32_t index, std::uint32_t count) {
  const std::uint64_t each = total / count;
  const std::uint64_t more = total % count;
  return {index * each + std::min<std::uint64_t>(index, more), each + (index < more ? 1 : 0)};
}

}  // namespace

/// What a thread leaves behind.
struct Generator::Thread {
  std::optional<Error> error;  ///< it could not begin
  std::optional<AimMap> aim;   ///< --aim
  Failures failures;
};

/// Where the threads meet whoever says what comes next: when ready, and before each step.
class Generator::Gate {
 public:
  explicit Gate(std::uint32_t threads) : barrier_(threads + 1) {}

  void report_failure() noexcept { has_failed_ = true; }
  /// All are ready; false: some thread could not begin, so none does.
  bool pass_ready() {
    barrier_.arrive_and_wait();
    return !has_failed_;
  }
  /// Nothing: the run is over.
  void say(std::optional<Order> order) {
    order_ = order;
    barrier_.arrive_and_wait();
  }
  std::optional<Order> hear() {
    barrier_.arrive_and_wait();
    return order_;
  }

 private:
  std::atomic<bool> has_failed_ = false;
  std::optional<Order> order_;  ///< not said anew before all have given the results of the last
  std::barrier<> barrier_;
};

Generator::Generator(const Options& options, const Workload& workload, const dataplane::Endpoint& server,
                     const Trace* trace, TransportFactory make_transport, RunHooks hooks)
    : options_(options),
      workload_(workload),
      server_(server),
      trace_(trace),
      make_transport_(std::move(make_transport)),
      hooks_(std::move(hooks)),
      exchange_(options.threads) {}

std::uint32_t Generator::connections_of(std::uint32_t thread) const noexcept {
  return static_cast<std::uint32_t>(share(options_.connections, thread, options_.threads).second);
}

Result<RunReport> Generator::run(const std::atomic<bool>& stop) {
  Gate gate(options_.threads);
  std::vector<Thread> outcomes(options_.threads);
  RunReport report;
  {
    std::vector<std::jthread> threads;
    threads.reserve(options_.threads);
    for (std::uint32_t i = 0; i < options_.threads; ++i) {
      threads.emplace_back([this, i, &gate, &own = outcomes[i], &stop] { run_thread(i, gate, own, stop); });
    }
    if (gate.pass_ready()) {
      RunPlan plan(options_);
      SystemClock clock;
      const Instant began = clock.now();
      std::uint32_t index = 0;
      auto step = plan.next();
      while (step) {
        const Instant begin = clock.now() + kLead;
        const double opens_s = static_cast<double>((begin + warmup_of(*step) - began).ns) * 1e-9;
        if (hooks_.on_begin) {
          hooks_.on_begin(*step, opens_s);
        }
        gate.say(Order{.step = *step, .index = index++, .begin = begin});
        std::uint64_t failures = 0;
        PhaseReport phase = collect(*step, failures);
        phase.opened_s = opens_s;
        plan.note(phase, failures);
        if (hooks_.on_phase) {
          hooks_.on_phase(phase);
        }
        report.phases.push_back(std::move(phase));
        step = stop ? std::nullopt : plan.next();
      }
      gate.say(std::nullopt);
      report.knee = plan.knee();
    }
  }
  for (const Thread& outcome : outcomes) {
    if (outcome.error) {
      return std::unexpected(*outcome.error);
    }
    report.failures.merge(outcome.failures);
  }
  return report;
}

Duration Generator::warmup_of(const Step& step) const noexcept {
  return step.mode == Mode::Fill || step.mode == Mode::Replay ? Duration{} : from_seconds(options_.warmup_s);
}

PhaseReport Generator::collect(const Step& step, std::uint64_t& failures) {
  PhaseReport phase;
  phase.mode = step.mode;
  phase.round = step.round;
  phase.pace = step.pace;
  TimelineCollector timeline(options_.threads, from_seconds(options_.interval_s),
                             [&](const TimePoint& point, const OperationLatencies& latency_ns, std::uint64_t seen) {
                               if (hooks_.on_point) {
                                 hooks_.on_point(step, point, latency_ns, seen);
                               }
                             });
  std::vector<PhaseResult> results(options_.threads);
  for (std::uint32_t missing = options_.threads; missing > 0;) {
    auto delivery = exchange_.wait();
    for (auto& interval : delivery.intervals) {
      timeline.add(*interval);
      exchange_.give_back(std::move(interval));
    }
    for (auto& [thread, result] : delivery.results) {
      timeline.end_thread(thread);
      results[thread] = std::move(result);
      --missing;
    }
  }
  for (const PhaseResult& result : results) {
    phase.add(result, options_.threads);
    failures += result.failures;
  }
  phase.timeline = timeline.take();
  return phase;
}

void Generator::run_thread(std::uint32_t thread, Gate& gate, Thread& own, const std::atomic<bool>& stop) {
  std::unique_ptr<dataplane::Transport> transport;
  if (!options_.cores.empty()) {
    if (auto pinned = pin_this_thread(options_.cores[thread]); !pinned) {
      own.error = pinned.error();
    }
  }
  if (!own.error) {
    if (auto made = make_transport_(thread, connections_of(thread))) {
      transport = std::move(*made);
    } else {
      own.error = made.error();
    }
  }
  if (!own.error && options_.aims) {
    if (auto found = find_owners(thread, *transport)) {
      own.aim = *found;
    } else {
      own.error = found.error();
    }
  }
  if (own.error) {
    gate.report_failure();
  }
  if (!gate.pass_ready()) {
    return;
  }
  SystemClock clock;
  ClientSet clients(*transport, clock, from_seconds(options_.timeout_s));
  std::vector<dataplane::Endpoint> doors(own.aim ? own.aim->workers : 1, server_);
  for (std::uint32_t worker = 0; own.aim && worker < own.aim->workers; ++worker) {
    doors[worker].set_port(own.aim->port_of(worker));
  }
  const AimMap* const aim = own.aim ? &*own.aim : nullptr;
  ConnectionSettings settings = connection_settings(options_);
  settings.aim = aim;
  clients.connect(doors, connections_of(thread), workload_, settings, stop);
  while (const auto order = gate.hear()) {
    PhaseResult result = run_step(*order, thread, clients, aim, stop);
    result.failures = clients.stats().failures.total();
    exchange_.give_result(thread, std::move(result));
  }
  clients.close();
  own.failures = clients.stats().failures;
}

Result<AimMap> Generator::find_owners(std::uint32_t thread, dataplane::Transport& transport) const {
  SystemClock clock;
  auto map = ask_aim_map(transport, clock, server_, kAimPatience);
  if (!map) {
    return map;
  }
  if (connections_of(thread) < map->workers) {
    return fail(fmt::format("--aim: {} threads with a socket to each of {} workers need {} --connections, not {}.",
                            options_.threads, map->workers, std::uint64_t{options_.threads} * map->workers,
                            options_.connections));
  }
  const bool counts =
      std::ranges::count(options_.modes, Mode::Mix) > 0 && options_.mix[static_cast<std::size_t>(Operation::Incr)] > 0;
  if (auto checked = check_owners(*map, workload_.key_text, options_.keys, counts); !checked) {
    return std::unexpected(checked.error());
  }
  return map;
}

PhaseResult Generator::run_step(const Order& order, std::uint32_t thread, ClientSet& clients, const AimMap* aim,
                                const std::atomic<bool>& stop) {
  const Step& step = order.step;
  do {
    clients.poll(std::max(Duration{}, order.begin - clients.now()));
  } while (clients.now() < order.begin);
  MeasuredWindow window(
      clients, exchange_,
      {.thread = thread, .opens = order.begin + warmup_of(step), .interval = from_seconds(options_.interval_s)});
  if (step.mode == Mode::Replay) {
    return ReplayPhase(clients, *trace_,
                       {.thread = thread,
                        .threads = options_.threads,
                        .ttl_s = options_.ttl_s_min,
                        .begin = order.begin,
                        .speed = options_.replay_speed,
                        .rate_per_s = options_.rate_per_s},
                       window)
        .run(stop);
  }
  const std::uint64_t seed = mix64(options_.seed + (std::uint64_t{thread} << 32) + (std::uint64_t{order.index} << 48));
  // A mix for each door. None of two draws the same.
  const auto mixes = [&](const KeyPlan& keys, std::uint64_t first, std::uint64_t count, std::uint64_t draws_max) {
    std::vector<OperationMix> all;
    for (std::uint32_t door = 0; door < (aim != nullptr ? aim->workers : 1); ++door) {
      const std::uint64_t own_seed = door == 0 ? seed : mix64(seed + door);
      MixPlan mix = mix_plan(options_, step.mode, own_seed);
      mix.aim = aim;
      mix.worker = door;
      mix.draws_max = draws_max;
      all.emplace_back(workload_, KeySequence(keys, first, count, own_seed), mix);
    }
    return all;
  };
  SteadyPlan plan;
  if (step.mode == Mode::Fill) {
    const auto [first, count] = share(options_.keys, thread, options_.threads);
    if (count == 0) {
      return PhaseResult{.is_complete = true};  // fewer keys than threads
    }
    plan.requests = count;
    return SteadyPhase(clients, mixes({.order = KeyOrder::Sequential}, first, count, count), plan, window).run(stop);
  }
  if (options_.seconds) {
    plan.length = from_seconds(*options_.seconds);
  }
  if (options_.requests) {
    plan.requests = share(*options_.requests, thread, options_.threads).second;
  }
  auto all = mixes(options_.key_plan, 0, options_.keys, UINT64_MAX);
  if (step.pace) {
    return PacedPhase(clients, std::move(all), Schedule(*step.pace, thread, options_.threads, order.begin, seed),
                      {.length = plan.length, .requests = plan.requests, .idling = options_.idling}, window)
        .run(stop);
  }
  return SteadyPhase(clients, std::move(all), plan, window).run(stop);
}

}  // namespace millrace::load
