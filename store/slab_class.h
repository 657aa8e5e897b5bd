// The sizes of chunks: chosen once at start, then a table to look up.
//
// Thread: any, once made. Ownership: by value inside the slab allocator.
// Sizes start at -n and grow by -f in steps of at least 8 bytes; each is then widened to the largest multiple of 8 that
// still gives as many chunks a page, so that a page's tail is next to nothing; the last is a whole page. Or they are
// given, by whoever knows what will be stored.
// Why not memcached's 1.25: with 1.10 the mean item wastes 5 % instead of 11 %, and 63 ids are enough for it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "store/limits.h"

namespace millrace::store {

class SizeTable {
 public:
  /// Fails when 63 classes do not reach a page, naming the smallest factor that does.
  /// `sizes`, when there are some, come first and in their order; the factor carries on from the last.
  static Result<SizeTable> create(std::uint32_t chunk_bytes_min, double growth_factor,
                                  std::span<const std::uint32_t> sizes = {}, std::uint32_t page_bytes = kPageBytesMax);

  [[nodiscard]] std::uint32_t classes() const noexcept { return count_; }
  /// Of class 1 .. classes(); of class 0 an overflow bucket's size.
  [[nodiscard]] std::uint32_t chunk_bytes(std::uint32_t id) const noexcept { return bytes_[id]; }
  /// Smallest class that holds `bytes`; 0 when it takes more than a page.
  [[nodiscard]] std::uint32_t smallest(std::uint64_t bytes) const noexcept {
    return bytes <= page_bytes_ ? by_unit_[(bytes + kUnitBytes - 1) >> kUnitShift] : 0;
  }
  /// Largest class whose chunk `bytes` fill; 0 when even the first is larger.
  [[nodiscard]] std::uint32_t largest_within(std::uint64_t bytes) const noexcept;
  /// The class to put `bytes` (or as much of them as it holds) into: the smallest that holds all of it, unless that
  /// wastes more than 1/8 of a large chunk; then the largest that is filled, and the rest goes elsewhere.
  [[nodiscard]] std::uint32_t pick(std::uint64_t bytes) const noexcept;
  /// The class of an item that lies in one piece; 0 when it is to be chained.
  [[nodiscard]] std::uint32_t contiguous(std::uint64_t bytes) const noexcept;

 private:
  explicit SizeTable(std::uint32_t page_bytes) noexcept : page_bytes_(page_bytes) {}
  [[nodiscard]] std::uint32_t widen(std::uint32_t bytes) const noexcept;
  [[nodiscard]] std::uint32_t split_from() const noexcept;
  bool fill(std::uint32_t chunk_bytes_min, double growth_factor, std::span<const std::uint32_t> sizes) noexcept;

  std::uint32_t page_bytes_;
  std::uint32_t count_ = 0;
  std::array<std::uint32_t, kClassesMax + 1> bytes_{};
  std::array<std::uint8_t, kPageUnitsMax + 1> by_unit_{};
};

}  // namespace millrace::store
