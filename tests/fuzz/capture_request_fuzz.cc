// Any text as what an operator asks of a capture: refused with a sentence, or within its bounds and read again as it
// was.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/port/capture_request.h"
#include "fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using millrace::fuzz::require;
  using Request = millrace::port::CaptureRequest;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto parsed = Request::parse(line);
  if (!parsed) {
    require(!parsed.error().what.empty(), "a refusal without a reason");
    return 0;
  }
  require(parsed->directory.starts_with('/') && line.starts_with(parsed->directory), "another directory");
  require(parsed->directory.find_first_of(std::string_view(",\0", 2)) == std::string::npos, "a byte that ends a path");
  require(parsed->frames_max >= 1 && parsed->frames_max <= Request::kFramesMost, "frames out of bounds");
  require(parsed->bytes_max >= Request::kBytesLeast && parsed->bytes_max <= Request::kBytesMost, "bytes out of bounds");
  require(parsed->seconds_max >= 1 && parsed->seconds_max <= Request::kSecondsMost, "seconds out of bounds");
  require(parsed->snap_bytes >= Request::kSnapLeast && parsed->snap_bytes <= millrace::port::kFrameBytesMax,
          "snap out of bounds");
  const auto again = Request::parse(parsed->directory + "," + std::to_string(parsed->frames_max) + "," +
                                    std::to_string(parsed->bytes_max) + "," + std::to_string(parsed->seconds_max) +
                                    "," + std::to_string(parsed->snap_bytes));
  require(again.has_value() && again->directory == parsed->directory && again->frames_max == parsed->frames_max &&
              again->bytes_max == parsed->bytes_max && again->seconds_max == parsed->seconds_max &&
              again->snap_bytes == parsed->snap_bytes,
          "the text says something else");
  return 0;
}
