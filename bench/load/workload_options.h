// The part of the command line that says what is asked: its words, what follows from them, and how a result says it.
// Cold; main thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "bench/load/client_connection.h"
#include "bench/load/operation_mix.h"
#include "bench/load/options.h"
#include "bench/load/trace.h"
#include "bench/load/workload.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace millrace::load {

/// Words of the command line that are more than a number. Lives until they are parsed.
struct WorkloadWords {
  std::string protocol = "text";
  std::string key_bytes = "30";
  std::string value_bytes = "64";
  std::string mix;
  bool insists_on_mix = false;  ///< it was given for this run, and not by a scenario
  double get_share = 0.9;
  std::string zipf;
  std::string hot_spot;
  bool is_sequential = false;
  std::string ttl = "0";
};

void add_workload_options(CLI::App& app, Options& options, WorkloadWords& words);
/// Puts the words into `options`, and refuses what does not go together.
Result<void> complete_workload(Options& options, const WorkloadWords& words);

/// `trace` is null unless the mode is replay.
[[nodiscard]] Result<Workload> make_workload(const Options& options, const Trace* trace);
[[nodiscard]] MixPlan mix_plan(const Options& options, Mode mode, std::uint64_t seed);
[[nodiscard]] ConnectionSettings connection_settings(const Options& options);

/// What is asked for, in words that a result can print: name and value of each setting that has a part in it.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe_workload(const Options& options);

}  // namespace millrace::load
