#include "bench/load/report/page.h"

#include "bench/load/report/whole_report_json.h"

namespace millrace::load {

std::string page_text(const WholeReport& report) {
  WholeReport shown = report;
  for (PhaseReport& phase : shown.run.phases) {
    for (TimePoint& point : phase.timeline) {
      point.latency_hdr.clear();  // the page draws percentiles over time, not histograms
    }
  }
  std::string out(kPageBeforeResult);
  for (const char c : to_json(shown).text()) {
    // Text of others must not end the script element it stands in.
    out += c == '<' ? "\\u003c" : std::string(1, c);
  }
  return out + std::string(kPageAfterResult);
}

}  // namespace millrace::load
