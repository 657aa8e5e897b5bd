// millrace-load: parse, run, report, exit code. 0: all went well; 1: errors, in the run or before it; 2: wrong usage;
// 130: interrupted. `compare` and `merge` as first word work on results that are already there.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "bench/load/clock_model.h"
#include "bench/load/generator.h"
#include "bench/load/options.h"
#include "bench/load/report/facts.h"
#include "bench/load/report/hdr_log.h"
#include "bench/load/report/live_line.h"
#include "bench/load/report/report_file.h"
#include "bench/load/report/sentences.h"
#include "bench/load/report/subcommands.h"
#include "bench/load/trace.h"
#include "bench/load/workload.h"
#include "bench/load/workload_options.h"
#include "dataplane/api/endpoint.h"
#include "dataplane/nic/nic.h"
#include "dataplane/uring/uring_transport.h"
#include "protocol/udp_frame.h"

namespace millrace::load {
namespace {

// A signal handler reaches nothing else.
std::atomic<bool> g_stop = false;
static_assert(std::atomic<bool>::is_always_lock_free);

constexpr Duration kFactsPatience = seconds(2);
constexpr Duration kLinkPatience = seconds(10);
constexpr std::size_t kDatagramBytesMax = 65507;  // of UDP over IPv4 (RFC 768, RFC 791)

/// For people and for results of other hosts: nothing is timed with it.
std::int64_t unix_ms_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

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
  found->front().is_datagram = options.uses_udp;
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

/// The card and who looks after it; null without --nic.
struct Card {
  std::unique_ptr<nic::Nic> nic;
  std::jthread ticker;  ///< ends before the card

  static Result<Card> open(const Options& options) {
    Card card;
    if (options.nic.empty()) {
      return card;
    }
    nic::NicOptions wanted{.port = options.nic,
                           .addresses = options.nic_addresses,
                           .gateways = options.nic_gateways,
                           .vlan = options.nic_vlan,
                           .mtu = options.nic_mtu,
                           .seed = options.seed,
                           .log = [](bool is_error, std::string_view line) {
                             if (is_error) {
                               fmt::print(stderr, "DPDK: {}\n", line);
                             }
                           }};
    wanted.cpus.assign(options.cores.begin(), options.cores.begin() + options.threads);
    auto opened = nic::Nic::open(wanted);
    if (!opened) {
      return std::unexpected(opened.error());
    }
    card.nic = std::move(*opened);
    if (auto linked = card.nic->wait_for_link(kLinkPatience); !linked) {
      return std::unexpected(linked.error());
    }
    card.ticker = std::jthread([nic = card.nic.get()](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        (void)nic->tick();  // a card that is gone makes requests unanswered, which is reported
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    });
    return card;
  }

  Result<std::unique_ptr<dataplane::Transport>> transport(std::uint32_t thread, std::uint32_t connections) {
    if (nic == nullptr) {
      return make_transport(connections);
    }
    // Of this thread, for as long as it lives: behind its transport.
    thread_local std::unique_ptr<nic::ThreadOfDpdk> in_dpdk;
    in_dpdk = nic->enter_thread();
    auto made = nic->transport(static_cast<std::uint16_t>(thread), {.connections_max = connections});
    if (!made) {
      return std::unexpected(made.error());
    }
    return std::move(*made);
  }
};

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

/// What is seen and written while the run goes on.
class Watch {
 public:
  static Result<std::unique_ptr<Watch>> create(const Options& options, std::int64_t started_unix_ms) {
    std::optional<HdrLog> log;
    if (!options.hdr_path.empty()) {
      auto created = HdrLog::create(options.hdr_path, started_unix_ms);
      if (!created) {
        return std::unexpected(created.error());
      }
      log = std::move(*created);
    }
    return std::unique_ptr<Watch>(new Watch(options, std::move(log)));
  }

  RunHooks hooks() {
    return {.on_begin = [this](const Step&, double opens_s) { opens_s_ = opens_s; },
            .on_point = [this](const Step& step, const TimePoint& point, const OperationLatencies& latency_ns,
                               std::uint64_t failures) { show(step, point, latency_ns, failures); },
            .on_phase = [this](const PhaseReport& phase) { show(phase); }};
  }

  /// Says whether all could be written.
  Result<void> finish() { return log_ ? log_->finish() : Result<void>{}; }

 private:
  Watch(const Options& options, std::optional<HdrLog> log)
      : line_(isatty(STDERR_FILENO) == 1),
        is_live_(options.shows_live || isatty(STDERR_FILENO) == 1),
        log_(std::move(log)) {}

  void show(const Step& step, const TimePoint& point, const OperationLatencies& latency_ns, std::uint64_t failures) {
    if (is_live_) {
      line_.show(live_text(step, point, failures));
    }
    if (log_) {
      log_->add(opens_s_ + point.begin_s, point.length_s, latency_ns);
    }
  }
  void show(const PhaseReport& phase) {
    line_.wipe();
    if (phase.verdict) {
      fmt::print(stderr, "{}\n", trial_text(phase));
    }
  }

  LiveLine line_;
  bool is_live_;
  std::optional<HdrLog> log_;
  double opens_s_ = 0;  ///< the window of the phase, since the run began
};

Result<WholeReport> run(const Options& options) {
  Trace trace;
  if (options.is_replay()) {
    auto read = read_trace(options.trace_path, options.requests.value_or(UINT64_MAX));
    if (!read) {
      return std::unexpected(read.error());
    }
    trace = std::move(*read);
    if (options.replay_speed && trace.times.empty()) {
      return fail(fmt::format("The trace {} has no times to replay it at (--replay-speed).", options.trace_path));
    }
  }
  const auto workload = make_workload(options, options.is_replay() ? &trace : nullptr);
  if (!workload) {
    return std::unexpected(workload.error());
  }
  const std::size_t largest =
      protocol::kUdpHeaderBytes + RequestWriter(*workload).bytes_max(1, workload->value_text.largest());
  if (options.uses_udp && largest > kDatagramBytesMax) {
    return fail(
        fmt::format("--udp puts a request into one datagram, at most {} bytes; with the largest value it would "
                    "have up to {}: lower --value-bytes.",
                    kDatagramBytesMax, largest));
  }
  const auto server = find_server(options);
  if (!server) {
    return std::unexpected(server.error());
  }
  auto card = Card::open(options);
  if (!card) {
    return std::unexpected(card.error());
  }
  WholeReport report{.run = {},
                     .started_unix_ms = unix_ms_now(),
                     .server = card->nic == nullptr ? server_facts(*server, kFactsPatience)
                                                    : server_facts_beyond(*server, options.nic),
                     .generators = {generator_facts(options)},
                     .workload = workload_facts(options),
                     .model = {},
                     .was_interrupted = false,
                     .notes = {}};
  auto watch = Watch::create(options, report.started_unix_ms);
  if (!watch) {
    return std::unexpected(watch.error());
  }
  stop_on_interrupt();
  Generator generator(
      options, *workload, *server, options.is_replay() ? &trace : nullptr,
      [&card](std::uint32_t thread, std::uint32_t connections) { return card->transport(thread, connections); },
      (*watch)->hooks());
  auto ran = generator.run(g_stop);
  if (!ran) {
    return std::unexpected(ran.error());
  }
  report.run = std::move(*ran);
  report.was_interrupted = g_stop;
  if (auto finished = (*watch)->finish(); !finished) {
    return std::unexpected(finished.error());
  }
  if (options.is_replay()) {
    report.model = model(options, trace, report.run.phases.front());
  }
  return report;
}

int run_command(int argc, const char* const* argv) {
  const auto parsed = parse_options(argc, argv);
  if (!parsed) {
    fmt::print(stderr, "millrace-load: {}\n", parsed.error().what);
    return 2;
  }
  if (!parsed->options) {
    fmt::print("{}", parsed->text);
    return 0;
  }
  const Options& options = *parsed->options;
  const auto report = run(options);
  if (!report) {
    fmt::print(stderr, "millrace-load: {}\n", report.error().what);
    return 1;
  }
  if (const auto written = write_report(*report, options.json_path, options.html_path); !written) {
    fmt::print(stderr, "millrace-load: {}\n", written.error().what);
    return 1;
  }
  if (report->was_interrupted) {
    return 130;
  }
  const bool is_complete = std::ranges::all_of(report->run.phases, &PhaseReport::is_complete);
  return is_complete && report->run.failures.total() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::load

int main(int argc, char** argv) {
  using namespace millrace::load;
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "compare") {
    return compare_command(argc - 1, argv + 1);
  }
  if (first == "merge") {
    return merge_command(argc - 1, argv + 1);
  }
  return run_command(argc, argv);
}
