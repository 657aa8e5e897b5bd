// What a fuzz target says when something does not hold: the words, then abort, which libFuzzer and the replay both
// notice.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace millrace::fuzz {

inline void require(bool holds, const std::string& words) {
  if (!holds) {
    std::fprintf(stderr, "fuzz: %s\n", words.c_str());
    std::abort();
  }
}

}  // namespace millrace::fuzz
