#include "bench/load/report/compare.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <utility>
#include <vector>

namespace millrace::load {
namespace {

constexpr std::size_t kShownMax = 40;  // of a value's characters

using Named = std::vector<std::pair<std::string, std::string>>;

/// All of a configuration as `part.name`, value.
Named flat(const WholeReport& report) {
  Named out;
  const auto add = [&](const std::string& part, const Json& object) {
    for (const auto& [name, value] : object.object()) {
      if (!value.is_object()) {
        const std::string text = value.string();
        out.emplace_back(part + name, text.empty() ? value.text() : text);
      }
    }
  };
  add("workload.", report.workload);
  for (std::size_t i = 0; i < report.generators.size(); ++i) {
    add(report.generators.size() == 1 ? "generator." : fmt::format("generator {}.", i + 1), report.generators[i]);
  }
  add("server.", report.server);
  add("server.settings.", report.server["settings"]);
  return out;
}

const std::string* value_of(const Named& named, const std::string& name) {
  const auto found = std::ranges::find(named, name, &std::pair<std::string, std::string>::first);
  return found == named.end() ? nullptr : &found->second;
}

std::string shown(const std::string* value) {
  if (value == nullptr) {
    return "(none)";
  }
  return value->size() <= kShownMax ? *value : value->substr(0, kShownMax - 3) + "...";
}

std::string differences(const WholeReport& a, const WholeReport& b) {
  const Named of_a = flat(a);
  const Named of_b = flat(b);
  std::string out;
  const auto add = [&](const std::string& name, const std::string* in_a, const std::string* in_b) {
    fmt::format_to(std::back_inserter(out), "  {:<32}{:<42}{}\n", name, shown(in_a), shown(in_b));
  };
  for (const auto& [name, value] : of_a) {
    const std::string* const other = value_of(of_b, name);
    if (other == nullptr || *other != value) {
      add(name, &value, other);
    }
  }
  for (const auto& [name, value] : of_b) {
    if (value_of(of_a, name) == nullptr) {
      add(name, nullptr, &value);
    }
  }
  return out.empty() ? "The configurations are the same.\n"
                     : fmt::format("The configurations differ:\n  {:<32}{:<42}{}\n{}", "", "A", "B", out);
}

std::string about(const char* letter, const std::string& name, const WholeReport& report) {
  return fmt::format("{}: {}, {} {}, {:%Y-%m-%d %H:%M:%S} UTC{}\n", letter, name, report.server["address"].string(),
                     report.server["version"].string(),
                     fmt::gmtime(static_cast<std::time_t>(report.started_unix_ms / 1000)),
                     report.run.failures.total() > 0 ? fmt::format(", {} FAILURES", report.run.failures.total()) : "");
}

void append_row(std::string& out, const std::string& name, double a, double b, int digits) {
  const std::string ratio = a > 0 ? fmt::format("{:.3f}", b / a) : std::string("-");
  fmt::format_to(std::back_inserter(out), "  {:<18}{:>14.{}f}{:>14.{}f}{:>10}\n", name, a, digits, b, digits, ratio);
}

void append_latencies(std::string& out, const Histogram& a, const Histogram& b) {
  constexpr std::array<std::pair<const char*, double>, 6> kShares{
      {{"p50 us", 0.5}, {"p90 us", 0.9}, {"p99 us", 0.99}, {"p99.9 us", 0.999}, {"p99.99 us", 0.9999}, {"max us", 1}}};
  append_row(out, "mean us", a.mean() * 1e-3, b.mean() * 1e-3, 1);
  for (const auto& [name, share] : kShares) {
    append_row(out, name, static_cast<double>(a.quantile(share)) * 1e-3, static_cast<double>(b.quantile(share)) * 1e-3,
               1);
  }
}

std::string phase_text(const PhaseReport& a, const PhaseReport& b) {
  std::string out =
      fmt::format("{} {}{}\n", mode_name(a.mode), a.round,
                  a.pace.has_value() == b.pace.has_value() ? "" : " (one in a closed loop, one in an open one)");
  if (a.pace && b.pace) {
    append_row(out, "due/s", a.pace->rate_per_s, b.pace->rate_per_s, 0);
  }
  append_row(out, "requests/s", a.requests_per_s(), b.requests_per_s(), 0);
  append_latencies(out, a.latency_ns, b.latency_ns);
  if (a.tally.keys_asked > 0 && b.tally.keys_asked > 0) {
    append_row(out, "hit ratio", a.tally.hit_ratio(), b.tally.hit_ratio(), 4);
  }
  append_row(out, "generator's core", a.core_share_max, b.core_share_max, 2);
  std::string operations;
  std::size_t kinds = 0;
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    const Histogram& of_a = a.latency_ns_of.of(operation);
    const Histogram& of_b = b.latency_ns_of.of(operation);
    if (of_a.count() > 0 && of_b.count() > 0) {
      ++kinds;
      fmt::format_to(std::back_inserter(operations), " {}\n", operation_name(operation));
      append_latencies(operations, of_a, of_b);
    }
  }
  return kinds > 1 ? out + operations : out;
}

/// The phases that can be held against others: a trial of a search has a rate of its own.
std::vector<const PhaseReport*> comparable(const WholeReport& report) {
  std::vector<const PhaseReport*> out;
  for (const PhaseReport& phase : report.run.phases) {
    if (!phase.verdict) {
      out.push_back(&phase);
    }
  }
  return out;
}

}  // namespace

std::string compare_text(const WholeReport& a, const std::string& name_a, const WholeReport& b,
                         const std::string& name_b) {
  std::string out = about("A", name_a, a) + about("B", name_b, b) + differences(a, b);
  fmt::format_to(std::back_inserter(out), "{:<20}{:>14}{:>14}{:>10}\n", "", "A", "B", "B/A");
  auto others = comparable(b);
  std::size_t alone = 0;
  for (const PhaseReport* const phase : comparable(a)) {
    const auto match = std::ranges::find_if(
        others, [&](const PhaseReport* other) { return other->mode == phase->mode && other->round == phase->round; });
    if (match == others.end()) {
      ++alone;
      continue;
    }
    out += phase_text(*phase, **match);
    others.erase(match);
  }
  if (a.run.knee && b.run.knee) {
    out += "knee\n";
    append_row(out, "p99 bound us", a.run.knee->p99_max_us, b.run.knee->p99_max_us, 0);
    append_row(out, "requests/s", a.run.knee->knee_per_s, b.run.knee->knee_per_s, 0);
  }
  if (alone + others.size() > 0) {
    fmt::format_to(std::back_inserter(out), "{} phases of A and {} of B have no counterpart.\n", alone, others.size());
  }
  return out;
}

}  // namespace millrace::load
