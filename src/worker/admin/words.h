// The words of an administrator's command. Pure; any thread.
#pragma once

#include <charconv>
#include <string_view>
#include <system_error>
#include <vector>

namespace millrace::worker {

[[nodiscard]] inline std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = text.find_first_not_of(' ');
    if (begin == std::string_view::npos) {
      return words;
    }
    const std::size_t end = text.find(' ', begin);
    words.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) {
      return words;
    }
    text.remove_prefix(end);
  }
}

/// The whole word is a number that fits.
template <typename Number>
[[nodiscard]] bool parse_number(std::string_view word, Number& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc{} && end == word.data() + word.size();
}

}  // namespace millrace::worker
