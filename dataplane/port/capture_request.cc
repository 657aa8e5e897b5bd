#include "dataplane/port/capture_request.h"

#include <algorithm>
#include <charconv>

namespace millrace::port {
namespace {

constexpr std::size_t kDirectoryBytesMax = 1023;

struct Field {
  std::string_view name;
  std::uint64_t least;
  std::uint64_t most;
};

Result<std::uint64_t> read_number(std::string_view word, const Field& field) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || number < field.least || number > field.most) {
    return fail("capture: " + std::string(field.name) + " is a whole number from " + std::to_string(field.least) +
                " to " + std::to_string(field.most));
  }
  return number;
}

}  // namespace

Result<CaptureRequest> CaptureRequest::parse(std::string_view line) {
  constexpr std::size_t kFields = 4;
  const Field fields[kFields] = {{"FRAMES", 1, kFramesMost},
                                 {"BYTES", kBytesLeast, kBytesMost},
                                 {"SECONDS", 1, kSecondsMost},
                                 {"SNAP", kSnapLeast, kFrameBytesMax}};
  CaptureRequest request;
  std::uint64_t numbers[kFields] = {request.frames_max, request.bytes_max, request.seconds_max, request.snap_bytes};
  const std::string_view directory = line.substr(0, line.find(','));
  if (!directory.starts_with('/')) {
    return fail("capture: DIR,FRAMES,BYTES,SECONDS,SNAP wants a directory whose path begins with /");
  }
  if (directory.size() > kDirectoryBytesMax || directory.find('\0') != std::string_view::npos) {
    return fail("capture: a directory's path has at most " + std::to_string(kDirectoryBytesMax) +
                " bytes, and none of them is 0");
  }
  request.directory = directory;
  line.remove_prefix(directory.size());
  for (std::size_t i = 0; !line.empty(); ++i) {
    if (i == kFields) {
      return fail("capture: nothing comes after DIR,FRAMES,BYTES,SECONDS,SNAP");
    }
    line.remove_prefix(1);
    const std::string_view word = line.substr(0, line.find(','));
    const auto number = read_number(word, fields[i]);
    if (!number) {
      return std::unexpected(number.error());
    }
    numbers[i] = *number;
    line.remove_prefix(word.size());
  }
  request.frames_max = numbers[0];
  request.bytes_max = numbers[1];
  request.seconds_max = numbers[2];
  request.snap_bytes = static_cast<std::uint32_t>(numbers[3]);
  return request;
}

}  // namespace millrace::port
