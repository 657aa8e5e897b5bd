// A closed-loop phase: every connection has `depth` requests in flight all the time, drawn from an operation mix, until
// the time is up or the count is reached. Run by one load thread; used once.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "bench/load/client_set.h"
#include "bench/load/measured_window.h"
#include "bench/load/operation_mix.h"
#include "bench/load/phase.h"

namespace millrace::load {

struct SteadyPlan {
  std::optional<Duration> length{};         ///< of the window after the warm-up
  std::optional<std::uint64_t> requests{};  ///< of this thread, after the warm-up; with neither: until stopped
};

class SteadyPhase {
 public:
  /// A mix for each of the clients' doors.
  SteadyPhase(ClientSet& clients, std::vector<OperationMix> mixes, const SteadyPlan& plan, MeasuredWindow& window);

  PhaseResult run(const std::atomic<bool>& stop);

 private:
  void refill(ClientConnection& connection);
  [[nodiscard]] bool write_one(ClientConnection& connection);
  [[nodiscard]] bool is_stuck();

  ClientSet* clients_;
  std::vector<OperationMix> mixes_;
  SteadyPlan plan_;
  MeasuredWindow* window_;
  std::uint64_t left_ = UINT64_MAX;  ///< requests yet to be written
};

}  // namespace millrace::load
