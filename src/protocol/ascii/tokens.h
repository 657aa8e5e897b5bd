// Words of a line: separated by one space or more, and by nothing else; a tab is part of a word, as in memcached.
// Pure views; any thread.
#pragma once

#include <cstring>
#include <string_view>

namespace millrace::protocol::ascii {

[[nodiscard]] inline std::string_view without_leading_spaces(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size() && text[at] == ' ') {
    ++at;
  }
  return text.substr(at);
}

[[nodiscard]] inline std::string_view without_trailing_spaces(std::string_view text) noexcept {
  std::size_t bytes = text.size();
  while (bytes > 0 && text[bytes - 1] == ' ') {
    --bytes;
  }
  return text.substr(0, bytes);
}

/// Bytes before the first space, or all of them.
[[nodiscard]] inline std::size_t word_bytes(std::string_view text) noexcept {
  const void* at = text.empty() ? nullptr : std::memchr(text.data(), ' ', text.size());
  return at == nullptr ? text.size() : static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

class Words {
 public:
  explicit Words(std::string_view line) noexcept : rest_(line) {}

  /// next() for a word that is likely to be a dozen bytes or more.
  std::string_view next_key() noexcept {
    rest_ = without_leading_spaces(rest_);
    const std::string_view word = rest_.substr(0, word_bytes(rest_));
    rest_.remove_prefix(word.size());
    return word;
  }

  /// The next word; empty when there is none. Most are a digit or two, so that a plain loop beats a call.
  std::string_view next() noexcept {
    rest_ = without_leading_spaces(rest_);
    std::size_t bytes = 0;
    while (bytes < rest_.size() && rest_[bytes] != ' ') {
      ++bytes;
    }
    const std::string_view word = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return word;
  }

  /// What next() has not given yet.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
};

/// The last word, wherever it stands: `delete noreply` deletes the key `noreply`, silently, as memcached does.
[[nodiscard]] inline bool ends_with_noreply(std::string_view arguments) noexcept {
  constexpr std::string_view kWord = "noreply";
  const std::string_view text = without_trailing_spaces(arguments);
  if (!text.ends_with(kWord)) {
    return false;
  }
  return text.size() == kWord.size() || text[text.size() - kWord.size() - 1] == ' ';
}

}  // namespace millrace::protocol::ascii
