#include "bench/load/trace.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <cmath>
#include <cstring>
#include <memory>

#include "bench/load/parse_whole.h"

namespace millrace::load {
namespace {

/// The next word of `text`, cut off its front; empty at the end.
std::string_view next_word(std::string_view& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(begin);
  const std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text.remove_prefix(word.size());
  return word;
}

constexpr std::uint32_t kValueBytesMax = 1U << 30;
constexpr double kTimeSecondsMax = 1e9;  // of a whole trace: 30 years

}  // namespace

std::uint64_t Trace::footprint_bytes(std::uint32_t bytes_beside_value) const {
  std::vector<bool> seen(keys);
  std::uint64_t bytes = 0;
  for (const TraceRecord& record : records) {
    if (!seen[record.key]) {
      seen[record.key] = true;
      bytes += std::uint64_t{record.value_bytes} + bytes_beside_value;
    }
  }
  return bytes;
}

/// Either every record has a time or none has. False: not so, or it falls, or is no time.
bool TraceParser::take_time(std::string_view word) {
  if (word.empty() || (trace_.times.empty() && !trace_.records.empty())) {
    return word.empty() && trace_.times.empty();
  }
  double time_s = 0;
  if (!parse_whole(word, time_s)) {
    return false;
  }
  first_time_s_ = trace_.times.empty() ? time_s : first_time_s_;
  const double since_s = time_s - first_time_s_;
  if (!(since_s >= 0 && since_s <= kTimeSecondsMax)) {
    return false;
  }
  const Duration since{std::llround(since_s * 1e9)};
  if (!trace_.times.empty() && since < trace_.times.back()) {
    return false;
  }
  trace_.times.push_back(since);
  return true;
}

Result<void> TraceParser::line(std::string_view text) {
  ++line_number_;
  const auto wrong = [this](std::string_view what) {
    return fail(
        fmt::format("Line {} of the trace {}; a line is `key value_size [ttl op [time]]`.", line_number_, what));
  };
  const std::string_view key = next_word(text);
  if (key.empty() || key.front() == '#') {
    return {};
  }
  TraceRecord record;
  if (!parse_whole(next_word(text), record.value_bytes) || record.value_bytes > kValueBytesMax) {
    return wrong("has no value size of 0 to 1 GiB after the key");
  }
  if (const std::string_view ttl = next_word(text); !ttl.empty()) {
    if (!parse_whole(ttl, record.ttl_s)) {
      return wrong("has a third word that is no time to live in seconds");
    }
    const std::string_view op = next_word(text);
    record.is_set = op == "set";
    if (!op.empty() && op != "get" && op != "set") {
      return wrong("asks for something other than get or set");
    }
    if (const std::string_view time = next_word(text); !take_time(time)) {
      return wrong(time.empty()
                       ? "has no time, though others before it have"
                       : "has a time that is no number of seconds, earlier than the one before, or the first one");
    }
    if (!next_word(text).empty()) {
      return wrong("has more than five words");
    }
  } else if (!trace_.times.empty()) {
    return wrong("has no time, though others before it have");
  }
  auto found = numbers_.find(key);
  if (found == numbers_.end()) {
    if (trace_.keys == UINT32_MAX) {
      return wrong("has more different keys before it than can be replayed");
    }
    found = numbers_.emplace(key, trace_.keys++).first;
  }
  record.key = found->second;
  trace_.value_bytes_max = std::max(trace_.value_bytes_max, record.value_bytes);
  trace_.records.push_back(record);
  return {};
}

Result<Trace> read_trace(const std::string& path, std::uint64_t records_max) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose_r);
  if (!file) {
    return fail(fmt::format("The trace {} cannot be opened: {}.", path, std::strerror(errno)));
  }
  gzbuffer(file.get(), 1 << 17);
  TraceParser parser;
  std::array<char, 4096> line;
  while (parser.records() < records_max && gzgets(file.get(), line.data(), static_cast<int>(line.size())) != nullptr) {
    std::string_view text(line.data());
    if (!text.ends_with('\n') && text.size() + 1 == line.size()) {
      return fail(fmt::format("The trace {} has a line longer than {} bytes.", path, line.size() - 2));
    }
    while (text.ends_with('\n') || text.ends_with('\r')) {
      text.remove_suffix(1);
    }
    if (auto taken = parser.line(text); !taken) {
      return fail(fmt::format("{}: {}", path, taken.error().what));
    }
  }
  int error = Z_OK;
  const char* const message = gzerror(file.get(), &error);
  // Z_BUF_ERROR is what a gzip file that was cut off gives.
  if (error != Z_OK && error != Z_STREAM_END && parser.records() < records_max) {
    return fail(fmt::format("The trace {} cannot be read to its end: {}.", path,
                            error == Z_ERRNO ? std::strerror(errno) : message));
  }
  if (parser.records() == 0) {
    return fail(fmt::format("The trace {} has no requests.", path));
  }
  return parser.take();
}

}  // namespace millrace::load
