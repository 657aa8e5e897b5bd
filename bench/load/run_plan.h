// Which phases a run has: fills first, then the other modes as often as asked; or, looking for the knee, as many trials
// as its search wants. Decides between phases, on the main thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bench/load/knee_search.h"
#include "bench/load/options.h"
#include "bench/load/phase_report.h"

namespace millrace::load {

/// A phase to be run.
struct Step {
  Mode mode = Mode::Get;
  std::uint32_t round = 1;
  std::optional<Pace> pace;  ///< nothing: a closed loop
};

class RunPlan {
 public:
  explicit RunPlan(const Options& options);

  [[nodiscard]] std::optional<Step> next();
  /// What the last step brought; a trial gets its verdict. `failures`: of the whole run until now.
  void note(PhaseReport& phase, std::uint64_t failures);
  [[nodiscard]] std::optional<KneeReport> knee() const;

 private:
  void begin_search(double first_rate_per_s);

  std::vector<Step> steps_;  ///< known from the start
  std::size_t at_ = 0;
  std::optional<Step> trial_;  ///< in a search: what is tried, but for its rate
  KneePlan knee_plan_;
  std::optional<KneeSearch> search_;
  std::uint64_t failures_ = 0;
  bool is_cut_short_ = false;  ///< a trial was not complete: no connection is left to try more with
};

}  // namespace millrace::load
