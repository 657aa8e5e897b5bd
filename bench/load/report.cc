#include "bench/load/report.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "base/bytes_text.h"

namespace millrace::load {
namespace {

double microseconds_of(std::uint64_t ns) { return static_cast<double>(ns) * 1e-3; }
double seconds_of(Duration d) { return static_cast<double>(d.ns) * 1e-9; }

std::array<std::pair<const char*, std::uint64_t>, 8> failure_counts(const Failures& failures) {
  return {{{"connect", failures.connect},
           {"closed", failures.closed},
           {"reset", failures.reset},
           {"timeouts", failures.timeouts},
           {"protocol", failures.protocol},
           {"verification", failures.verification},
           {"error_replies", failures.error_replies},
           {"lost_requests", failures.lost_requests}}};
}

void append_row(std::string& out, const PhaseReport& phase) {
  const auto quantile = [&](double share) { return microseconds_of(phase.latency_ns.quantile(share)); };
  const std::string hit_ratio =
      phase.tally.keys_asked == 0 ? std::string("-") : fmt::format("{:.4f}", phase.tally.hit_ratio());
  fmt::format_to(
      std::back_inserter(out),
      "{:<9}{:>5}{:>9.2f}{:>12}{:>12.0f}{:>12.0f}{:>9}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.1f}{:>11.1f}{:>7.0f}%\n",
      mode_name(phase.mode), phase.round, seconds_of(phase.window), phase.tally.requests, phase.requests_per_s(),
      phase.keys_per_s(), hit_ratio, quantile(0.5), quantile(0.9), quantile(0.99), quantile(0.999),
      microseconds_of(phase.latency_ns.max()), 100 * phase.core_share_max);
}

/// A sentence on who had no time left.
void append_bottleneck(std::string& out, const PhaseReport& phase) {
  if (phase.tally.requests == 0) {
    return;
  }
  if (phase.is_bound_by_generator()) {
    fmt::format_to(
        std::back_inserter(out),
        "{} round {}: the generator was the bottleneck: its busiest thread ran {:.0f} % of the time and waited "
        "for a core {:.0f} %. The server may be faster than this; give it more --threads and --cores.\n",
        mode_name(phase.mode), phase.round, 100 * phase.core_share_max, 100 * phase.waited_share_max);
  } else {
    fmt::format_to(std::back_inserter(out),
                   "{} round {}: the generator was idle {:.0f} % of the time: the server or the "
                   "network between was the bottleneck.\n",
                   mode_name(phase.mode), phase.round, 100 * (1 - phase.core_share_max));
  }
}

void append_replay(std::string& out, const WholeReport& report) {
  const PhaseReport& phase = report.run.phases.front();
  fmt::format_to(std::back_inserter(out),
                 "replay: {} records, {} gets, {} hits, hit ratio {:.4f}, {} sets ({} not stored), {} protocol errors, "
                 "{} error replies\n",
                 phase.records_replayed, phase.tally.keys_asked, phase.tally.hits, phase.tally.hit_ratio(),
                 phase.tally.stores().requests, phase.tally.stores().refused, report.run.failures.protocol,
                 report.run.failures.error_replies);
  if (report.model) {
    fmt::format_to(std::back_inserter(out),
                   "model:  2-bit CLOCK in {}, no size classes: {} gets, {} hits, hit ratio {:.4f}; measured - model: "
                   "{:+.4f}\n",
                   bytes_text(report.model->memory_bytes), report.model->gets, report.model->hits,
                   report.model->hit_ratio, phase.tally.hit_ratio() - report.model->hit_ratio);
  }
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void append_json_phase(std::string& out, const PhaseReport& phase) {
  const auto quantile = [&](double share) { return microseconds_of(phase.latency_ns.quantile(share)); };
  fmt::format_to(
      std::back_inserter(out),
      R"({{"mode":"{}","round":{},"seconds":{:.6f},"complete":{},"requests":{},"requests_per_s":{:.1f},)"
      R"("keys_per_s":{:.1f},"keys_asked":{},"hits":{},"misses":{},"hit_ratio":{:.6f},"sets":{},"stored":{},)"
      R"("not_stored":{},"value_bytes":{},"latency_us":{{"mean":{:.3f},"p50":{:.3f},"p90":{:.3f},"p99":{:.3f},)"
      R"("p999":{:.3f},"max":{:.3f}}},"generator_core_share":{:.4f},"generator_core_share_mean":{:.4f},)"
      R"("generator_waited_share":{:.4f},"generator_was_bottleneck":{},"records_replayed":{}}})",
      mode_name(phase.mode), phase.round, seconds_of(phase.window), phase.is_complete, phase.tally.requests,
      phase.requests_per_s(), phase.keys_per_s(), phase.tally.keys_asked, phase.tally.hits, phase.tally.misses(),
      phase.tally.hit_ratio(), phase.tally.stores().requests, phase.tally.stores().done, phase.tally.stores().refused,
      phase.tally.value_bytes, phase.latency_ns.mean() * 1e-3, quantile(0.5), quantile(0.9), quantile(0.99),
      quantile(0.999), microseconds_of(phase.latency_ns.max()), phase.core_share_max, phase.core_share_mean,
      phase.waited_share_max, phase.is_bound_by_generator(), phase.records_replayed);
}

}  // namespace

std::string table_text(const WholeReport& report, const Options& options) {
  std::string out = fmt::format("{}, {} connections, {} in flight each, {} threads\n", report.server,
                                options.connections, options.depth, options.threads);
  fmt::format_to(std::back_inserter(out), "{:<9}{:>5}{:>9}{:>12}{:>12}{:>12}{:>9}{:>10}{:>10}{:>10}{:>10}{:>11}{:>8}\n",
                 "mode", "round", "seconds", "requests", "requests/s", "keys/s", "hits", "p50 us", "p90 us", "p99 us",
                 "p99.9 us", "max us", "core");
  for (const PhaseReport& phase : report.run.phases) {
    append_row(out, phase);
  }
  for (const PhaseReport& phase : report.run.phases) {
    append_bottleneck(out, phase);
  }
  if (options.is_replay()) {
    append_replay(out, report);
  }
  if (report.was_interrupted) {
    out += "Interrupted: the figures are of the time until then.\n";
  }
  if (report.run.failures.total() > 0) {
    out += "FAILED:";
    for (const auto& [name, count] : failure_counts(report.run.failures)) {
      if (count > 0) {
        fmt::format_to(std::back_inserter(out), " {} {}", count, name);
      }
    }
    fmt::format_to(std::back_inserter(out), "\nThe first: {}\n", report.run.failures.first);
  }
  return out;
}

std::string json_text(const WholeReport& report, const Options& options) {
  std::string out = fmt::format(
      R"({{"program":"millrace-load","server":{},"threads":{},"connections":{},"depth":{},"keys":{},"seed":{},"interrupted":{},"phases":[)",
      json_string(report.server), options.threads, options.connections, options.depth, options.keys, options.seed,
      report.was_interrupted);
  for (std::size_t i = 0; i < report.run.phases.size(); ++i) {
    out += i == 0 ? "" : ",";
    append_json_phase(out, report.run.phases[i]);
  }
  out += "],\"failures\":{";
  for (const auto& [name, count] : failure_counts(report.run.failures)) {
    fmt::format_to(std::back_inserter(out), "\"{}\":{},", name, count);
  }
  fmt::format_to(std::back_inserter(out), "\"total\":{},\"first\":{}}}", report.run.failures.total(),
                 json_string(report.run.failures.first));
  if (report.model) {
    fmt::format_to(std::back_inserter(out), R"(,"model":{{"memory_bytes":{},"gets":{},"hits":{},"hit_ratio":{:.6f}}})",
                   report.model->memory_bytes, report.model->gets, report.model->hits, report.model->hit_ratio);
  }
  return out + "}\n";
}

}  // namespace millrace::load
