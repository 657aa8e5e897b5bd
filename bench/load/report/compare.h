// Two results beside each other: ratios of rates and latencies, phase by phase, and everything in which their
// configurations differ, since a ratio means nothing without that. Pure.
#pragma once

#include <string>

#include "bench/load/report/whole_report.h"

namespace millrace::load {

/// B is held against A: a ratio above 1 means that B has more of it. The names are how the reader calls them.
[[nodiscard]] std::string compare_text(const WholeReport& a, const std::string& name_a, const WholeReport& b,
                                       const std::string& name_b);

}  // namespace millrace::load
