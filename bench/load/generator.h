// Runs the phases of a run on all load threads and brings their results together.
// Each thread makes its own transport (it may belong to the thread), its own connections and its own random sequence;
// they meet only at the barrier before each phase. The merged results belong to the caller.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "bench/load/options.h"
#include "bench/load/phase.h"
#include "bench/load/tally.h"
#include "bench/load/trace.h"
#include "bench/load/workload.h"
#include "dataplane/api/transport.h"

namespace millrace::load {

/// A phase, all threads together.
struct PhaseReport {
  Mode mode = Mode::Get;
  std::uint32_t round = 1;
  Duration window{};  ///< the longest of the threads'
  Tally tally;
  Histogram latency_ns;              ///< of all operations
  OperationLatencies latency_ns_of;  ///< of each
  double core_share_max = 0;         ///< of the window that the busiest thread ran on a core
  double core_share_mean = 0;
  double waited_share_max = 0;  ///< of the window that a thread was ready to run and had no core
  std::uint64_t records_replayed = 0;
  bool is_complete = true;

  void add(const PhaseResult& thread, std::uint32_t threads);
  [[nodiscard]] double requests_per_s() const noexcept;
  [[nodiscard]] double keys_per_s() const noexcept;  ///< asked for or stored
  /// The threads had no time left: the server may be faster than this.
  [[nodiscard]] bool is_bound_by_generator() const noexcept { return core_share_max + waited_share_max >= 0.9; }
};

struct RunReport {
  std::vector<PhaseReport> phases;
  Failures failures;
};

/// Makes thread `i`'s transport, with room for so many connections; called on that thread.
using TransportFactory =
    std::function<Result<std::unique_ptr<dataplane::Transport>>(std::uint32_t thread, std::uint32_t connections)>;

class Generator {
 public:
  /// All outlive the generator; `trace` is null unless the mode is replay.
  Generator(const Options& options, const Workload& workload, const dataplane::Endpoint& server, const Trace* trace,
            TransportFactory make_transport);

  /// Blocks until all is done or `stop` was set. An error means that nothing was run.
  Result<RunReport> run(const std::atomic<bool>& stop);

 private:
  struct Step {
    Mode mode;
    std::uint32_t round;
  };
  struct ThreadOutcome;
  class PhaseGate;

  void run_thread(std::uint32_t thread, PhaseGate& gate, ThreadOutcome& outcome, const std::atomic<bool>& stop) const;
  PhaseResult run_step(const Step& step, std::uint32_t index, std::uint32_t thread, class ClientSet& clients,
                       const std::atomic<bool>& stop) const;
  [[nodiscard]] std::uint32_t connections_of(std::uint32_t thread) const noexcept;

  const Options& options_;
  const Workload& workload_;
  const dataplane::Endpoint& server_;
  const Trace* trace_;
  TransportFactory make_transport_;
  std::vector<Step> steps_;
};

}  // namespace millrace::load
