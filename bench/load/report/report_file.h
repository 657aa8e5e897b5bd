// Results in files. Cold; every error names the file.
#pragma once

#include <string>

#include "base/result.h"
#include "bench/load/report/whole_report.h"

namespace millrace::load {

Result<WholeReport> read_report(const std::string& path);

/// The table to standard output, JSON and page to the files that are named. `-` as JSON's: to standard output, in the
/// table's place.
Result<void> write_report(const WholeReport& report, const std::string& json_path, const std::string& html_path);

}  // namespace millrace::load
