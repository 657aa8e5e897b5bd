// Which lanes of a bucket carry a tag: the compare at the heart of every look-up, as a bit mask of twelve lanes.
// Pure; any thread. Two versions under the same tests: portable, and SSE2 where the compiler has it.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/attributes.h"
#include "store/bucket.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace millrace::store {

inline constexpr std::uint32_t kLaneMask = (1U << kBucketLanes) - 1;

[[nodiscard]] constexpr std::uint32_t match_portable(const Bucket& bucket, std::uint8_t tag) noexcept {
  std::uint32_t mask = 0;
  for (std::uint32_t lane = 0; lane < kBucketLanes; ++lane) {
    mask |= static_cast<std::uint32_t>(bucket.tags[lane] == tag) << lane;
  }
  return mask;
}

#ifdef __SSE2__
[[nodiscard]] MR_ALWAYS_INLINE std::uint32_t match_sse2(const Bucket& bucket, std::uint8_t tag) noexcept {
  // Reads the overflow link along with the tags and masks it off.
  __m128i line;
  std::memcpy(&line, static_cast<const void*>(&bucket), sizeof line);
  const __m128i equal = _mm_cmpeq_epi8(line, _mm_set1_epi8(static_cast<char>(tag)));
  return static_cast<std::uint32_t>(_mm_movemask_epi8(equal)) & kLaneMask;
}
#endif

/// Bit n is set when lane n carries `tag`.
[[nodiscard]] MR_ALWAYS_INLINE std::uint32_t match(const Bucket& bucket, std::uint8_t tag) noexcept {
#ifdef __SSE2__
  return match_sse2(bucket, tag);
#else
  return match_portable(bucket, tag);
#endif
}

}  // namespace millrace::store
