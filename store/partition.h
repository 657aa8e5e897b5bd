// One core's share of the cache: an index and slab-allocated items in one reserved, NUMA-local arena.
//
// Thread: one owner; no call is thread-safe, nothing is locked. Time and randomness are arguments.
// Ownership: the arena is given and outlives the partition. An Item* that find() or peek() returned stays valid until the
// next call that can store, delete, evict or move; whoever needs it longer pins it. A pinned item that is replaced,
// deleted or evicted keeps its memory until the last unpin, but is found no more.
// Invariants: store/README.md, numbered; check() asserts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/key_hash.h"
#include "base/result.h"
#include "base/status.h"
#include "store/counters.h"
#include "store/item.h"
#include "store/types.h"

namespace millrace::store {

struct PartitionOptions {
  std::span<std::byte> arena;                    ///< page aligned, already bound and faulted in; not owned
  std::uint32_t item_bytes_max = 1024 * 1024;    ///< -I: header, key and value together
  std::uint32_t chunk_bytes_min = 48;            ///< -n
  double growth_factor = 1.10;                   ///< -f
  bool evicts = true;                            ///< -M turns it off
};

/// Memory promised to a value that is still arriving. The holder writes the bytes, then commits or aborts; exactly once.
/// Value memory is a list of spans, walked with Partition::reserved_span.
struct Reservation {
  ItemRef ref{};
  std::uint32_t value_bytes = 0;
  [[nodiscard]] bool is_valid() const noexcept { return ref != ItemRef{}; }
};

/// What a storing command wants besides key and value.
struct StoreArgs {
  StoreMode mode = StoreMode::Set;
  std::uint32_t flags = 0;
  Seconds expires_at = kNever;
  Cas cas_compare = 0;  ///< StoreMode::Cas
};

struct StoreReply {
  Outcome outcome = Outcome::Stored;
  Cas cas = 0;  ///< the new one when Stored
};

struct ArithReply {
  Outcome outcome = Outcome::Stored;
  std::uint64_t number = 0;
  Cas cas = 0;
};

class Partition {
 public:
  static Result<std::unique_ptr<Partition>> create(const PartitionOptions& options);
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  // --- The three stages of a batched look-up: index.h, batch.h. The first two only hint and may be skipped.
  void prefetch_bucket(KeyHash hash) const noexcept;
  /// Reads the bucket's line (prefetch it first) and asks for the lines of the items that carry the tag.
  void prefetch_item(KeyHash hash) const noexcept;

  // --- partition_get.cc
  /// A live item, its reference bits bumped and counted as a get (hit, miss, expired, flushed); null on a miss.
  const Item* get(const Key& key, Seconds now) noexcept;
  /// Get and touch: counted as touch.
  const Item* get_and_touch(const Key& key, Seconds expires_at, Seconds now) noexcept;
  /// A live item without bump and without count; null on a miss.
  const Item* peek(const Key& key, Seconds now) noexcept;
  /// The value's bytes from `offset` on, as far as they lie together; empty at the end. Most values are one span.
  [[nodiscard]] std::span<const char> value_span(const Item* item, std::uint32_t offset) const noexcept;

  // --- pin.h
  /// Lends an item to a reply. `ref` names it in unpin(), which any later call may follow.
  ItemRef pin(const Item* item) noexcept;
  void unpin(ItemRef ref) noexcept;

  // --- partition_store.cc
  StoreReply store(const Key& key, std::string_view value, const StoreArgs& args, Seconds now) noexcept;
  /// Memory for a value of `value_bytes` that has yet to arrive. On TooLarge and OutOfMemory the old value of the key is
  /// deleted, as memcached does, so that no stale one is served. Neither findable nor evictable until commit.
  Outcome reserve(const Key& key, std::uint32_t value_bytes, Seconds now, Reservation& out) noexcept;
  /// Writable bytes of the value from `offset` on, as far as they lie together.
  [[nodiscard]] std::span<char> reserved_span(const Reservation& reservation, std::uint32_t offset) noexcept;
  /// Makes the filled reservation the key's value, under `args`; the reservation is used up whatever the outcome.
  StoreReply commit(const Reservation& reservation, KeyHash hash, const StoreArgs& args, Seconds now) noexcept;
  void abort(const Reservation& reservation) noexcept;

  // --- partition_arith.cc, partition_delete.cc, partition_touch.cc, partition_flush.cc
  /// incr (delta added, wraps at 2^64) or decr (floor 0, old length kept with trailing spaces).
  ArithReply arith(const Key& key, std::uint64_t delta, bool is_decrement, Seconds now) noexcept;
  Outcome remove(const Key& key, Seconds now) noexcept;
  Outcome touch(const Key& key, Seconds expires_at, Seconds now) noexcept;
  /// Everything stored before `at` is gone from then on; at <= now means at once, and then what is stored later in the
  /// same second stays.
  void flush(Seconds at, Seconds now) noexcept;

  // --- housekeeping
  /// A bounded slice of work that nobody waits for: gives back pages over the limit, takes expired and flushed items
  /// out. Returns how many items it looked at.
  std::uint32_t housekeep(Seconds now, std::uint32_t items_max) noexcept;
  /// Changes how much of the arena may be used (cache_memlimit). False when it is more than the arena or less than one
  /// page for each class in use; shrinking is carried out by housekeep().
  bool set_limit(std::uint64_t bytes) noexcept;

  // --- inspection: owner only, cold except counters()
  [[nodiscard]] const PartitionCounters& counters() const noexcept;
  [[nodiscard]] PartitionCounters& counters() noexcept;
  [[nodiscard]] std::uint64_t limit_bytes() const noexcept;
  [[nodiscard]] std::uint32_t classes() const noexcept;  ///< ids are 1 .. classes()
  [[nodiscard]] ClassStats class_stats(std::uint32_t id, Seconds now) const noexcept;
  [[nodiscard]] MemoryStats memory_stats() const noexcept;
  /// Walks at most `items_max` live items of a class (0: all); false from `visit` ends it. For cachedump and sizes.
  void visit_class(std::uint32_t id, std::uint32_t items_max, Seconds now, ItemVisitor& visit) const;
  /// Asserts the numbered invariants over everything. Tests only: walks the whole arena.
  void check() const;

 private:
  class Impl;  // sketch: the implementer decides how the parts (pages, classes, index, hand) are held
  std::unique_ptr<Impl> impl_;
  explicit Partition(std::unique_ptr<Impl> impl);
};

}  // namespace millrace::store
