#include "bench/load/timeline_collector.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace millrace::load {

TimelineCollector::TimelineCollector(std::uint32_t threads, Duration interval, PointHook on_point)
    : interval_(interval), on_point_(std::move(on_point)), reached_(threads, 0), failures_(threads, 0) {}

void TimelineCollector::add(const Interval& interval) {
  if (interval.length.ns > 0) {
    Gathering& at = gathering_[interval.index];
    at.length = std::max(at.length, interval.length);
    at.tally.merge(interval.tally);
    at.latency_ns.merge(interval.latency_ns);
  }
  reached_[interval.thread] = interval.index + 1;
  failures_[interval.thread] = interval.failures;
  emit_ready();
}

void TimelineCollector::end_thread(std::uint32_t thread) {
  reached_[thread] = UINT64_MAX;
  emit_ready();
}

void TimelineCollector::emit_ready() {
  const std::uint64_t reached = std::ranges::min(reached_);
  while (!gathering_.empty() && gathering_.begin()->first < reached) {
    const auto node = gathering_.extract(gathering_.begin());
    const Gathering& gathered = node.mapped();
    TimePoint point{.begin_s = static_cast<double>(node.key()) * static_cast<double>(interval_.ns) * 1e-9,
                    .length_s = static_cast<double>(gathered.length.ns) * 1e-9,
                    .requests = gathered.tally.requests,
                    .keys_asked = gathered.tally.keys_asked,
                    .hits = gathered.tally.hits};
    point.set_latency(gathered.latency_ns.all());
    if (on_point_) {
      on_point_(point, gathered.latency_ns, std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{0}));
    }
    points_.push_back(std::move(point));
  }
}

}  // namespace millrace::load
