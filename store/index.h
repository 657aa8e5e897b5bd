// Key to item: buckets of one cache line in pages of the arena, growing in place in bounded steps.
//
// Thread: the partition's owner. Ownership: its pages come from the partition (give_page) and stay; overflow buckets
// are chunks of the slab allocator's class 0. Items are read, to compare keys and to hash them again, never written.
// Invariants: (1) an entry lies in the chain of home(hash); (2) only the last bucket of a chain may have an empty lane
// behind a used one's (erase fills the hole from the chain's end), and no overflow bucket is empty; (3) count() is the
// number of used lanes.
//
// Growing. The bucket is floor(position * buckets / 2^64), which keeps the order of positions. With more buckets than
// before, what was in bucket i belongs to buckets >= i; so moving the last bucket first, then the one before, and so on
// down to the first, never runs into a bucket that still has to be moved, and needs no second copy of the table. While
// that goes on, a hash whose old bucket has been moved uses the new count, the others the old one.
//   old buckets:  0 ............ moved_from_ ........... old_buckets_        first: Idle; pages short of the new size:
//                 still here     | already at the new place                  Gathering; then Moving, a bucket an
//                 insert.
// Why not doubling: it would hold 2x the buckets for half of the time; 1.25x keeps the index at 6.3 .. 7.8 B an item
// plus overflow. Why not linear hashing: its buckets split in an order that leaves half of them twice as full.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "base/attributes.h"
#include "base/key_hash.h"
#include "store/bucket.h"
#include "store/index_probe.h"
#include "store/page_pool.h"
#include "store/slab_allocator.h"
#include "store/types.h"

namespace millrace::store {

__extension__ using Wide = unsigned __int128;

/// Where an entry lies. Valid until the index's epoch changes.
struct IndexSlot {
  Bucket* bucket = nullptr;
  std::uint32_t lane = 0;

  [[nodiscard]] explicit operator bool() const noexcept { return bucket != nullptr; }
  [[nodiscard]] ItemRef ref() const noexcept { return bucket->refs[lane]; }
};

class Index {
 public:
  /// Room for a directory of `pages_max` pages is allocated here, and nothing later.
  Index(PagePool& pages, SlabAllocator& slabs, std::uint64_t hash_seed, std::uint32_t pages_max);

  void prefetch_bucket(KeyHash hash) const noexcept { prefetch(&bucket_at(home(hash))); }
  /// Asks for what look-ups of all of these will read, so that their cache misses are waited for together; at most
  /// kPrefetchMax. Waits for their buckets, not for their items.
  void prefetch_all(std::span<const Key> keys) const noexcept;

  /// The entry whose item has this key.
  [[nodiscard]] IndexSlot find(const Key& key) const noexcept { return look_up(key).slot; }
  /// The item that has this key, if any.
  [[nodiscard]] MR_ALWAYS_INLINE Item::Head find_item(const Key& key) const noexcept { return look_up(key).head; }
  /// The entry that is `ref`; reads no item.
  [[nodiscard]] IndexSlot find_ref(KeyHash hash, ItemRef ref) const noexcept;
  /// Adds an entry for a key that is not there. False when its chain is full and no overflow bucket is to be had.
  bool insert(KeyHash hash, ItemRef ref) noexcept;
  void erase(KeyHash hash, IndexSlot slot) noexcept;
  /// Another item under the same key.
  static void replace(IndexSlot slot, ItemRef ref) noexcept { slot.bucket->refs[slot.lane] = ref; }

  // --- growing: the partition, which can make pages free, asks and gives; each call is a bounded step
  /// Starts gathering pages when the load asks for it, moves one old bucket when growing.
  void step() noexcept {
    if (MR_UNLIKELY(stage_ != Stage::Idle)) {
      step_growth();
    } else if (MR_UNLIKELY(count_ > grow_above_)) {
      start_growth();
    }
  }
  [[nodiscard]] bool wants_page() const noexcept { return stage_ == Stage::Gathering; }
  /// A page the pool marks as the index's. While gathering, or the first one.
  void give_page(std::uint32_t page) noexcept;
  /// Overflow buckets run low: the partition should add a page to class 0.
  [[nodiscard]] bool wants_overflow() const noexcept {
    return slabs_[kOverflowClass].free() < kOverflowReserve && count_ > overflow_above_;
  }

  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint32_t buckets() const noexcept { return buckets_; }
  [[nodiscard]] std::uint32_t pages() const noexcept { return page_count_; }
  [[nodiscard]] std::uint64_t overflow_buckets() const noexcept { return overflow_buckets_; }
  /// Free chunks of class 0 that are left for the index, which may need them on the spot.
  static constexpr std::uint32_t kOverflowReserve = 16;
  [[nodiscard]] bool is_growing() const noexcept { return stage_ != Stage::Idle; }
  [[nodiscard]] std::uint64_t directory_bytes() const noexcept {
    return std::uint64_t{pages_max_} * sizeof(std::uint32_t);
  }
  void check() const;

 private:
  enum class Stage : std::uint8_t {
    Idle,
    Gathering,
    Moving
  };

  [[nodiscard]] static std::uint32_t reduce(std::uint64_t position, std::uint32_t buckets) noexcept {
    return static_cast<std::uint32_t>((static_cast<Wide>(position) * buckets) >> 64);
  }
  [[nodiscard]] std::uint32_t home(KeyHash hash) const noexcept {
    const std::uint64_t position = hash.position();
    const std::uint32_t old = reduce(position, old_buckets_);
    return MR_LIKELY(old < moved_from_) ? old : reduce(position, buckets_);
  }
  [[nodiscard]] Bucket& bucket_at(std::uint32_t number) const noexcept {
    const std::uint32_t place = directory_[number >> page_shift_] + number;
    return *reinterpret_cast<Bucket*>(pages_.address(0) + (std::size_t{place} << kBucketShift));
  }
  [[nodiscard]] Bucket* overflow_at(ItemRef ref) const noexcept { return reinterpret_cast<Bucket*>(pages_.at(ref)); }
  [[nodiscard]] const Item* item_at(ItemRef ref) const noexcept {
    return reinterpret_cast<const Item*>(pages_.at(ref));
  }
  [[nodiscard]] KeyHash hash_of(ItemRef ref) const noexcept { return hash_key(item_at(ref)->key(), seed_); }

  struct Entry {
    Item::Head head{};
    IndexSlot slot{};
  };
  /// What is rare is called: with it in here, all that comes before would wait on the stack for it.
  [[nodiscard]] MR_ALWAYS_INLINE Entry look_up(const Key& key) const noexcept {
    const std::uint8_t tag = tag_of(key.hash);
    Bucket* const bucket = &bucket_at(home(key.hash));
    for (std::uint32_t mask = match(*bucket, tag); mask != 0; mask &= mask - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
      const Item::Head head(*item_at(bucket->refs[lane]));
      if (MR_LIKELY(is_same(head.key(), key.bytes))) {
        return {.head = head, .slot = {bucket, lane}};
      }
    }
    return MR_LIKELY(bucket->overflow == ItemRef{}) ? Entry{} : look_up_further(*bucket, key);
  }
  /// In the buckets behind it.
  [[nodiscard]] Entry look_up_further(const Bucket& bucket, const Key& key) const noexcept;

  /// Keys are short: a call of memcmp would cost more than looking at them does.
  [[nodiscard]] static MR_ALWAYS_INLINE bool is_same(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) {
      return false;
    }
    if (MR_LIKELY(a.size() - 16 <= 16)) {
      const auto odds_of_pair = [&](std::size_t at) {
        Wide ours;
        Wide theirs;
        std::memcpy(&ours, a.data() + at, sizeof ours);
        std::memcpy(&theirs, b.data() + at, sizeof theirs);
        return ours ^ theirs;
      };
      return (odds_of_pair(0) | odds_of_pair(a.size() - sizeof(Wide))) == 0;
    }
    return is_same_of_any_size(a, b);
  }
  [[nodiscard]] static bool is_same_of_any_size(std::string_view a, std::string_view b) noexcept;

  /// Asks for the items of a bucket, which should be here, that carry the hash's tag. False: there are none.
  bool prefetch_items(const Bucket& bucket, KeyHash hash) const noexcept {
    const std::uint32_t matches = match(bucket, tag_of(hash));
    for (std::uint32_t mask = matches; mask != 0; mask &= mask - 1) {
      const std::byte* item = pages_.at(bucket.refs[static_cast<std::uint32_t>(std::countr_zero(mask))]);
      prefetch(item);
      prefetch(item + kCacheLineBytes);
      prefetch(item + 2 * kCacheLineBytes);
    }
    return matches != 0;
  }

  void start_growth() noexcept;
  void step_growth() noexcept;
  void move_bucket(std::uint32_t number) noexcept;
  void prefetch_chain_items(std::uint32_t number) const noexcept;
  void set_buckets(std::uint32_t buckets) noexcept;
  void check_chain(std::uint32_t number, std::uint64_t& entries, std::uint64_t& overflow) const;

  PagePool& pages_;
  SlabAllocator& slabs_;
  std::uint64_t seed_;
  std::uint32_t old_buckets_ = 0;
  std::uint32_t moved_from_ = 0;  ///< old buckets from here on are at their new place; == old_buckets_ when not moving
  std::uint32_t buckets_ = 0;
  Stage stage_ = Stage::Idle;
  std::uint32_t target_buckets_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t grow_above_ = 0;
  std::uint64_t overflow_above_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t overflow_buckets_ = 0;
  std::uint32_t page_shift_;  ///< a page holds 2^this buckets
  std::uint32_t page_count_ = 0;
  std::uint32_t pages_max_;
  /// Of each page of buckets: where its first lies, counted in buckets from the arena's start, less the first one's
  /// number, modulo 2^32; so that a bucket is found by adding.
  std::unique_ptr<std::uint32_t[]> directory_;
};

}  // namespace millrace::store
