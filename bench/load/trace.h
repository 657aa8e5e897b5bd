// Recorded requests to replay: reads `key value_size [ttl op [time]]` lines, plain or gzip, into memory.
// Read once on the main thread before the run; immutable and shared by all load threads afterwards.
// Keys become numbers 0, 1, 2 … in the order of their first appearance, whatever their text was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::load {

struct TraceRecord {
  std::uint32_t key = 0;
  std::uint32_t value_bytes = 0;
  std::uint32_t ttl_s = 0;
  bool is_set = false;  ///< a plain set; otherwise a get, followed by a set when it misses
};

struct Trace {
  std::vector<TraceRecord> records;
  std::vector<Duration> times;  ///< of each record since the first, never falling; empty when the trace has none
  std::uint32_t keys = 0;
  std::uint32_t value_bytes_max = 0;

  /// Bytes of all keys and values together, each counted once, with the size it first had.
  [[nodiscard]] std::uint64_t footprint_bytes(std::uint32_t bytes_beside_value) const;
};

/// Takes lines one after the other.
class TraceParser {
 public:
  /// Empty lines and lines that begin with '#' are skipped. The error names the line's number.
  Result<void> line(std::string_view text);
  [[nodiscard]] Trace take() { return std::move(trace_); }
  [[nodiscard]] std::size_t records() const noexcept { return trace_.records.size(); }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  bool take_time(std::string_view word);

  Trace trace_;
  std::uint64_t line_number_ = 0;
  double first_time_s_ = 0;
  std::unordered_map<std::string, std::uint32_t, TextHash, std::equal_to<>> numbers_;
};

/// At most `records_max` records of the file.
Result<Trace> read_trace(const std::string& path, std::uint64_t records_max);

}  // namespace millrace::load
