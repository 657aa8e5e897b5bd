// millrace-load: parse, run, report, exit code. 0: all went well; 1: errors, in the run or before it; 2: wrong usage;
// 130: interrupted.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <utility>

#include "bench/load/clock_model.h"
#include "bench/load/generator.h"
#include "bench/load/options.h"
#include "bench/load/report.h"
#include "bench/load/trace.h"
#include "bench/load/workload.h"
#include "bench/load/workload_options.h"
#include "dataplane/api/endpoint.h"
#include "dataplane/uring/uring_transport.h"

namespace millrace::load {
namespace {

// A signal handler reaches nothing else.
std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

/// The first interrupt ends the run with a report; a second one ends the process.
void stop_on_interrupt() {
  struct sigaction action{};
  action.sa_handler = [](int) { g_stop = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

Result<dataplane::Endpoint> find_server(const Options& options) {
  if (!options.unix_path.empty()) {
    return dataplane::Endpoint::unix_path(options.unix_path);
  }
  auto found = dataplane::Endpoint::resolve(options.host, options.port);
  if (!found) {
    return std::unexpected(found.error());
  }
  if (found->empty()) {
    return fail(fmt::format("{} stands for no address.", options.host));
  }
  return found->front();
}

Result<std::unique_ptr<dataplane::Transport>> make_transport(std::uint32_t connections) {
  uring::UringOptions settings;
  settings.connections_max = connections;
  settings.receive_buffers = std::clamp(std::bit_ceil(connections * 4), 256U, 4096U);
  auto made = uring::UringTransport::create(settings);
  if (!made) {
    return std::unexpected(made.error());
  }
  return std::unique_ptr<dataplane::Transport>(std::move(*made));
}

/// The model on the records that were replayed. Nothing when they are not the first ones of the trace.
std::optional<ModelReport> model(const Options& options, const Trace& trace, const PhaseReport& phase) {
  if (options.model_memory_bytes == 0 || (options.threads > 1 && !phase.is_complete)) {
    return std::nullopt;
  }
  ClockModel clock(options.model_memory_bytes, trace.keys, options.key_sizes.max());
  for (std::uint64_t i = 0; i < phase.records_replayed; ++i) {
    clock.replay(trace.records[i]);
  }
  return ModelReport{.memory_bytes = options.model_memory_bytes,
                     .gets = clock.gets(),
                     .hits = clock.hits(),
                     .hit_ratio = clock.hit_ratio()};
}

Result<void> print(const WholeReport& report, const Options& options) {
  if (options.json_path != "-") {
    fmt::print("{}", table_text(report, options));
  }
  if (options.json_path == "-") {
    fmt::print("{}", json_text(report, options));
  } else if (!options.json_path.empty()) {
    std::ofstream file(options.json_path);
    file << json_text(report, options);
    file.close();
    if (!file) {
      return fail(fmt::format("The report could not be written to {}.", options.json_path));
    }
  }
  return {};
}

Result<WholeReport> run(const Options& options) {
  Trace trace;
  if (options.is_replay()) {
    auto read = read_trace(options.trace_path, options.requests.value_or(UINT64_MAX));
    if (!read) {
      return std::unexpected(read.error());
    }
    trace = std::move(*read);
  }
  const auto workload = make_workload(options, options.is_replay() ? &trace : nullptr);
  if (!workload) {
    return std::unexpected(workload.error());
  }
  const auto server = find_server(options);
  if (!server) {
    return std::unexpected(server.error());
  }
  stop_on_interrupt();
  Generator generator(options, *workload, *server, options.is_replay() ? &trace : nullptr,
                      [](std::uint32_t, std::uint32_t connections) { return make_transport(connections); });
  auto ran = generator.run(g_stop);
  if (!ran) {
    return std::unexpected(ran.error());
  }
  WholeReport report{.run = std::move(*ran), .server = server->text(), .model = {}, .was_interrupted = g_stop};
  if (options.is_replay()) {
    report.model = model(options, trace, report.run.phases.front());
  }
  return report;
}

}  // namespace
}  // namespace millrace::load

int main(int argc, char** argv) {
  using namespace millrace::load;
  const auto parsed = parse_options(argc, argv);
  if (!parsed) {
    fmt::print(stderr, "millrace-load: {}\n", parsed.error().what);
    return 2;
  }
  if (!parsed->options) {
    fmt::print("{}", parsed->text);
    return 0;
  }
  const auto report = run(*parsed->options);
  if (!report) {
    fmt::print(stderr, "millrace-load: {}\n", report.error().what);
    return 1;
  }
  if (const auto printed = print(*report, *parsed->options); !printed) {
    fmt::print(stderr, "millrace-load: {}\n", printed.error().what);
    return 1;
  }
  if (report->was_interrupted) {
    return 130;
  }
  for (const auto& phase : report->run.phases) {
    if (!phase.is_complete) {
      return 1;
    }
  }
  return report->run.failures.total() == 0 ? 0 : 1;
}
