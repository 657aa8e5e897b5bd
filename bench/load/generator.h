// Runs the phases of a run on all load threads and brings their results together.
// Each thread makes its own transport (it may belong to the thread), its own connections and its own random sequence;
// they meet only at the gate before each phase. The thread that calls run() says what comes next, and collects. The
// merged results belong to the caller.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "bench/load/aim_map.h"
#include "bench/load/interval_exchange.h"
#include "bench/load/options.h"
#include "bench/load/phase_report.h"
#include "bench/load/run_plan.h"
#include "bench/load/trace.h"
#include "bench/load/workload.h"
#include "dataplane/api/transport.h"

namespace millrace::load {

/// Makes thread `i`'s transport, with room for so many connections; called on that thread.
using TransportFactory =
    std::function<Result<std::unique_ptr<dataplane::Transport>>(std::uint32_t thread, std::uint32_t connections)>;

/// What can be seen while the run goes on; called on the thread of Generator::run. Each may be empty.
struct RunHooks {
  /// The step's window opens so many seconds after the run began.
  std::function<void(const Step&, double opens_s)> on_begin{};
  std::function<void(const Step&, const TimePoint&, const OperationLatencies&, std::uint64_t failures)> on_point{};
  std::function<void(const PhaseReport&)> on_phase{};
};

class Generator {
 public:
  /// All outlive the generator; `trace` is null unless the mode is replay.
  Generator(const Options& options, const Workload& workload, const dataplane::Endpoint& server, const Trace* trace,
            TransportFactory make_transport, RunHooks hooks = {});

  /// Blocks until all is done or `stop` was set. An error means that nothing was run.
  Result<RunReport> run(const std::atomic<bool>& stop);

 private:
  /// A step that all threads run at once.
  struct Order {
    Step step;
    std::uint32_t index = 0;  ///< of the run's steps
    Instant begin{};
  };
  struct Thread;
  class Gate;

  void run_thread(std::uint32_t thread, Gate& gate, Thread& own, const std::atomic<bool>& stop);
  /// --aim: who owns which key, and that this thread can ask all of them.
  Result<AimMap> find_owners(std::uint32_t thread, dataplane::Transport& transport) const;
  PhaseResult run_step(const Order& order, std::uint32_t thread, class ClientSet& clients, const AimMap* aim,
                       const std::atomic<bool>& stop);
  /// Waits for all threads' results of the step; `failures` becomes what the whole run had until its end.
  PhaseReport collect(const Step& step, std::uint64_t& failures);
  [[nodiscard]] Duration warmup_of(const Step& step) const noexcept;
  [[nodiscard]] std::uint32_t connections_of(std::uint32_t thread) const noexcept;

  const Options& options_;
  const Workload& workload_;
  const dataplane::Endpoint& server_;
  const Trace* trace_;
  TransportFactory make_transport_;
  RunHooks hooks_;
  IntervalExchange exchange_;
};

}  // namespace millrace::load
