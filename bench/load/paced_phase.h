// An open-loop phase: each request leaves when it is due, whatever became of the ones before it, and its latency counts
// from then. Run by one load thread; used once.
//
// A request that is due while no connection has room waits in the schedule: nothing of its waiting is left out (no
// "coordinated omission"). At the end of the time, what never left is counted with the time it has waited, which is
// less than its latency would have been, and what is in flight is waited for.
// Whose fault is waiting? While no connection has room it is the server's; from the moment one has, the generator's.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/time.h"
#include "bench/load/client_set.h"
#include "bench/load/measured_window.h"
#include "bench/load/operation_mix.h"
#include "bench/load/phase.h"
#include "bench/load/schedule.h"

namespace millrace::load {

struct PacedPlan {
  std::optional<Duration> length{};         ///< of the window after the warm-up
  std::optional<std::uint64_t> requests{};  ///< of this thread, after the warm-up; with neither: until stopped
  Idling idling = Idling::Near;
};

class PacedPhase {
 public:
  /// A mix for each of the clients' doors.
  PacedPhase(ClientSet& clients, std::vector<OperationMix> mixes, const Schedule& schedule, const PacedPlan& plan,
             MeasuredWindow& window);

  PhaseResult run(const std::atomic<bool>& stop);

 private:
  void take_in_ready();
  void leave_due();
  [[nodiscard]] ClientConnection* connection_with_room();
  [[nodiscard]] bool has_more() const noexcept;
  void wait();
  void give_up_due(Instant end);

  ClientSet* clients_;
  std::vector<OperationMix> mixes_;
  Schedule schedule_;
  PacedPlan plan_;
  MeasuredWindow* window_;
  std::deque<ClientConnection*> with_room_;  ///< the one that waits longest is asked next
  std::vector<bool> is_listed_;              ///< by slot: in with_room_
  std::uint64_t left_ = UINT64_MAX;          ///< requests yet to leave
  bool is_blocked_ = false;                  ///< something due found no room
  Instant blocked_until_{};
  PhaseResult result_;
};

}  // namespace millrace::load
