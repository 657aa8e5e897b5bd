// Ways to cut a stream, drawn from the stream itself, so that an input alone replays a failure and corpus files are
// plain protocol text.
#pragma once

#include <cstdint>
#include <random>
#include <string_view>
#include <vector>

#include "support/protocol_transcript.h"

namespace millrace::fuzz {

inline std::uint64_t digest(std::string_view bytes) {
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  for (const char c : bytes) {
    sum = (sum ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return sum;
}

/// `random` has to outlive what is returned.
inline std::vector<tests::Cut> cuts(std::mt19937_64& random) {
  std::vector<tests::Cut> all{tests::cut_every(1), tests::cut_every(3)};
  for (const std::size_t max : {6U, 60U, 2100U}) {
    all.push_back([&random, max](std::size_t) { return std::size_t{1} + random() % max; });
  }
  return all;
}

}  // namespace millrace::fuzz
