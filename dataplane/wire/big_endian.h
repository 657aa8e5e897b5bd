// Numbers in network order. Pure; any thread. The one place of the dataplane that swaps bytes.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace millrace::wire {

[[nodiscard]] inline std::uint8_t load_u8(const std::byte* from) noexcept { return static_cast<std::uint8_t>(*from); }

[[nodiscard]] inline std::uint16_t load_be16(const std::byte* from) noexcept {
  std::uint16_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap16(word) : word;
}

[[nodiscard]] inline std::uint32_t load_be32(const std::byte* from) noexcept {
  std::uint32_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap32(word) : word;
}

[[nodiscard]] inline std::uint64_t load_be64(const std::byte* from) noexcept {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

inline void store_u8(std::byte* to, std::uint8_t value) noexcept { *to = static_cast<std::byte>(value); }

inline void store_be16(std::byte* to, std::uint16_t value) noexcept {
  const std::uint16_t word = std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
  std::memcpy(to, &word, sizeof word);
}

inline void store_be32(std::byte* to, std::uint32_t value) noexcept {
  const std::uint32_t word = std::endian::native == std::endian::little ? __builtin_bswap32(value) : value;
  std::memcpy(to, &word, sizeof word);
}

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

}  // namespace millrace::wire
