// How what load threads count gets to the thread that collects it, while the run goes on: each thread hands over an
// Interval when it has ended, and takes an empty one in its place. A Mutex, because it is held for a pointer's move and
// taken once an interval; the collector empties what it gives back, so that a load thread never clears or allocates.
// Used by all load threads and the one collector.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"
#include "bench/load/phase.h"
#include "bench/load/tally.h"

namespace millrace::load {

/// What one thread counted in one interval of its window.
struct Interval {
  std::uint32_t thread = 0;
  std::uint64_t index = 0;  ///< from the opening of the window
  Duration length{};
  Tally tally{};
  OperationLatencies latency_ns{};
  std::uint64_t failures = 0;  ///< of the thread's whole run so far
};

class IntervalExchange {
 public:
  explicit IntervalExchange(std::uint32_t threads);

  // Load threads.
  [[nodiscard]] std::unique_ptr<Interval> take_empty();
  void give(std::unique_ptr<Interval> interval);
  /// The thread's phase has ended; all its intervals were given before.
  void give_result(std::uint32_t thread, PhaseResult result);

  // The collector.
  struct Delivery {
    std::vector<std::unique_ptr<Interval>> intervals;
    std::vector<std::pair<std::uint32_t, PhaseResult>> results;
  };
  /// Waits until something is there.
  [[nodiscard]] Delivery wait();
  void give_back(std::unique_ptr<Interval> interval);

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  Delivery arriving_;
  std::vector<std::unique_ptr<Interval>> empty_;
};

}  // namespace millrace::load
