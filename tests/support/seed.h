// The seed of a random test: from MILLRACE_TEST_SEED, else drawn; always printed, so that a failure can be replayed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace millrace::tests {

inline std::uint64_t test_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("MILLRACE_TEST_SEED");
    const std::uint64_t value = given != nullptr
                                    ? std::strtoull(given, nullptr, 0)
                                    : (std::uint64_t{std::random_device{}()} << 16) ^ std::random_device{}();
    std::printf("seed %llu (MILLRACE_TEST_SEED=%llu replays this run)\n", static_cast<unsigned long long>(value),
                static_cast<unsigned long long>(value));
    return value;
  }();
  return seed;
}

/// `name` as a number from the environment, for longer runs.
inline std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 0) : otherwise;
}

}  // namespace millrace::tests
