// Looks for the knee: the highest rate at which a server still keeps p99 under a bound. It only decides what to try
// next; who measures is told by next(). Plain values, one thread.
//
// How. From a first guess the rate grows or halves until one rate has passed and a higher one has failed; between them
// it halves the distance until they are within `precision`. A shared machine disturbs single measurements, so a verdict
// takes two trials that agree: a rate is tried twice, and a third time when the two disagree.
#pragma once

#include <cstdint>
#include <optional>

namespace millrace::load {

struct KneePlan {
  double p99_max_us = 0;
  double first_rate_per_s = 0;  ///< the search gives up below a 64th of it
  double precision = 0.03;      ///< of the rate
  std::uint32_t trials_max = 24;
};

struct KneeTrial {
  double offered_per_s = 0;
  double answered_per_s = 0;
  double p99_us = 0;
  bool has_failures = false;
  bool was_generator_late = false;  ///< the generator, not the server, fell behind
};

enum class KneeVerdict : std::uint8_t {
  Passed,
  TooSlow,        ///< p99 above the bound
  Behind,         ///< fewer answered than offered
  Failed,         ///< errors
  GeneratorLate,  ///< says nothing of the server
};

inline constexpr unsigned kKneeVerdicts = 5;

[[nodiscard]] constexpr const char* knee_verdict_text(KneeVerdict verdict) noexcept {
  switch (verdict) {
    case KneeVerdict::Passed:
      return "passed";
    case KneeVerdict::TooSlow:
      return "p99 above the bound";
    case KneeVerdict::Behind:
      return "the server fell behind";
    case KneeVerdict::Failed:
      return "errors";
    case KneeVerdict::GeneratorLate:
      return "the generator fell behind";
  }
  return "";
}

class KneeSearch {
 public:
  explicit KneeSearch(const KneePlan& plan) noexcept;

  /// The rate to try; nothing: the search has ended.
  [[nodiscard]] std::optional<double> next() const noexcept;
  /// What trying next() brought.
  KneeVerdict note(const KneeTrial& trial) noexcept;

  /// The highest rate that passed; 0: none did.
  [[nodiscard]] double knee_per_s() const noexcept { return passed_per_s_; }
  /// The lowest rate that failed above it; 0: none did.
  [[nodiscard]] double failed_per_s() const noexcept { return failed_per_s_; }
  [[nodiscard]] std::uint32_t trials() const noexcept { return trials_; }
  /// Did the search end with knee and failure as close as asked? If not, its trials were used up.
  [[nodiscard]] bool is_precise() const noexcept;
  /// The generator, not the server, set the upper end: the true knee may lie higher.
  [[nodiscard]] bool is_bound_by_generator() const noexcept { return is_bound_by_generator_; }

 private:
  static constexpr double kGrowth = 1.25;
  static constexpr double kShrink = 0.5;
  static constexpr double kSpan = 64;
  static constexpr double kAnsweredMin = 0.98;  ///< of what was offered
  static constexpr std::uint32_t kAgreeing = 2;

  [[nodiscard]] KneeVerdict judge(const KneeTrial& trial) const noexcept;
  void settle(bool has_passed) noexcept;

  KneePlan plan_;
  double rate_per_s_;
  double passed_per_s_ = 0;
  double failed_per_s_ = 0;
  std::uint32_t trials_ = 0;
  std::uint32_t passes_ = 0;  ///< of the rate being tried
  std::uint32_t misses_ = 0;
  std::uint32_t misses_of_generator_ = 0;
  bool is_bound_by_generator_ = false;
};

}  // namespace millrace::load
