// A result as one self-contained page: nothing is loaded from elsewhere, so it can be kept, mailed and opened anywhere.
// What it shows is the JSON inside it, drawn by its own script (page/). Cold.
#pragma once

#include <string>
#include <string_view>

#include "bench/load/report/whole_report.h"

namespace millrace::load {

// Made of page/ when this is built.
extern const std::string_view kPageBeforeResult;
extern const std::string_view kPageAfterResult;

[[nodiscard]] std::string page_text(const WholeReport& report);

}  // namespace millrace::load
