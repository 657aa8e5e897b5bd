// What random tests draw.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

namespace millrace::contract {

/// Uniform in [low, high].
inline std::size_t pick(std::mt19937_64& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}

inline std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t at = 0; at < size; at += sizeof(std::uint64_t)) {
    const std::uint64_t drawn = random();
    std::memcpy(bytes.data() + at, &drawn, std::min(sizeof drawn, size - at));
  }
  return bytes;
}

}  // namespace millrace::contract
