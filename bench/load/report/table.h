// A result for people who read a terminal. Cold.
#pragma once

#include <string>

#include "bench/load/report/whole_report.h"

namespace millrace::load {

[[nodiscard]] std::string table_text(const WholeReport& report);

}  // namespace millrace::load
