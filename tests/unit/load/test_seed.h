// The seed of a random test: from MILLRACE_TEST_SEED, else drawn; printed either way.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace millrace::load {

inline std::uint64_t test_seed() {
  const char* const text = std::getenv("MILLRACE_TEST_SEED");
  const std::uint64_t seed = text != nullptr ? std::strtoull(text, nullptr, 10) : std::random_device{}();
  std::printf("MILLRACE_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace millrace::load
