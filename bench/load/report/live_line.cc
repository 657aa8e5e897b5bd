#include "bench/load/report/live_line.h"

#include <fmt/format.h>

#include <cstdio>

namespace millrace::load {

std::string live_text(const Step& step, const TimePoint& point, std::uint64_t failures) {
  const std::string due = step.pace ? fmt::format(" of {:.0f}", step.pace->rate_per_s) : "";
  const std::string hits = point.keys_asked == 0 ? "" : fmt::format("  hits {:.4f}", point.hit_ratio());
  const std::string failed = failures == 0 ? "" : fmt::format("  FAILURES {}", failures);
  return fmt::format("{} {}{:>7.0f} s{:>12.0f}{} requests/s{}  p50 {:.1f}  p99 {:.1f}  p99.9 {:.1f} us{}",
                     mode_name(step.mode), step.round, point.begin_s + point.length_s, point.requests_per_s(), due,
                     hits, point.p50_us, point.p99_us, point.p999_us, failed);
}

void LiveLine::show(const std::string& text) {
  // Back to the first column, and wipe what is longer there.
  fmt::print(stderr, "{}{}", is_terminal_ ? "\r\x1b[K" : "", text + (is_terminal_ ? "" : "\n"));
  std::fflush(stderr);
  is_shown_ = is_terminal_;
}

void LiveLine::wipe() {
  if (is_shown_) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_shown_ = false;
  }
}

}  // namespace millrace::load
