// Says what a run brought: a table for people, JSON for scripts. Cold; main thread.
#pragma once

#include <string>

#include "bench/load/generator.h"
#include "bench/load/options.h"

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
  std::string server;  ///< its address
  std::optional<ModelReport> model;
  bool was_interrupted = false;
};

[[nodiscard]] std::string table_text(const WholeReport& report, const Options& options);
[[nodiscard]] std::string json_text(const WholeReport& report, const Options& options);

}  // namespace millrace::load
