// One cache line of the index: twelve tags, twelve references, and where it goes on when that is not enough.
//
// Thread: the partition's owner. Ownership: the arena. Plain bytes.
// Invariant: tag 0 means an empty lane, and then its reference is 0 too.
//
//   0          11 12      15 16                                              63
//  +-------------+----------+--------------------------------------------------+
//  | 12 tags (8) | overflow | 12 item references (32)                          |
//  +-------------+----------+--------------------------------------------------+
//
// Why twelve of 8 + 32 bits: they fill a line, so a look-up costs one memory access for the bucket and, with one
// false tag in 255, close to one for the item. Fifteen shorter references would need a 2-level address.
#pragma once

#include <array>
#include <cstdint>

#include "base/key_hash.h"
#include "store/item.h"

namespace millrace::store {

inline constexpr std::uint32_t kBucketLanes = 12;
inline constexpr std::uint8_t kEmptyTag = 0;

struct alignas(64) Bucket {
  std::array<std::uint8_t, kBucketLanes> tags;
  ItemRef overflow;  ///< another Bucket, in a chunk of class 0
  std::array<ItemRef, kBucketLanes> refs;
};
static_assert(sizeof(Bucket) == 64);
inline constexpr std::uint32_t kBucketShift = 6;
static_assert(sizeof(Bucket) == 1U << kBucketShift);

/// A key's tag: eight bits of its hash, moved off the one that means empty.
[[nodiscard]] constexpr std::uint8_t tag_of(KeyHash hash) noexcept {
  const std::uint8_t tag = hash.tag();
  return tag != kEmptyTag ? tag : std::uint8_t{1};
}

}  // namespace millrace::store
