// What a result says in a sentence, the same in the table, on the page and in JSON. Pure.
#pragma once

#include <string>

#include "bench/load/phase_report.h"

namespace millrace::load {

/// On who had no time left, or fell behind; empty when nothing was answered.
[[nodiscard]] std::string bottleneck_text(const PhaseReport& phase);

/// On a trial of the search for the knee.
[[nodiscard]] std::string trial_text(const PhaseReport& trial);

/// On what the search found.
[[nodiscard]] std::string knee_text(const KneeReport& knee);

}  // namespace millrace::load
