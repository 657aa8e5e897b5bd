// Parses words that must be accepted, refused or answered with a text, and fails the test when they are not. Test
// thread.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <variant>
#include <vector>

#include "config/parse_cli.h"

namespace millrace::config {

inline Options accepted(const std::vector<std::string>& words, const ProcessFacts& process = {}) {
  const auto parsed = parse_cli(words, process);
  if (!parsed) {
    ADD_FAILURE() << "refused: " << parsed.error().what;
    return {};
  }
  const auto* options = std::get_if<Options>(&*parsed);
  EXPECT_NE(options, nullptr) << "left with a text";
  return options == nullptr ? Options{} : *options;
}

inline std::string refused(const std::vector<std::string>& words, const ProcessFacts& process = {}) {
  const auto parsed = parse_cli(words, process);
  EXPECT_FALSE(parsed.has_value()) << "accepted";
  return parsed ? "" : parsed.error().what;
}

inline std::string exit_text(const std::vector<std::string>& words, const ProcessFacts& process = {}) {
  const auto parsed = parse_cli(words, process);
  EXPECT_TRUE(parsed.has_value()) << parsed.error().what;
  const auto* text = parsed ? std::get_if<ExitText>(&*parsed) : nullptr;
  EXPECT_NE(text, nullptr);
  return text == nullptr ? "" : text->text;
}

}  // namespace millrace::config
