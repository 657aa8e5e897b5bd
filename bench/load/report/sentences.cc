#include "bench/load/report/sentences.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace millrace::load {
namespace {

double microseconds_of(std::uint64_t ns) { return static_cast<double>(ns) * 1e-3; }

std::string closed_loop_text(const PhaseReport& phase) {
  if (phase.is_bound_by_generator()) {
    return fmt::format(
        "the generator was the bottleneck: its busiest thread ran {:.0f} % of the time. The server may be faster "
        "than this; give the generator more --threads and --cores.",
        100 * phase.core_share_max);
  }
  return fmt::format(
      "the generator was idle {:.0f} % of the time: the server or the network between was the bottleneck.",
      100 * (1 - phase.core_share_max));
}

std::string open_loop_text(const PhaseReport& phase) {
  const double late_us = microseconds_of(phase.paced.late_ns.quantile(0.99));
  if (phase.was_generator_late()) {
    return fmt::format(
        "the generator fell behind by its own fault: 1 % of the requests left {:.1f} us or more after they could have, "
        "and its busiest thread ran {:.0f} % of the time. The server may be better than this; give the generator cores "
        "of its own (--cores), more --threads, or less to do.",
        late_us, 100 * phase.core_share_max);
  }
  std::string out = fmt::format(
      "the generator kept to its schedule: 99 % of the requests left within {:.1f} us of when they could.", late_us);
  if (phase.is_bound_by_generator()) {
    fmt::format_to(
        std::back_inserter(out),
        " But its busiest thread ran {:.0f} % of the time: replies may have waited for it, and the server may be "
        "better than this.",
        100 * phase.core_share_max);
  }
  if (phase.paced.queued + phase.paced.never_left > 0) {
    const auto due = static_cast<double>(std::max<std::uint64_t>(phase.paced.due, 1));
    fmt::format_to(std::back_inserter(out),
                   " {:.2f} % of the requests waited because no connection had room, and {} never left: the server was "
                   "too slow for so many --connections of such --depth. Their waiting is counted.",
                   100 * static_cast<double>(phase.paced.queued) / due, phase.paced.never_left);
  }
  return out;
}

/// More than this of the time, and it was not only the two ends that were measured.
constexpr double kDisturbedShare = 0.05;

std::string disturbance_text(const PhaseReport& phase) {
  if (phase.waited_share_max < kDisturbedShare) {
    return "";
  }
  return fmt::format(" Others used the generator's cores: a thread waited {:.0f} % of the time for one.",
                     100 * phase.waited_share_max);
}

}  // namespace

std::string trial_text(const PhaseReport& trial) {
  return fmt::format("trial {}: {:.0f}/s due, {:.0f}/s answered, p99 {:.1f} us: {}", trial.round,
                     trial.pace ? trial.pace->rate_per_s : 0, trial.requests_per_s(),
                     microseconds_of(trial.latency_ns.quantile(0.99)),
                     trial.verdict ? knee_verdict_text(*trial.verdict) : "");
}

std::string knee_text(const KneeReport& knee) {
  if (knee.knee_per_s == 0) {
    return fmt::format("knee: no rate down to {:.0f}/s kept p99 within {:.0f} us.", knee.failed_per_s, knee.p99_max_us);
  }
  std::string out =
      fmt::format("knee: p99 stays within {:.0f} us up to {:.0f} requests/s", knee.p99_max_us, knee.knee_per_s);
  if (knee.failed_per_s > 0) {
    fmt::format_to(std::back_inserter(out), ", and no longer at {:.0f}", knee.failed_per_s);
  }
  fmt::format_to(std::back_inserter(out), " ({} trials).", knee.trials);
  if (!knee.is_precise) {
    out += " The trials were used up before it was found closely: see --knee-trials.";
  }
  if (knee.is_bound_by_generator) {
    out += " The generator set the upper end: the server's knee may lie higher.";
  }
  return out;
}

std::string bottleneck_text(const PhaseReport& phase) {
  if (phase.tally.requests == 0) {
    return "";
  }
  return (phase.pace ? open_loop_text(phase) : closed_loop_text(phase)) + disturbance_text(phase);
}

}  // namespace millrace::load
