// The measured part of a phase on one load thread: opens when the warm-up is over, hands over what was counted interval
// by interval, and closes with the sum. Owned by the thread, used for one phase.
#pragma once

#include <cstdint>

#include "base/time.h"
#include "bench/load/client_set.h"
#include "bench/load/core_usage.h"
#include "bench/load/interval_exchange.h"
#include "bench/load/phase.h"

namespace millrace::load {

struct WindowPlan {
  std::uint32_t thread = 0;
  Instant opens{};  ///< the same for all threads of a phase, so that their intervals are the same
  Duration interval = seconds(1);
};

class MeasuredWindow {
 public:
  /// Both outlive this.
  MeasuredWindow(ClientSet& clients, IntervalExchange& exchange, const WindowPlan& plan)
      : clients_(&clients), exchange_(&exchange), plan_(plan) {}

  /// Once a turn. True: the window has opened just now.
  bool tick();
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }
  [[nodiscard]] Instant opens() const noexcept { return plan_.opens; }
  /// Since it opened.
  [[nodiscard]] Duration age() const noexcept { return is_open_ ? clients_->now() - opened_ : Duration{}; }

  /// Fills in what the window held; one that never opened held nothing. What is answered later is counted apart.
  void close(PhaseResult& result);

 private:
  void open();
  void hand_over();

  ClientSet* clients_;
  IntervalExchange* exchange_;
  WindowPlan plan_;
  bool is_open_ = false;
  Instant opened_{};
  Instant interval_began_{};
  Instant interval_ends_{};
  std::uint64_t index_ = 0;
  CoreUsage usage_at_open_{};
  Tally tally_{};
  OperationLatencies latency_ns_{};
};

}  // namespace millrace::load
