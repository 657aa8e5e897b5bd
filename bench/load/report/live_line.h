// A line on standard error that says how the run goes, an interval at a time: rewritten in place on a terminal, one
// after the other elsewhere. Main thread.
#pragma once

#include <cstdint>
#include <string>

#include "bench/load/run_plan.h"

namespace millrace::load {

[[nodiscard]] std::string live_text(const Step& step, const TimePoint& point, std::uint64_t failures);

class LiveLine {
 public:
  explicit LiveLine(bool is_terminal) noexcept : is_terminal_(is_terminal) {}
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;
  ~LiveLine() { wipe(); }

  void show(const std::string& text);
  /// Before anything else is printed.
  void wipe();

 private:
  bool is_terminal_;
  bool is_shown_ = false;
};

}  // namespace millrace::load
