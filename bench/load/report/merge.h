// The results of several hosts that loaded one server at the same time, as one. Pure.
#pragma once

#include <vector>

#include "base/result.h"
#include "bench/load/report/whole_report.h"

namespace millrace::load {

/// Counts and rates add up, histograms are merged, and points in time are brought together by the hosts' clocks. An
/// error when the results are not of the same phases; a note when they were not of the same time. One alone stays as it
/// is.
Result<WholeReport> merge(const std::vector<WholeReport>& reports);

}  // namespace millrace::load
