#include "store/slab_class.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/assert.h"
#include "store/bucket.h"
#include "store/item.h"

namespace millrace::store {
namespace {

/// What a chained item's first chunk holds at least: all that comes before its value.
constexpr std::uint32_t kHeadBytesMin =
    kItemHeaderBytes + kTimeBytes + kChainBytes + kClientFlagsBytes + kGivenCasBytes + kKeyBytesMax + 1;
static_assert(kHeadBytesMin <= kPageBytesMin / 8);

constexpr std::uint32_t round_up(std::uint32_t bytes) noexcept { return (bytes + kUnitBytes - 1) & ~(kUnitBytes - 1); }

}  // namespace

/// From here on a chunk that fits badly is split; below, classes are dense and pieces would cost more than they save.
std::uint32_t SizeTable::split_from() const noexcept { return page_bytes_ / 8; }

/// The largest multiple of 8 of which as many fit a page.
std::uint32_t SizeTable::widen(std::uint32_t bytes) const noexcept {
  return (page_bytes_ / std::max(page_bytes_ / bytes, 1U)) & ~(kUnitBytes - 1);
}

bool SizeTable::fill(std::uint32_t chunk_bytes_min, double growth_factor,
                     std::span<const std::uint32_t> sizes) noexcept {
  count_ = 0;
  bytes_[kOverflowClass] = sizeof(Bucket);
  std::uint32_t bytes = widen(round_up(sizes.empty() ? chunk_bytes_min : sizes.front()));
  while (true) {
    if (count_ == kClassesMax) {
      return false;
    }
    bytes_[++count_] = bytes;
    if (bytes == page_bytes_) {
      break;
    }
    // Sizes that are the same once they fill a page are one.
    while (!sizes.empty() && widen(round_up(sizes.front())) <= bytes) {
      sizes = sizes.subspan(1);
    }
    if (!sizes.empty()) {
      bytes = widen(round_up(sizes.front()));
      continue;
    }
    const double grown = std::ceil(static_cast<double>(bytes) * growth_factor);
    const std::uint32_t next = grown >= page_bytes_ ? page_bytes_ : static_cast<std::uint32_t>(grown);
    // Rounded down to a unit, but never less than a unit more: 1.10 means 8, 8, 8 … up to 80, then 1.10.
    bytes = widen(std::max(bytes + kUnitBytes, next & ~(kUnitBytes - 1)));
  }
  std::uint32_t id = 1;
  for (std::uint32_t unit = 0; unit <= page_bytes_ / kUnitBytes; ++unit) {
    while (unit * kUnitBytes > bytes_[id]) {
      ++id;
    }
    by_unit_[unit] = static_cast<std::uint8_t>(id);
  }
  return true;
}

Result<SizeTable> SizeTable::create(std::uint32_t chunk_bytes_min, double growth_factor,
                                    std::span<const std::uint32_t> sizes, std::uint32_t page_bytes) {
  if (chunk_bytes_min < kChunkBytesMin || chunk_bytes_min > page_bytes / 2) {
    return fail(fmt::format("the smallest chunk (-n) must be {} to {} bytes, not {}", kChunkBytesMin, page_bytes / 2,
                            chunk_bytes_min));
  }
  if (!(growth_factor > 1.0) || growth_factor > 100.0) {
    return fail(fmt::format("the growth factor (-f) must be above 1, and at most 100, not {}", growth_factor));
  }
  for (std::size_t n = 0; n < sizes.size(); ++n) {
    if (sizes[n] < kChunkBytesMin || sizes[n] > page_bytes || (n != 0 && sizes[n] <= sizes[n - 1])) {
      return fail(fmt::format("sizes of chunks must rise, from {} to {} bytes, and {} does not fit in", kChunkBytesMin,
                              page_bytes, sizes[n]));
    }
  }
  SizeTable table(page_bytes);
  if (table.fill(chunk_bytes_min, growth_factor, sizes)) {
    return table;
  }
  if (!sizes.empty() && !table.fill(chunk_bytes_min, 100.0, sizes)) {
    return fail(fmt::format("{} sizes of chunks are too many: with what is above them there are {} at most",
                            sizes.size(), kClassesMax));
  }
  double works = std::ceil(growth_factor * 100.0) / 100.0;
  while (!table.fill(chunk_bytes_min, works, sizes)) {
    works += 0.01;
  }
  return fail(fmt::format("a growth factor (-f) of {} needs more than {} size classes from {} bytes up; {:.2f} works",
                          growth_factor, kClassesMax, sizes.empty() ? chunk_bytes_min : sizes.back(), works));
}

std::uint32_t SizeTable::largest_within(std::uint64_t bytes) const noexcept {
  if (bytes >= page_bytes_) {
    return count_;
  }
  const std::uint32_t id = smallest(bytes);
  return bytes_[id] == bytes ? id : id - 1;
}

std::uint32_t SizeTable::pick(std::uint64_t bytes) const noexcept {
  const std::uint32_t id = smallest(bytes);
  if (id != 0 && (bytes <= split_from() || bytes_[id] - bytes <= bytes_[id] >> kWasteShift)) {
    return id;
  }
  const std::uint32_t filled = largest_within(bytes);
  // A coarse -f can leave nothing between a few bytes and half a page: then the wasteful one it is.
  return filled != 0 && bytes_[filled] >= std::max(split_from() / 2, kHeadBytesMin) ? filled : id;
}

std::uint32_t SizeTable::contiguous(std::uint64_t bytes) const noexcept {
  if (bytes <= split_from()) {
    return smallest(bytes);
  }
  // What would be chained as one piece is not chained.
  for (const std::uint64_t tried : {bytes, bytes + kChainBytes, bytes + kChainBytes + kTimeBytes}) {
    const std::uint32_t id = pick(tried);
    if (bytes_[id] >= tried) {
      return id;
    }
  }
  return 0;
}

}  // namespace millrace::store
