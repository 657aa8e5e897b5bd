// The real store, driven by a trace read-through: a get for each record, and a set when it misses.
// One thread. Owns its arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "bench/load/trace.h"
#include "store/partition.h"

namespace millrace::eviction {

inline constexpr std::uint32_t kKeyBytes = 17;
/// What the models reckon an item costs beside key and value: header, index, and what they do not fill.
inline constexpr std::uint32_t kOverheadBytes = 22;

struct UnmapArena {
  std::uint64_t bytes = 0;
  void operator()(std::byte* arena) const;
};

/// An arena, and a partition in it.
class StoreRun {
 public:
  static Result<StoreRun> create(std::uint64_t arena_bytes, store::PartitionOptions options);
  StoreRun(StoreRun&& other) noexcept = default;
  StoreRun& operator=(StoreRun&& other) noexcept = default;

  /// True when a get found its item; sets it when not. A record that is a set only sets, and counts as found.
  bool replay(std::uint32_t key, std::uint32_t value_bytes, std::uint32_t ttl_s, bool is_set);

  [[nodiscard]] store::Partition& partition() { return *partition_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  StoreRun() = default;

  std::unique_ptr<std::byte, UnmapArena> arena_;
  std::unique_ptr<store::Partition> partition_;
  std::string value_;
  std::uint64_t refused_ = 0;
};

/// An arena in which items of one size fill whole pages, for traces that count objects.
struct UnsizedShape {
  std::uint64_t arena_bytes = 0;
  std::uint32_t value_bytes = 0;
  std::uint64_t items = 0;  ///< how many it holds before the first goes
};

/// Arenas are whole numbers of this.
inline constexpr std::uint64_t kArenaStepBytes = 64 * 1024;

/// The shape that holds `items` or just above, in at least some sixty steps, so that one is a small part of it.
Result<UnsizedShape> unsized_shape(std::uint64_t items);

}  // namespace millrace::eviction
