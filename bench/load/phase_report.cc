#include "bench/load/phase_report.h"

#include <algorithm>

#include "bench/load/report/hdr_codec.h"

namespace millrace::load {
namespace {

constexpr double kLateShare = 0.5;  // of p99, from which on it says more of the generator than of the server

double per_second(std::uint64_t count, Duration window) noexcept {
  return window.ns <= 0 ? 0 : static_cast<double>(count) * 1e9 / static_cast<double>(window.ns);
}

double microseconds_of(std::uint64_t ns) noexcept { return static_cast<double>(ns) * 1e-3; }

}  // namespace

void TimePoint::set_latency(const Histogram& latency_ns) {
  p50_us = microseconds_of(latency_ns.quantile(0.5));
  p99_us = microseconds_of(latency_ns.quantile(0.99));
  p999_us = microseconds_of(latency_ns.quantile(0.999));
  max_us = microseconds_of(latency_ns.max());
  latency_hdr = hdr_text(latency_ns);
}

void PhaseReport::add(const PhaseResult& thread, std::uint32_t threads) {
  const Histogram latency = thread.latency_ns.all();
  window = std::max(window, thread.window);
  tally.merge(thread.tally);
  latency_ns.merge(latency);
  latency_ns_of.merge(thread.latency_ns);
  paced.merge(thread.paced);
  records_replayed += thread.records_replayed;
  is_complete = is_complete && thread.is_complete;
  WorkerReport worker{.requests = thread.tally.requests,
                      .requests_per_s = per_second(thread.tally.requests, thread.window),
                      .p50_us = microseconds_of(latency.quantile(0.5)),
                      .p99_us = microseconds_of(latency.quantile(0.99))};
  if (thread.window.ns > 0) {
    const auto whole = static_cast<double>(thread.window.ns);
    worker.core_share =
        static_cast<double>(std::max<std::int64_t>(0, thread.usage.ran_ns - thread.paced.spun.ns)) / whole;
    worker.waited_share = static_cast<double>(thread.usage.waited_ns) / whole;
    core_share_max = std::max(core_share_max, worker.core_share);
    core_share_mean += worker.core_share / threads;
    waited_share_max = std::max(waited_share_max, worker.waited_share);
  }
  workers.push_back(worker);
}

double PhaseReport::requests_per_s() const noexcept { return per_second(tally.requests, window); }

double PhaseReport::keys_per_s() const noexcept {
  return per_second(tally.keys_asked + tally.stores().requests, window);
}

bool PhaseReport::was_generator_late() const noexcept {
  return pace && static_cast<double>(paced.late_ns.quantile(0.99)) >=
                     kLateShare * static_cast<double>(latency_ns.quantile(0.99));
}

}  // namespace millrace::load
