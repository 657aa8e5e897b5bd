// Every bound of the store and how they hang together. Constants only; any thread.
#pragma once

#include <cstdint>

namespace millrace::store {

/// Memory changes hands between classes, index and pool in pages of one size, a power of two that the arena has for
/// life.
inline constexpr std::uint32_t kPageBytesMin = 4 * 1024;
inline constexpr std::uint32_t kPageBytesMax = 64 * 1024;
/// A page is as large as it can be with so many of them in the arena: what a class holds beyond its need is then
/// little.
inline constexpr std::uint32_t kPagesWanted = 256;
inline constexpr std::uint32_t kNoPage = 0xffff'ffff;

/// Items lie on multiples of this; references count in it.
inline constexpr std::uint32_t kUnitBytes = 8;
inline constexpr std::uint32_t kUnitShift = 3;
/// Units in the largest page; a page-local link is a unit number and fits 16 bits.
inline constexpr std::uint32_t kPageUnitsMax = kPageBytesMax / kUnitBytes;
/// What a 32-bit reference can reach.
inline constexpr std::uint64_t kArenaBytesMax = (std::uint64_t{1} << 32) * kUnitBytes;
inline constexpr std::uint64_t kArenaBytesMin = 256 * 1024;
/// A limit leaves one page for the index, one for overflow, and something to hold items in.
inline constexpr std::uint32_t kLimitPagesMin = 4;

/// libmemcached walks cachedump ids 0 .. 63; ids start at 1.
inline constexpr std::uint32_t kClassesMax = 63;
/// Class 0 of the slab allocator holds the index's overflow buckets.
inline constexpr std::uint32_t kOverflowClass = 0;
inline constexpr std::uint32_t kChunkBytesMin = 32;

inline constexpr std::uint32_t kKeyBytesMax = 250;
inline constexpr std::uint32_t kItemBytesMin = 1024;
inline constexpr std::uint32_t kItemBytesMax = 1024 * 1024 * 1024;
/// A chunk may be this much larger than what it holds (as a fraction of the chunk, 1/8); beyond, the item is chained.
inline constexpr std::uint32_t kWasteShift = 3;

/// Look-ups whose lines are asked for together: more than a core can have on their way.
inline constexpr std::uint32_t kPrefetchMax = 128;

/// Distinct items that replies may hold at a time. 16 B each; beyond, pin() refuses.
inline constexpr std::uint32_t kPinsMax = 8192;

/// One eviction looks at this many slots before it stops honouring reference counters: bounds the pause when all is
/// hot.
inline constexpr std::uint32_t kSweepSlotsMax = 2048;
/// Records of pages that a storing command moves on in the wheel of expiry before it looks for a due one.
inline constexpr std::uint32_t kWheelMovesMax = 64;
/// After a sweep a page rests: 2 s when that took a sixteenth of its chunks, twice as long with each that did not, at
/// most 64 s.
inline constexpr std::uint32_t kSweepGapMin = 1;
inline constexpr std::uint32_t kSweepGapMax = 6;
inline constexpr std::uint32_t kSweepWorthShift = 4;
/// With eviction off, a storing command looks for expired items in this many slots.
inline constexpr std::uint32_t kReclaimSlotsMax = 256;
/// Memory for a large value is found in steps of so many chunks, evictions, or slots looked at (of its own class, or of
/// a page that is being emptied): a step then takes some ten microseconds, and the worker does other things between
/// two.
inline constexpr std::uint32_t kStepChunksMax = 128;
inline constexpr std::uint32_t kStepEvictionsMax = 16;
inline constexpr std::uint32_t kStepSlotsMax = 128;
/// Pages a steal looks at in one class before it asks the next class.
inline constexpr std::uint32_t kStealPagesMax = 16;
/// A class is considered for one more page each time its hand has crossed this many pages.
inline constexpr std::uint32_t kRebalanceCrossings = 8;

/// A class's probation queue is as long as one in so many of its slots.
inline constexpr std::uint32_t kProbationShare = 10;
/// An eviction looks at so many items of the queue that were hit or have gone; then the hand says who goes.
inline constexpr std::uint32_t kProbationLooksMax = 128;
/// Bytes of the arena for each byte of the ghost; one byte remembers a key.
inline constexpr std::uint32_t kGhostShare = 256;
/// From so many pages on the ghost lies in pages of the arena; before, a page is more than it may cost.
inline constexpr std::uint32_t kGhostPagesMin = 256;
/// Slots of a page on its way to another class that one storing command looks at, and with what hands look at to make
/// room for what stays.
inline constexpr std::uint32_t kDrainSlotsMax = 16;
inline constexpr std::uint32_t kDrainLooksMax = 256;
/// Of a page that is emptied at once, so many items find another place, and as long as hands look at so many slots for
/// it; the rest goes.
inline constexpr std::uint32_t kRescuesMax = 256;
inline constexpr std::uint32_t kRescueLooksMax = 2048;
/// Pages for each one that is kept free for who has none of its own, once that has happened. At least one is.
inline constexpr std::uint32_t kReserveShare = 256;
/// Passes over a page that has something lent or reserved in it before it stays where it is.
inline constexpr std::uint32_t kDrainPassesMax = 3;

static_assert(kPageUnitsMax < 0xffff, "a unit number and one sentinel fit 16 bits");
static_assert(kArenaBytesMax / kPageBytesMin < kNoPage);

/// What a page of an arena is large: 64 KiB from 16 MiB on.
[[nodiscard]] constexpr std::uint32_t page_bytes_for(std::uint64_t arena_bytes) noexcept {
  std::uint32_t bytes = kPageBytesMax;
  while (bytes > kPageBytesMin && arena_bytes / bytes < kPagesWanted) {
    bytes /= 2;
  }
  return bytes;
}

}  // namespace millrace::store
