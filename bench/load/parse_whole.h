// A number that is all of a text. Pure.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>

namespace millrace::load {

/// False: it is none, it does not fit, or something stands behind it.
template <typename T>
[[nodiscard]] bool parse_whole(std::string_view text, T& number) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace millrace::load
