#include "bench/load/report/hdr_log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <vector>

#include "bench/load/report/hdr_codec.h"

namespace millrace::load {
namespace {

constexpr double kNsPerMs = 1e6;

}  // namespace

Result<HdrLog> HdrLog::create(const std::string& path, std::int64_t begin_unix_ms) {
  std::ofstream file(path);
  const double begin_s = static_cast<double>(begin_unix_ms) * 1e-3;
  file << fmt::format(
      "#[millrace-load: latencies in nanoseconds]\n#[Histogram log format version 1.3]\n"
      "#[BaseTime: {:.3f} (seconds since epoch)]\n#[StartTime: {:.3f} (seconds since epoch), {:%a %b %d %T UTC %Y}]\n"
      "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
      begin_s, begin_s, fmt::gmtime(static_cast<std::time_t>(begin_unix_ms / 1000)));
  if (!file) {
    return fail(fmt::format("The latency log {} cannot be written.", path));
  }
  return HdrLog(std::move(file), path);
}

void HdrLog::add(double begin_s, double length_s, const OperationLatencies& latency_ns) {
  std::vector<Operation> asked;
  for (std::size_t i = 0; i < kOperations; ++i) {
    if (latency_ns.of(static_cast<Operation>(i)).count() > 0) {
      asked.push_back(static_cast<Operation>(i));
    }
  }
  add_line("", begin_s, length_s, latency_ns.all());
  for (std::size_t i = 0; asked.size() > 1 && i < asked.size(); ++i) {
    add_line(operation_name(asked[i]), begin_s, length_s, latency_ns.of(asked[i]));
  }
  file_.flush();
}

void HdrLog::add_line(std::string_view tag, double begin_s, double length_s, const Histogram& latency_ns) {
  if (!tag.empty()) {
    file_ << "Tag=" << tag << ',';
  }
  file_ << fmt::format("{:.3f},{:.3f},{:.3f},{}\n", begin_s, length_s, static_cast<double>(latency_ns.max()) / kNsPerMs,
                       hdr_text(latency_ns));
}

Result<void> HdrLog::finish() {
  file_.close();
  if (!file_) {
    return fail(fmt::format("The latency log could not be written to {}.", path_));
  }
  return {};
}

}  // namespace millrace::load
