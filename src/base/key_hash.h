// The keyed 64-bit hash of a key, computed once a request and carried along, and the one place that says which of
// its bits pick what. Pure; any thread. Keyed with a seed drawn at start, so that a client cannot aim at one bucket.
//
//   63        48 47        40 39                                   0
//  +------------+------------+---------------------------------------+
//  | partition  |    tag     |   low bits: spare                      |
//  +------------+------------+---------------------------------------+
//  The bucket is a range reduction of a remix of all bits, so that it is independent of partition and tag.
#pragma once

#include <cstdint>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace {

struct KeyHash {
  std::uint64_t bits = 0;

  /// Which of `count` partitions owns the key (count <= 65536; excess of the fullest over the mean: count / 65536).
  [[nodiscard]] constexpr std::uint32_t partition(std::uint32_t count) const noexcept {
    return static_cast<std::uint32_t>(((bits >> 48) * count) >> 16);
  }
  /// 8-bit tag kept in the index beside the item's address.
  [[nodiscard]] constexpr std::uint8_t tag() const noexcept { return static_cast<std::uint8_t>(bits >> 40); }
  /// 64 bits whose order decides the bucket: bucket = position() * buckets / 2^64.
  [[nodiscard]] constexpr std::uint64_t position() const noexcept { return bits * 0x9e37'79b9'7f4a'7c15ULL; }

  friend constexpr bool operator==(KeyHash, KeyHash) = default;
};

[[nodiscard]] inline KeyHash hash_key(std::string_view key, std::uint64_t seed) noexcept {
  return KeyHash{XXH3_64bits_withSeed(key.data(), key.size(), seed)};
}

}  // namespace millrace
