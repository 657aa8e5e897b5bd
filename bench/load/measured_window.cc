#include "bench/load/measured_window.h"

#include <utility>

namespace millrace::load {

bool MeasuredWindow::tick() {
  const Instant now = clients_->now();
  if (!is_open_) {
    if (now < plan_.opens) {
      return false;
    }
    open();
    return true;
  }
  if (now >= interval_ends_) {
    hand_over();
    index_ = static_cast<std::uint64_t>((now - opened_).ns / plan_.interval.ns);
    interval_ends_ = opened_ + nanoseconds(static_cast<std::int64_t>(index_ + 1) * plan_.interval.ns);
  }
  return false;
}

void MeasuredWindow::open() {
  is_open_ = true;
  opened_ = clients_->now();
  interval_began_ = opened_;
  interval_ends_ = opened_ + plan_.interval;
  clients_->stats().open_window();
  usage_at_open_ = this_thread_usage();
}

void MeasuredWindow::hand_over() {
  const Instant now = clients_->now();
  auto interval = exchange_->take_empty();
  Stats& stats = clients_->stats();
  std::swap(interval->tally, stats.tally);
  std::swap(interval->latency_ns, stats.latency_ns);
  tally_.merge(interval->tally);
  latency_ns_.merge(interval->latency_ns);
  interval->thread = plan_.thread;
  interval->index = index_;
  interval->length = now - std::exchange(interval_began_, now);
  interval->failures = stats.failures.total();
  exchange_->give(std::move(interval));
}

void MeasuredWindow::close(PhaseResult& result) {
  if (!is_open_) {
    open();
  }
  result.usage = this_thread_usage() - usage_at_open_;
  result.window = clients_->now() - opened_;
  hand_over();
  result.tally = tally_;
  result.latency_ns = std::move(latency_ns_);
}

}  // namespace millrace::load
