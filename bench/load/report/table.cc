#include "bench/load/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/bytes_text.h"
#include "bench/load/report/sentences.h"

namespace millrace::load {
namespace {

double microseconds_of(std::uint64_t ns) { return static_cast<double>(ns) * 1e-3; }
double seconds_of(Duration d) { return static_cast<double>(d.ns) * 1e-9; }

std::string head_text(const WholeReport& report) {
  std::string out = report.server["address"].string();
  if (const std::string version = report.server["version"].string(); !version.empty()) {
    out += fmt::format(" ({})", version);
  }
  for (const Json& generator : report.generators) {
    fmt::format_to(std::back_inserter(out), ", {} connections, {} in flight each, {} threads",
                   generator["connections"].whole(), generator["depth"].whole(), generator["threads"].whole());
    if (report.generators.size() > 1) {
      out += " of " + generator["host"].string();
    }
  }
  out += '\n';
  for (const auto& [name, words] : report.workload.object()) {
    out += (out.back() == '\n' ? "" : ", ") + name + " " + words.string();
  }
  return out + '\n';
}

/// The columns, left to right; those of an open loop only where there is one.
std::string heading(bool has_pace) {
  return fmt::format("{:<9}{:>5}{:>9}{:>12}{}{:>12}{:>12}{:>9}{:>10}{:>10}{:>10}{:>10}{:>11}{:>8}\n", "mode", "round",
                     "seconds", "requests", has_pace ? fmt::format("{:>12}", "due/s") : "", "requests/s", "keys/s",
                     "hits", "p50 us", "p90 us", "p99 us", "p99.9 us", "max us", "core");
}

std::string row(const PhaseReport& phase, bool has_pace) {
  const auto quantile = [&](double share) { return microseconds_of(phase.latency_ns.quantile(share)); };
  const std::string hit_ratio =
      phase.tally.keys_asked == 0 ? std::string("-") : fmt::format("{:.4f}", phase.tally.hit_ratio());
  const std::string due = !has_pace    ? ""
                          : phase.pace ? fmt::format("{:>12.0f}", phase.pace->rate_per_s)
                                       : fmt::format("{:>12}", "-");
  return fmt::format(
      "{:<9}{:>5}{:>9.2f}{:>12}{}{:>12.0f}{:>12.0f}{:>9}{:>10.1f}{:>10.1f}{:>10.1f}{:>10.1f}{:>11.1f}{:>7.0f}%\n",
      phase.verdict ? "trial" : mode_name(phase.mode), phase.round, seconds_of(phase.window), phase.tally.requests, due,
      phase.requests_per_s(), phase.keys_per_s(), hit_ratio, quantile(0.5), quantile(0.9), quantile(0.99),
      quantile(0.999), microseconds_of(phase.latency_ns.max()), 100 * phase.core_share_max);
}

/// One line an operation, when a phase asked more than one kind.
std::string operation_rows(const PhaseReport& phase) {
  std::string out;
  std::size_t kinds = 0;
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    const OperationTally& tally = phase.tally.of(operation);
    const Histogram& latency_ns = phase.latency_ns_of.of(operation);
    if (tally.requests == 0) {
      continue;
    }
    ++kinds;
    fmt::format_to(std::back_inserter(out),
                   "  {:<9}{} requests, {} done, {} refused, {} missed; p50 {:.1f} us, p99 {:.1f} us, max {:.1f} us\n",
                   operation_name(operation), tally.requests, tally.done, tally.refused, tally.missed,
                   microseconds_of(latency_ns.quantile(0.5)), microseconds_of(latency_ns.quantile(0.99)),
                   microseconds_of(latency_ns.max()));
  }
  return kinds > 1 ? out : "";
}

std::string replay_text(const WholeReport& report) {
  const PhaseReport& phase = report.run.phases.front();
  std::string out = fmt::format(
      "replay: {} records, {} gets, {} hits, hit ratio {:.4f}, {} sets ({} not stored), {} protocol errors, {} error "
      "replies\n",
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
  return out;
}

std::string failures_text(const Failures& failures) {
  if (failures.total() == 0) {
    return "";
  }
  std::string out = "FAILED:";
  for (const auto& [name, count] : kFailureKinds) {
    if (failures.*count > 0) {
      fmt::format_to(std::back_inserter(out), " {} {}", failures.*count, name);
    }
  }
  return out + fmt::format("\nThe first: {}\n", failures.first);
}

}  // namespace

std::string table_text(const WholeReport& report) {
  const auto& phases = report.run.phases;
  const bool has_pace = std::ranges::any_of(phases, [](const PhaseReport& phase) { return phase.pace.has_value(); });
  std::string out = head_text(report) + heading(has_pace);
  for (const PhaseReport& phase : phases) {
    out += row(phase, has_pace);
    out += operation_rows(phase);
  }
  for (const PhaseReport& phase : phases) {
    if (phase.tally.aimed > 0) {
      fmt::format_to(std::back_inserter(out),
                     "{} round {}: {} of {} requests went to the worker that owns their key.\n", mode_name(phase.mode),
                     phase.round, phase.tally.aimed, phase.tally.requests);
    }
    if (const std::string sentence = bottleneck_text(phase); !sentence.empty() && !phase.verdict) {
      fmt::format_to(std::back_inserter(out), "{} round {}: {}\n", mode_name(phase.mode), phase.round, sentence);
    }
  }
  if (report.run.knee) {
    out += knee_text(*report.run.knee) + '\n';
  }
  if (!phases.empty() && phases.front().mode == Mode::Replay) {
    out += replay_text(report);
  }
  for (const std::string& note : report.notes) {
    out += note + '\n';
  }
  if (report.was_interrupted) {
    out += "Interrupted: the figures are of the time until then.\n";
  }
  return out + failures_text(report.run.failures);
}

}  // namespace millrace::load
