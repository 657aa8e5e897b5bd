// What random tests draw.
#pragma once

#include <cstddef>
#include <random>
#include <string>

namespace millrace::contract {

/// Uniform in [low, high].
inline std::size_t pick(std::mt19937_64& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}

inline std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

}  // namespace millrace::contract
