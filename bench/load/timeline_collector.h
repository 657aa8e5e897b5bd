// Brings the threads' intervals of one phase together, second by second, while the phase runs. A point is ready when
// every thread has gone past it. Owned and used by the collecting thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "bench/load/interval_exchange.h"
#include "bench/load/phase_report.h"

namespace millrace::load {

/// Is told of each point as soon as it is ready: its latencies by operation, and the failures of the run until then.
using PointHook =
    std::function<void(const TimePoint& point, const OperationLatencies& latency_ns, std::uint64_t failures)>;

class TimelineCollector {
 public:
  TimelineCollector(std::uint32_t threads, Duration interval, PointHook on_point);

  void add(const Interval& interval);
  /// No more comes from this thread.
  void end_thread(std::uint32_t thread);

  [[nodiscard]] std::vector<TimePoint> take() { return std::move(points_); }

 private:
  struct Gathering {
    Duration length{};
    Tally tally;
    OperationLatencies latency_ns;
  };
  void emit_ready();

  Duration interval_;
  PointHook on_point_;
  std::map<std::uint64_t, Gathering> gathering_;  ///< by index
  std::vector<std::uint64_t> reached_;            ///< by thread: everything below is in
  std::vector<std::uint64_t> failures_;           ///< by thread
  std::vector<TimePoint> points_;
};

}  // namespace millrace::load
