// Any bytes as a number on the wire, against the C library: header numbers are what strtol and strtoul say (cut to 32
// bits), strict ones are what from_chars says of plain digits. What is written is read back.

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "fuzz/check.h"
#include "protocol/ascii/numbers.h"
#include "protocol/reply.h"

namespace {

using millrace::fuzz::require;
namespace ascii = millrace::protocol::ascii;

bool ends_well(const char* end) { return *end == '\0' || *end == ' ' || (*end >= '\t' && *end <= '\r'); }

std::optional<std::uint32_t> flags_by_c_library(const std::string& word) {
  char* end = nullptr;
  errno = 0;
  const unsigned long number = std::strtoul(word.c_str(), &end, 10);
  const std::string_view read(word.c_str(), static_cast<std::size_t>(end - word.c_str()));
  const bool is_negative = read.find('-') != std::string_view::npos && static_cast<long>(number) < 0;
  if (errno == ERANGE || read.empty() || !ends_well(end) || is_negative) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(number);
}

std::optional<std::int32_t> exptime_by_c_library(const std::string& word) {
  char* end = nullptr;
  errno = 0;
  const long number = std::strtol(word.c_str(), &end, 10);
  if (errno == ERANGE || end == word.c_str() || !ends_well(end)) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(number);
}

template <class Number>
std::optional<Number> by_from_chars(std::string_view word, std::size_t bytes_max) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size() || word.size() > bytes_max) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string word(reinterpret_cast<const char*>(data), size);
  require(ascii::parse_flags(word) == flags_by_c_library(word), "flags: " + word);
  require(ascii::parse_header_exptime(word) == exptime_by_c_library(word), "header exptime: " + word);
  require(ascii::parse_u64(word) == by_from_chars<std::uint64_t>(word, 22), "u64: " + word);
  require(ascii::parse_u32(word) == by_from_chars<std::uint32_t>(word, 11), "u32: " + word);
  const auto i32 = word == "-" ? std::optional<std::int32_t>(0) : by_from_chars<std::int32_t>(word, 11);
  require(ascii::parse_i32(word) == i32, "i32: " + word);

  std::uint64_t number = 0;
  std::memcpy(&number, data, size < sizeof number ? size : sizeof number);
  char line[millrace::protocol::kNumberLineBytesMax];
  const char* end = millrace::protocol::write_number_line(line, number);
  const std::string_view written(line, static_cast<std::size_t>(end - line));
  require(written == std::to_string(number) + "\r\n", "written: " + std::to_string(number));
  require(ascii::parse_u64(written.substr(0, written.size() - 2)) == number, "read back: " + std::to_string(number));
  return 0;
}
