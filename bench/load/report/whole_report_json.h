// A result as JSON and back. Latencies are written twice: as percentiles for people and scripts, and as the sparse
// buckets of their histogram (lowest value in ns, count), from which everything can be computed again. Cold.
#pragma once

#include "base/result.h"
#include "bench/load/report/json.h"
#include "bench/load/report/whole_report.h"

namespace millrace::load {

[[nodiscard]] Json to_json(const WholeReport& report);
/// An error says what is missing, when it is no result of this program.
Result<WholeReport> from_json(const Json& json);

}  // namespace millrace::load
