#include "bench/load/run_plan.h"

#include "base/assert.h"

namespace millrace::load {
namespace {

constexpr double kFirstShare = 0.7;  // of the closed loop's rate, at which the search begins

}  // namespace

RunPlan::RunPlan(const Options& options)
    : knee_plan_{.p99_max_us = options.p99_max_us, .trials_max = options.knee_trials_max} {
  const auto pace = [&](Mode mode) {
    // A fill makes ready, and a replay has its own order: neither is held to a rate.
    const bool is_paced = options.rate_per_s && mode != Mode::Fill && mode != Mode::Replay;
    return is_paced ? std::optional(Pace{.rate_per_s = *options.rate_per_s, .arrivals = options.arrivals})
                    : std::nullopt;
  };
  for (std::uint32_t round = 1; round <= options.rounds; ++round) {
    for (const Mode mode : options.modes) {
      if (mode != Mode::Fill || round == 1) {
        steps_.push_back({mode, round, pace(mode)});
      }
    }
  }
  if (options.finds_knee) {
    trial_ = steps_.back();
    trial_->round = 0;
    trial_->pace = Pace{.arrivals = options.arrivals};
    if (options.rate_per_s) {
      steps_.pop_back();  // the first guess is given, so no closed loop is needed to make one
      begin_search(*options.rate_per_s);
    }
  }
}

void RunPlan::begin_search(double first_rate_per_s) {
  knee_plan_.first_rate_per_s = first_rate_per_s;
  search_.emplace(knee_plan_);
}

std::optional<Step> RunPlan::next() {
  if (at_ < steps_.size()) {
    return steps_[at_++];
  }
  if (!search_ || is_cut_short_) {
    return std::nullopt;
  }
  const auto rate = search_->next();
  if (!rate) {
    return std::nullopt;
  }
  ++trial_->round;
  trial_->pace->rate_per_s = *rate;
  return trial_;
}

void RunPlan::note(PhaseReport& phase, std::uint64_t failures) {
  const bool has_failures = failures > failures_ || !phase.is_complete;
  failures_ = failures;
  is_cut_short_ = !phase.is_complete;
  if (!trial_ || phase.mode != trial_->mode) {
    return;
  }
  if (!search_) {
    // The closed loop's rate: what the server can give to so many connections of such depth.
    if (phase.requests_per_s() > 0) {
      begin_search(kFirstShare * phase.requests_per_s());
    }
    return;
  }
  MR_ASSERT(phase.pace);
  phase.verdict = search_->note({.offered_per_s = phase.pace->rate_per_s,
                                 .answered_per_s = phase.requests_per_s(),
                                 .p99_us = static_cast<double>(phase.latency_ns.quantile(0.99)) * 1e-3,
                                 .has_failures = has_failures,
                                 .was_generator_late = phase.was_generator_late() || phase.is_bound_by_generator()});
}

std::optional<KneeReport> RunPlan::knee() const {
  if (!search_) {
    return std::nullopt;
  }
  return KneeReport{.p99_max_us = knee_plan_.p99_max_us,
                    .knee_per_s = search_->knee_per_s(),
                    .failed_per_s = search_->failed_per_s(),
                    .trials = search_->trials(),
                    .is_precise = search_->is_precise(),
                    .is_bound_by_generator = search_->is_bound_by_generator()};
}

}  // namespace millrace::load
