#include "bench/load/knee_search.h"

#include "base/assert.h"

namespace millrace::load {

KneeSearch::KneeSearch(const KneePlan& plan) noexcept : plan_(plan), rate_per_s_(plan.first_rate_per_s) {
  MR_ASSERT(plan.first_rate_per_s > 0);
  MR_ASSERT(plan.precision > 0);
}

bool KneeSearch::is_precise() const noexcept {
  return passed_per_s_ > 0 && failed_per_s_ > 0 && failed_per_s_ <= passed_per_s_ * (1 + plan_.precision);
}

std::optional<double> KneeSearch::next() const noexcept {
  if (is_precise() || trials_ >= plan_.trials_max || rate_per_s_ * kSpan < plan_.first_rate_per_s) {
    return std::nullopt;
  }
  return rate_per_s_;
}

KneeVerdict KneeSearch::judge(const KneeTrial& trial) const noexcept {
  if (trial.has_failures) {
    return KneeVerdict::Failed;
  }
  if (trial.answered_per_s >= trial.offered_per_s * kAnsweredMin && trial.p99_us <= plan_.p99_max_us) {
    return KneeVerdict::Passed;  // even when the generator was late: that only made latency longer
  }
  if (trial.was_generator_late) {
    return KneeVerdict::GeneratorLate;
  }
  return trial.answered_per_s < trial.offered_per_s * kAnsweredMin ? KneeVerdict::Behind : KneeVerdict::TooSlow;
}

KneeVerdict KneeSearch::note(const KneeTrial& trial) noexcept {
  const KneeVerdict verdict = judge(trial);
  ++trials_;
  ++(verdict == KneeVerdict::Passed ? passes_ : misses_);
  misses_of_generator_ += verdict == KneeVerdict::GeneratorLate ? 1 : 0;
  if (passes_ == kAgreeing || misses_ == kAgreeing) {
    settle(passes_ == kAgreeing);
  }
  return verdict;
}

void KneeSearch::settle(bool has_passed) noexcept {
  if (has_passed) {
    passed_per_s_ = rate_per_s_;
  } else {
    failed_per_s_ = rate_per_s_;
    is_bound_by_generator_ = misses_of_generator_ > 0;
  }
  passes_ = 0;
  misses_ = 0;
  misses_of_generator_ = 0;
  if (passed_per_s_ > 0 && failed_per_s_ > 0) {
    rate_per_s_ = (passed_per_s_ + failed_per_s_) / 2;
  } else {
    rate_per_s_ *= has_passed ? kGrowth : kShrink;
  }
}

}  // namespace millrace::load
