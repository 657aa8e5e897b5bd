#include "bench/load/report/merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "bench/load/report/hdr_codec.h"

namespace millrace::load {
namespace {

double opened_unix_s(const WholeReport& report, const PhaseReport& phase) {
  return static_cast<double>(report.started_unix_ms) * 1e-3 + phase.opened_s;
}

bool have_same_phases(const WholeReport& a, const WholeReport& b) {
  return std::ranges::equal(a.run.phases, b.run.phases, [](const PhaseReport& x, const PhaseReport& y) {
    return x.mode == y.mode && x.round == y.round && x.pace.has_value() == y.pace.has_value();
  });
}

/// Points in time on the common clock, by number of the interval.
class CommonTimeline {
 public:
  explicit CommonTimeline(double interval_s) : interval_s_(interval_s) {}

  Result<void> add(const PhaseReport& phase, double offset_s) {
    for (const TimePoint& point : phase.timeline) {
      auto& [sum, latency_ns] = points_[std::llround((offset_s + point.begin_s) / interval_s_)];
      sum.length_s = std::max(sum.length_s, point.length_s);
      sum.requests += point.requests;
      sum.keys_asked += point.keys_asked;
      sum.hits += point.hits;
      if (auto added = add_hdr_text(point.latency_hdr, latency_ns); !added) {
        return added;
      }
    }
    return {};
  }

  std::vector<TimePoint> take() {
    std::vector<TimePoint> out;
    for (auto& [index, point] : points_) {
      point.first.begin_s = static_cast<double>(index) * interval_s_;
      point.first.set_latency(point.second);
      out.push_back(std::move(point.first));
    }
    return out;
  }

 private:
  double interval_s_;
  std::map<std::int64_t, std::pair<TimePoint, Histogram>> points_;
};

void add_phase(PhaseReport& into, const PhaseReport& phase, const std::string& host) {
  into.window = std::max(into.window, phase.window);
  into.tally.merge(phase.tally);
  into.latency_ns.merge(phase.latency_ns);
  into.latency_ns_of.merge(phase.latency_ns_of);
  into.paced.merge(phase.paced);
  if (into.pace) {
    into.pace->rate_per_s += phase.pace->rate_per_s;
  }
  const auto threads_before = static_cast<double>(into.workers.size());
  const auto threads = static_cast<double>(phase.workers.size());
  if (threads > 0) {
    into.core_share_mean =
        (into.core_share_mean * threads_before + phase.core_share_mean * threads) / (threads_before + threads);
  }
  into.core_share_max = std::max(into.core_share_max, phase.core_share_max);
  into.waited_share_max = std::max(into.waited_share_max, phase.waited_share_max);
  into.records_replayed += phase.records_replayed;
  into.is_complete = into.is_complete && phase.is_complete;
  for (WorkerReport worker : phase.workers) {
    worker.host = host;
    into.workers.push_back(std::move(worker));
  }
}

/// A sentence when the hosts' windows of a phase have little in common.
void note_gaps(const std::vector<WholeReport>& reports, std::size_t index, WholeReport& merged) {
  double last_open = 0;
  double first_close = HUGE_VAL;
  for (const WholeReport& report : reports) {
    const PhaseReport& phase = report.run.phases[index];
    const double opened = opened_unix_s(report, phase);
    last_open = std::max(last_open, opened);
    first_close = std::min(first_close, opened + static_cast<double>(phase.window.ns) * 1e-9);
  }
  const PhaseReport& phase = merged.run.phases[index];
  const double whole = static_cast<double>(phase.window.ns) * 1e-9;
  if (first_close - last_open < 0.9 * whole) {
    merged.notes.push_back(fmt::format(
        "{} {}: the hosts ran together for only {:.1f} s of {:.1f} s: the rate is a sum of what was not measured "
        "at the same time.",
        mode_name(phase.mode), phase.round, std::max(0.0, first_close - last_open), whole));
  }
}

Result<PhaseReport> merged_phase(const std::vector<WholeReport>& reports, std::size_t index, double interval_s) {
  PhaseReport phase;
  phase.mode = reports.front().run.phases[index].mode;
  phase.round = reports.front().run.phases[index].round;
  phase.pace = reports.front().run.phases[index].pace;
  if (phase.pace) {
    phase.pace->rate_per_s = 0;
  }
  double first = HUGE_VAL;
  for (const WholeReport& report : reports) {
    first = std::min(first, opened_unix_s(report, report.run.phases[index]));
  }
  CommonTimeline timeline(interval_s);
  for (const WholeReport& report : reports) {
    const PhaseReport& part = report.run.phases[index];
    add_phase(phase, part, report.generators.front()["host"].string());
    if (auto added = timeline.add(part, opened_unix_s(report, part) - first); !added) {
      return std::unexpected(added.error());
    }
  }
  phase.timeline = timeline.take();
  phase.opened_s = first - static_cast<double>(reports.front().started_unix_ms) * 1e-3;
  return phase;
}

}  // namespace

Result<WholeReport> merge(const std::vector<WholeReport>& reports) {
  if (reports.size() == 1) {
    return reports.front();
  }
  WholeReport merged;
  merged.started_unix_ms = reports.front().started_unix_ms;
  merged.server = reports.front().server;
  merged.workload = reports.front().workload;
  for (const WholeReport& report : reports) {
    if (report.run.knee || !have_same_phases(report, reports.front())) {
      return fail("Only results of the same phases can be merged, and none of a search for the knee.");
    }
    if (report.server["address"].string() != merged.server["address"].string()) {
      merged.notes.push_back(fmt::format("The hosts name different servers: {} and {}.",
                                         merged.server["address"].string(), report.server["address"].string()));
    }
    merged.generators.insert(merged.generators.end(), report.generators.begin(), report.generators.end());
    merged.run.failures.merge(report.run.failures);
    merged.was_interrupted = merged.was_interrupted || report.was_interrupted;
    merged.notes.insert(merged.notes.end(), report.notes.begin(), report.notes.end());
  }
  const double interval_s = std::max(reports.front().generators.front()["interval_s"].number(1), 1e-3);
  for (std::size_t i = 0; i < reports.front().run.phases.size(); ++i) {
    auto phase = merged_phase(reports, i, interval_s);
    if (!phase) {
      return std::unexpected(phase.error());
    }
    merged.run.phases.push_back(std::move(*phase));
    note_gaps(reports, i, merged);
  }
  return merged;
}

}  // namespace millrace::load
