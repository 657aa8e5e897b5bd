#include "bench/load/interval_exchange.h"

namespace millrace::load {

IntervalExchange::IntervalExchange(std::uint32_t threads) {
  for (std::uint32_t i = 0; i < 2 * threads; ++i) {
    empty_.push_back(std::make_unique<Interval>());
  }
}

std::unique_ptr<Interval> IntervalExchange::take_empty() {
  {
    const std::scoped_lock lock(mutex_);
    if (!empty_.empty()) {
      auto interval = std::move(empty_.back());
      empty_.pop_back();
      return interval;
    }
  }
  return std::make_unique<Interval>();  // the collector has not kept up
}

void IntervalExchange::give(std::unique_ptr<Interval> interval) {
  {
    const std::scoped_lock lock(mutex_);
    arriving_.intervals.push_back(std::move(interval));
  }
  arrived_.notify_one();
}

void IntervalExchange::give_result(std::uint32_t thread, PhaseResult result) {
  {
    const std::scoped_lock lock(mutex_);
    arriving_.results.emplace_back(thread, std::move(result));
  }
  arrived_.notify_one();
}

IntervalExchange::Delivery IntervalExchange::wait() {
  std::unique_lock lock(mutex_);
  arrived_.wait(lock, [this] { return !arriving_.intervals.empty() || !arriving_.results.empty(); });
  return std::exchange(arriving_, {});
}

void IntervalExchange::give_back(std::unique_ptr<Interval> interval) {
  interval->tally = {};
  interval->latency_ns.clear();
  const std::scoped_lock lock(mutex_);
  empty_.push_back(std::move(interval));
}

}  // namespace millrace::load
