#include "bench/load/report/whole_report_json.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "bench/load/report/sentences.h"

namespace millrace::load {
namespace {

constexpr unsigned kModes = 32;  // more than there are: unknown ones have no name

/// Digits behind these are noise, and would double the file.
double rounded(double value, double steps_per_unit = 1000) {
  return std::round(value * steps_per_unit) / steps_per_unit;
}
double fine(double share) { return rounded(share, 1e6); }
double exact(double seconds) { return rounded(seconds, 1e9); }
double microseconds_of(std::uint64_t ns) { return static_cast<double>(ns) * 1e-3; }

Json latency_json(const Histogram& latency_ns) {
  Json json;
  json.add("mean", rounded(latency_ns.mean() * 1e-3));
  for (const auto& [name, share] :
       {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"p9999", 0.9999}}) {
    json.add(name, rounded(microseconds_of(latency_ns.quantile(share))));
  }
  return json.add("max", rounded(microseconds_of(latency_ns.max())));
}

Json histogram_json(const Histogram& histogram) {
  Json buckets{Json::Array{}};
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (histogram.buckets()[i] > 0) {
      buckets.push(Json().push(Histogram::lowest(i)).push(histogram.buckets()[i]));
    }
  }
  Json json;
  json.add("count", histogram.count()).add("sum_ns", histogram.sum());
  json.add("min_ns", histogram.min()).add("max_ns", histogram.max()).add("buckets", std::move(buckets));
  return json;
}

void add_histogram(const Json& json, Histogram& into) {
  Histogram read;
  for (const Json& bucket : json["buckets"].array()) {
    if (bucket.array().size() == 2) {
      read.restore(Histogram::bucket(std::min(bucket.array()[0].whole(), Histogram::kValueMax)),
                   bucket.array()[1].whole());
    }
  }
  if (read.count() > 0) {
    read.restore_exact(json["sum_ns"].whole(), json["min_ns"].whole(), json["max_ns"].whole());
  }
  into.merge(read);
}

Json pace_json(const PhaseReport& phase) {
  Json json;
  json.add("rate_per_s", rounded(phase.pace->rate_per_s)).add("arrivals", arrivals_name(phase.pace->arrivals));
  json.add("due", phase.paced.due).add("queued", phase.paced.queued).add("never_left", phase.paced.never_left);
  json.add("generator_late_us", latency_json(phase.paced.late_ns));
  json.add("generator_late_histogram", histogram_json(phase.paced.late_ns));
  return json;
}

Json operations_json(const PhaseReport& phase) {
  Json json{Json::Object{}};
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    const OperationTally& tally = phase.tally.of(operation);
    const Histogram& latency_ns = phase.latency_ns_of.of(operation);
    if (tally.requests == 0 && latency_ns.count() == 0) {
      continue;
    }
    Json one;
    one.add("requests", tally.requests).add("done", tally.done).add("refused", tally.refused);
    one.add("missed", tally.missed).add("latency_us", latency_json(latency_ns));
    one.add("latency_histogram", histogram_json(latency_ns));
    json.add(operation_name(operation), std::move(one));
  }
  return json;
}

Json worker_json(const WorkerReport& worker) {
  Json json;
  if (!worker.host.empty()) {
    json.add("host", worker.host);
  }
  json.add("requests", worker.requests).add("requests_per_s", rounded(worker.requests_per_s));
  json.add("core_share", fine(worker.core_share)).add("waited_share", fine(worker.waited_share));
  json.add("p50_us", rounded(worker.p50_us)).add("p99_us", rounded(worker.p99_us));
  return json;
}

Json point_json(const TimePoint& point) {
  Json json;
  json.add("begin_s", rounded(point.begin_s)).add("length_s", exact(point.length_s));
  json.add("requests", point.requests).add("requests_per_s", rounded(point.requests_per_s()));
  json.add("keys_asked", point.keys_asked).add("hits", point.hits);
  json.add("p50_us", rounded(point.p50_us)).add("p99_us", rounded(point.p99_us));
  json.add("p999_us", rounded(point.p999_us)).add("max_us", rounded(point.max_us));
  json.add("latency_hdr", point.latency_hdr);
  return json;
}

Json phase_json(const PhaseReport& phase) {
  const Tally& tally = phase.tally;
  Json json;
  json.add("mode", mode_name(phase.mode)).add("round", phase.round).add("opened_s", rounded(phase.opened_s));
  json.add("seconds", exact(static_cast<double>(phase.window.ns) * 1e-9)).add("complete", phase.is_complete);
  json.add("requests", tally.requests).add("requests_per_s", rounded(phase.requests_per_s(), 10));
  json.add("keys_per_s", rounded(phase.keys_per_s(), 10)).add("keys_asked", tally.keys_asked).add("hits", tally.hits);
  json.add("misses", tally.misses()).add("hit_ratio", fine(tally.hit_ratio()));
  json.add("sets", tally.stores().requests).add("stored", tally.stores().done);
  json.add("not_stored", tally.stores().refused).add("value_bytes", tally.value_bytes);
  json.add("latency_us", latency_json(phase.latency_ns)).add("generator_core_share", fine(phase.core_share_max));
  json.add("generator_core_share_mean", fine(phase.core_share_mean));
  json.add("generator_waited_share", fine(phase.waited_share_max));
  json.add("generator_was_bottleneck", phase.is_bound_by_generator());
  json.add("records_replayed", phase.records_replayed).add("aimed", tally.aimed);
  if (phase.pace) {
    json.add("pace", pace_json(phase)).add("generator_was_late", phase.was_generator_late());
  }
  if (phase.verdict) {
    json.add("verdict", knee_verdict_text(*phase.verdict));
  }
  json.add("summary", bottleneck_text(phase));
  json.add("operations", operations_json(phase)).add("latency_histogram", histogram_json(phase.latency_ns));
  Json workers{Json::Array{}};
  for (const WorkerReport& worker : phase.workers) {
    workers.push(worker_json(worker));
  }
  Json timeline{Json::Array{}};
  for (const TimePoint& point : phase.timeline) {
    timeline.push(point_json(point));
  }
  return json.add("workers", std::move(workers)).add("timeline", std::move(timeline));
}

Json knee_json(const KneeReport& knee) {
  Json json;
  json.add("p99_max_us", knee.p99_max_us).add("requests_per_s", rounded(knee.knee_per_s));
  json.add("failed_at_per_s", rounded(knee.failed_per_s)).add("trials", knee.trials);
  json.add("summary", knee_text(knee))
      .add("is_precise", knee.is_precise)
      .add("generator_was_bottleneck", knee.is_bound_by_generator);
  return json;
}

/// The enumerator that `name_of` gives this name; the first one when none does.
template <typename Enum, typename NameOf>
Enum named(const Json& name, unsigned count, NameOf name_of) {
  for (unsigned i = 0; i < count; ++i) {
    if (name.string() == name_of(static_cast<Enum>(i))) {
      return static_cast<Enum>(i);
    }
  }
  return Enum{};
}

void read_pace(const Json& json, PhaseReport& phase) {
  phase.pace =
      Pace{.rate_per_s = json["rate_per_s"].number(), .arrivals = named<Arrivals>(json["arrivals"], 2, arrivals_name)};
  phase.paced.due = json["due"].whole();
  phase.paced.queued = json["queued"].whole();
  phase.paced.never_left = json["never_left"].whole();
  add_histogram(json["generator_late_histogram"], phase.paced.late_ns);
}

WorkerReport read_worker(const Json& json) {
  return {.host = json["host"].string(),
          .requests = json["requests"].whole(),
          .requests_per_s = json["requests_per_s"].number(),
          .core_share = json["core_share"].number(),
          .waited_share = json["waited_share"].number(),
          .p50_us = json["p50_us"].number(),
          .p99_us = json["p99_us"].number()};
}

TimePoint read_point(const Json& json) {
  return {.begin_s = json["begin_s"].number(),
          .length_s = json["length_s"].number(),
          .requests = json["requests"].whole(),
          .keys_asked = json["keys_asked"].whole(),
          .hits = json["hits"].whole(),
          .p50_us = json["p50_us"].number(),
          .p99_us = json["p99_us"].number(),
          .p999_us = json["p999_us"].number(),
          .max_us = json["max_us"].number(),
          .latency_hdr = json["latency_hdr"].string()};
}

PhaseReport read_phase(const Json& json) {
  PhaseReport phase;
  phase.mode = named<Mode>(json["mode"], kModes, mode_name);
  phase.round = static_cast<std::uint32_t>(json["round"].whole());
  phase.opened_s = json["opened_s"].number();
  phase.window = nanoseconds(std::llround(json["seconds"].number() * 1e9));
  phase.is_complete = json["complete"].flag();
  phase.tally.requests = json["requests"].whole();
  phase.tally.keys_asked = json["keys_asked"].whole();
  phase.tally.hits = json["hits"].whole();
  phase.tally.value_bytes = json["value_bytes"].whole();
  phase.tally.aimed = json["aimed"].whole();
  phase.core_share_max = json["generator_core_share"].number();
  phase.core_share_mean = json["generator_core_share_mean"].number();
  phase.waited_share_max = json["generator_waited_share"].number();
  phase.records_replayed = json["records_replayed"].whole();
  if (json["pace"].is_object()) {
    read_pace(json["pace"], phase);
  }
  if (!json["verdict"].is_null()) {
    phase.verdict = named<KneeVerdict>(json["verdict"], kKneeVerdicts, knee_verdict_text);
  }
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    const Json& one = json["operations"][operation_name(operation)];
    phase.tally.of(operation) = {.requests = one["requests"].whole(),
                                 .done = one["done"].whole(),
                                 .refused = one["refused"].whole(),
                                 .missed = one["missed"].whole()};
    add_histogram(one["latency_histogram"], phase.latency_ns_of.of(operation));
  }
  phase.latency_ns = phase.latency_ns_of.all();
  for (const Json& worker : json["workers"].array()) {
    phase.workers.push_back(read_worker(worker));
  }
  for (const Json& point : json["timeline"].array()) {
    phase.timeline.push_back(read_point(point));
  }
  return phase;
}

}  // namespace

Json to_json(const WholeReport& report) {
  Json json;
  json.add("program", "millrace-load").add("started_unix_ms", static_cast<std::uint64_t>(report.started_unix_ms));
  json.add("interrupted", report.was_interrupted).add("server", report.server);
  json.add("generators", report.generators).add("workload", report.workload);
  Json phases{Json::Array{}};
  for (const PhaseReport& phase : report.run.phases) {
    phases.push(phase_json(phase));
  }
  json.add("phases", std::move(phases));
  if (report.run.knee) {
    json.add("knee", knee_json(*report.run.knee));
  }
  Json failures;
  for (const auto& [name, count] : kFailureKinds) {
    failures.add(name, report.run.failures.*count);
  }
  failures.add("total", report.run.failures.total()).add("first", report.run.failures.first);
  json.add("failures", std::move(failures));
  if (report.model) {
    Json model;
    model.add("memory_bytes", report.model->memory_bytes).add("gets", report.model->gets);
    model.add("hits", report.model->hits).add("hit_ratio", fine(report.model->hit_ratio));
    json.add("model", std::move(model));
  }
  Json notes{Json::Array{}};
  for (const std::string& note : report.notes) {
    notes.push(note);
  }
  return json.add("notes", std::move(notes));
}

Result<WholeReport> from_json(const Json& json) {
  if (json["program"].string() != "millrace-load" || json["generators"].array().empty() ||
      json["phases"].array().empty()) {
    return fail("It is no result of millrace-load, or of one too old to read: it names no generator or no phase.");
  }
  WholeReport report;
  report.started_unix_ms = static_cast<std::int64_t>(json["started_unix_ms"].whole());
  report.was_interrupted = json["interrupted"].flag();
  report.server = json["server"];
  report.generators = json["generators"].array();
  report.workload = json["workload"];
  for (const Json& phase : json["phases"].array()) {
    report.run.phases.push_back(read_phase(phase));
  }
  if (const Json& knee = json["knee"]; knee.is_object()) {
    report.run.knee = KneeReport{.p99_max_us = knee["p99_max_us"].number(),
                                 .knee_per_s = knee["requests_per_s"].number(),
                                 .failed_per_s = knee["failed_at_per_s"].number(),
                                 .trials = static_cast<std::uint32_t>(knee["trials"].whole()),
                                 .is_precise = knee["is_precise"].flag(),
                                 .is_bound_by_generator = knee["generator_was_bottleneck"].flag()};
  }
  Failures& failures = report.run.failures;
  for (const auto& [name, count] : kFailureKinds) {
    failures.*count = json["failures"][name].whole();
  }
  failures.first = json["failures"]["first"].string();
  if (const Json& model = json["model"]; model.is_object()) {
    report.model = ModelReport{.memory_bytes = model["memory_bytes"].whole(),
                               .gets = model["gets"].whole(),
                               .hits = model["hits"].whole(),
                               .hit_ratio = model["hit_ratio"].number()};
  }
  for (const Json& note : json["notes"].array()) {
    report.notes.push_back(note.string());
  }
  return report;
}

}  // namespace millrace::load
