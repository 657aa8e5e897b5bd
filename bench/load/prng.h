// Seeded pseudo-random numbers for the generator: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
// Each load thread owns one, with a seed of its own, so that no two connections ever send the same sequence.
// Why not <random>: its distributions differ between standard libraries, and a run must be repeatable from its seed.
#pragma once

#include <cstdint>

namespace millrace::load {

/// A bijection of 64 bits that looks random.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebULL;
  return x ^ (x >> 31);
}

class Prng {
 public:
  explicit constexpr Prng(std::uint64_t seed) noexcept : state_(seed) {}

  constexpr std::uint64_t next() noexcept { return mix64(state_ += 0x9e37'79b9'7f4a'7c15ULL); }

  /// Uniform in [0, bound); bound > 0. The bias is below bound / 2^64.
  constexpr std::uint64_t below(std::uint64_t bound) noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  /// Uniform in [0, 1), 53 bits.
  constexpr double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  std::uint64_t state_;
};

}  // namespace millrace::load
