// Numbers on a command line of the small programs here. Any thread; nothing owned.
#pragma once

#include <charconv>
#include <cstring>

namespace millrace {

/// All of `text` is one number, and it fits.
template <typename Number>
bool parse_number(const char* text, Number& number) {
  const char* const end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, number);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

}  // namespace millrace
