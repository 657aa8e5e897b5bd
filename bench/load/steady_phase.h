// A closed-loop phase: every connection has `depth` requests in flight all the time, drawn from a key sequence, until
// the time is up or the count is reached. Run by one load thread; used once.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "bench/load/client_set.h"
#include "bench/load/key_sequence.h"
#include "bench/load/phase.h"
#include "bench/load/prng.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct SteadyPlan {
  Mode mode = Mode::Get;
  Duration warmup{};
  std::optional<Duration> length{};         ///< of the window after the warm-up
  std::optional<std::uint64_t> requests{};  ///< of this thread, after the warm-up; with neither: until stopped
  double get_share = 0.9;                   ///< Mix
  std::uint32_t keys_per_get = 1;           ///< MultiGet
  std::uint32_t ttl_s = 0;
  std::uint64_t seed = 1;
};

class SteadyPhase {
 public:
  SteadyPhase(ClientSet& clients, const Workload& workload, KeySequence keys, const SteadyPlan& plan);

  PhaseResult run(const std::atomic<bool>& stop);

 private:
  void refill(ClientConnection& connection);
  [[nodiscard]] bool write_one(ClientConnection& connection);
  void open_window();
  void close_window();

  ClientSet* clients_;
  const Workload* workload_;
  KeySequence keys_;
  SteadyPlan plan_;
  Prng prng_;
  std::vector<std::uint64_t> asked_;  ///< keys of the request being written
  std::uint64_t left_ = UINT64_MAX;   ///< requests yet to be written
  Instant opened_{};
  CoreUsage usage_at_open_{};
  PhaseResult result_;
};

}  // namespace millrace::load
