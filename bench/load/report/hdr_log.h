// A file of latencies over time that HdrHistogram's tools read (interval log format 1.3): a line an interval, written
// as soon as the interval has ended, so that a run that is killed leaves all but its last. Main thread.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/load/tally.h"

namespace millrace::load {

class HdrLog {
 public:
  /// Opens `path` and writes the head; times of lines count from `begin_unix_ms`.
  static Result<HdrLog> create(const std::string& path, std::int64_t begin_unix_ms);

  /// A line for all operations together, and one with its name as tag for each, when there are several. Values are
  /// nanoseconds, a line's maximum is said in milliseconds.
  void add(double begin_s, double length_s, const OperationLatencies& latency_ns);

  /// Says whether all could be written.
  Result<void> finish();

 private:
  HdrLog(std::ofstream file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  void add_line(std::string_view tag, double begin_s, double length_s, const Histogram& latency_ns);

  std::ofstream file_;
  std::string path_;
};

}  // namespace millrace::load
