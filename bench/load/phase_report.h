// A phase of a run, all threads together: what the reports show, and what is written down to be compared and merged.
// Plain values; made by whoever collects, on one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/knee_search.h"
#include "bench/load/phase.h"
#include "bench/load/schedule.h"

namespace millrace::load {

/// One interval of the window, usually a second. Its histogram is kept as text, a thirtieth of the size.
struct TimePoint {
  double begin_s = 0;  ///< since the window opened
  double length_s = 0;
  std::uint64_t requests = 0;
  std::uint64_t keys_asked = 0;
  std::uint64_t hits = 0;
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  std::string latency_hdr{};  ///< of all operations, see hdr_codec.h

  void set_latency(const Histogram& latency_ns);
  [[nodiscard]] double requests_per_s() const noexcept {
    return length_s <= 0 ? 0 : static_cast<double>(requests) / length_s;
  }
  [[nodiscard]] double hit_ratio() const noexcept {
    return keys_asked == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(keys_asked);
  }
};

/// One load thread.
struct WorkerReport {
  std::string host{};  ///< only where the results of several are merged
  std::uint64_t requests = 0;
  double requests_per_s = 0;
  double core_share = 0;    ///< of the window that the thread ran on a core, without mere waiting in a spin
  double waited_share = 0;  ///< of the window that it was ready to run and had no core
  double p50_us = 0;
  double p99_us = 0;
};

struct PhaseReport {
  Mode mode = Mode::Get;
  std::uint32_t round = 1;
  std::optional<Pace> pace;            ///< nothing: a closed loop
  std::optional<KneeVerdict> verdict;  ///< of a trial of the search for the knee
  double opened_s = 0;                 ///< the window, since the run began
  Duration window{};                   ///< the longest of the threads'
  Tally tally;
  Histogram latency_ns;              ///< of all operations
  OperationLatencies latency_ns_of;  ///< of each
  PacedCounts paced;
  double core_share_max = 0;  ///< of the busiest thread
  double core_share_mean = 0;
  double waited_share_max = 0;
  std::uint64_t records_replayed = 0;
  bool is_complete = true;
  std::vector<WorkerReport> workers;
  std::vector<TimePoint> timeline;

  /// Of each thread once; `threads` is how many there are.
  void add(const PhaseResult& thread, std::uint32_t threads);

  [[nodiscard]] double requests_per_s() const noexcept;
  [[nodiscard]] double keys_per_s() const noexcept;  ///< asked for or stored
  /// The threads had no time left: the server may be faster than this.
  [[nodiscard]] bool is_bound_by_generator() const noexcept { return core_share_max + waited_share_max >= 0.9; }
  /// Open loop: what shows as latency is to a good part the generator's own delay.
  [[nodiscard]] bool was_generator_late() const noexcept;
};

/// What `--find-knee` found.
struct KneeReport {
  double p99_max_us = 0;
  double knee_per_s = 0;    ///< 0: no rate passed
  double failed_per_s = 0;  ///< 0: no rate failed
  std::uint32_t trials = 0;
  bool is_precise = false;
  bool is_bound_by_generator = false;
};

struct RunReport {
  std::vector<PhaseReport> phases;
  Failures failures;
  std::optional<KneeReport> knee;
};

}  // namespace millrace::load
