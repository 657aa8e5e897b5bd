// A run's result, complete: what was measured, on what, against what, as configured how. What every form of the report
// shows, and what is read back from JSON to be compared and merged. Plain values, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/phase_report.h"
#include "bench/load/report/json.h"

namespace millrace::load {

/// What a replay's hit ratio is held against.
struct ModelReport {
  std::uint64_t memory_bytes = 0;
  std::uint64_t gets = 0;
  std::uint64_t hits = 0;
  double hit_ratio = 0;
};

struct WholeReport {
  RunReport run;
  std::int64_t started_unix_ms = 0;
  Json server;                   ///< see server_facts()
  std::vector<Json> generators;  ///< see generator_facts(); several where results are merged
  Json workload;                 ///< see describe_workload()
  std::optional<ModelReport> model;
  bool was_interrupted = false;
  std::vector<std::string> notes;  ///< sentences of a merge
};

}  // namespace millrace::load
