// Making a partition: checks what it is given and says what would work.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {
namespace {

/// Pages the index may come to hold: with the smallest items it takes a fifth of what they take together.
constexpr std::uint32_t index_pages_max(std::uint32_t arena_pages) noexcept { return arena_pages / 4 + 1; }

/// Sizes that waste little are worth little where most classes have a few pages and take each other's.
double usual_growth_factor(std::uint32_t page_bytes) noexcept { return page_bytes == kPageBytesMax ? 1.10 : 1.25; }

/// A page holds two of the smallest chunk, and one of any size that is given.
std::uint32_t page_bytes_of(const PartitionOptions& options) noexcept {
  if (options.page_bytes != 0) {
    return options.page_bytes;
  }
  const std::uint32_t largest = options.chunk_sizes.empty() ? 0 : options.chunk_sizes.back();
  const std::uint32_t needed = std::max(std::min(options.chunk_bytes_min, kPageBytesMax / 2) * 2, largest);
  return std::max(page_bytes_for(options.arena.size()), std::bit_ceil(std::min(needed, kPageBytesMax)));
}

}  // namespace

Result<std::unique_ptr<Partition>> Partition::create(const PartitionOptions& options) {
  const std::uint64_t bytes = options.arena.size();
  if (bytes > kArenaBytesMax) {
    return fail(
        fmt::format("a worker's share of the cache is {} MiB, and at most {} MiB can be addressed; use more workers",
                    bytes >> 20, kArenaBytesMax >> 20));
  }
  if (bytes < kArenaBytesMin) {
    return fail(
        fmt::format("a worker's share of the cache is {} KiB, and it needs at least {} KiB; use fewer workers "
                    "or a larger cache (-m)",
                    bytes >> 10, kArenaBytesMin >> 10));
  }
  if (reinterpret_cast<std::uintptr_t>(options.arena.data()) % kCacheLineBytes != 0) {
    return fail("the arena does not start on a cache line");
  }
  if (options.item_bytes_max < kItemBytesMin || options.item_bytes_max > kItemBytesMax) {
    return fail(fmt::format("the largest item (-I) must be {} bytes to {} MiB, not {} bytes", kItemBytesMin,
                            kItemBytesMax >> 20, options.item_bytes_max));
  }
  if (options.cas_start >= kCasMax) {
    return fail(fmt::format("CAS numbers end at {}, so they cannot start at {}", kCasMax, options.cas_start));
  }
  const std::uint32_t page_bytes = page_bytes_of(options);
  const double factor = options.growth_factor.value_or(usual_growth_factor(page_bytes));
  const Result<SizeTable> sizes = SizeTable::create(options.chunk_bytes_min, factor, options.chunk_sizes, page_bytes);
  if (!sizes) {
    return fail(sizes.error().what);
  }
  return std::unique_ptr<Partition>(new Partition(options, *sizes, factor, page_bytes));
}

Partition::Partition(const PartitionOptions& options, const SizeTable& sizes, double growth_factor,
                     std::uint32_t page_bytes)
    : pages_(options.arena, page_bytes, options.arena_owner),
      sizes_(sizes),
      slabs_(pages_, sizes_),
      index_(pages_, slabs_, options.hash_seed, index_pages_max(pages_.pages())),
      item_bytes_max_(options.item_bytes_max),
      evicts_(options.evicts),
      large_value_share_(options.large_value_share),
      seed_(options.hash_seed),
      cas_(options.cas_start),
      flushed_cas_(options.cas_start),
      policy_(options.policy),
      has_probation_(options.evicts && options.policy == EvictionPolicy::Clock),
      chooses_(options.evicts && options.policy != EvictionPolicy::Clock && options.policy != EvictionPolicy::Clock2),
      random_(static_cast<std::uint32_t>(options.hash_seed) | 1),
      growth_factor_(growth_factor) {
  if (options.bytes_at_start != 0) {
    pages_.start_with(static_cast<std::uint32_t>(options.bytes_at_start >> pages_.page_shift()));
  }
  // Page 0 is the index's first, so that reference 0 can mean none.
  const std::uint32_t first = pages_.take(PageUse::Index);
  MR_ASSERT(first == 0);
  index_.give_page(first);
  if (chooses_) {
    make_records();
  }
  set_large_bytes_max();
  mover_.set_arena(pages_.pages(), page_bytes);
  if (has_probation_) {
    make_ghost();
  }
}

/// A 256th of the arena. Pages that were never taken come in the order of their addresses, so they lie together.
void Partition::make_ghost() {
  const std::uint32_t pages = pages_.pages() / kGhostPagesMin;
  if (pages == 0) {
    const std::size_t words = std::size_t{pages_.pages()} * (pages_.page_bytes() / kGhostShare / sizeof(std::uint32_t));
    small_ghost_ = std::make_unique<std::uint32_t[]>(words);
    ghost_ = Ghost({small_ghost_.get(), words});
    return;
  }
  const std::uint32_t first = pages_.take(PageUse::Ghost);
  for (std::uint32_t n = 1; n < pages; ++n) {
    const std::uint32_t page = pages_.take(PageUse::Ghost);
    MR_ASSERT(page == first + n);
  }
  const std::size_t bytes = std::size_t{pages} << pages_.page_shift();
  std::memset(pages_.address(first), 0, bytes);
  ghost_ = Ghost({reinterpret_cast<std::uint32_t*>(pages_.address(first)), bytes / sizeof(std::uint32_t)});
}

Partition::~Partition() = default;

}  // namespace millrace::store
