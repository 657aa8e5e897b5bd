// A partition with an arena of its own, and short words for what tests do to it.
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store/partition.h"
#include "unit/store/guarded_arena.h"

namespace millrace::store::tests {

inline constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def0;

inline Key make_key(std::string_view bytes) { return {bytes, hash_key(bytes, kSeed)}; }

class Store {
 public:
  explicit Store(std::uint32_t pages, PartitionOptions options = {}) : arena_(pages) {
    options.arena = arena_.bytes();
    options.hash_seed = kSeed;
    options.page_bytes = options.page_bytes != 0 ? options.page_bytes : kPageBytes;  // which class a size has is known
    options.growth_factor = options.growth_factor.value_or(1.10);
    auto made = Partition::create(options);
    if (!made) {
      throw std::runtime_error(made.error().what);
    }
    partition_ = std::move(*made);
  }

  Partition& operator*() { return *partition_; }
  Partition* operator->() { return partition_.get(); }

  Outcome set(std::string_view key, std::string_view value, StoreArgs args = {}, Seconds now = 1) {
    return partition_->store(make_key(key), value, args, now).outcome;
  }
  /// The value, or "(miss)".
  std::string get(std::string_view key, Seconds now = 1) { return value_or_miss(partition_->get(make_key(key), now)); }
  /// The same without a trace: neither counted nor a hit to the clock.
  std::string look(std::string_view key, Seconds now = 1) { return value_or_miss(peek(key, now)); }
  const Item* peek(std::string_view key, Seconds now = 1) { return partition_->peek(make_key(key), now); }
  bool has(std::string_view key, Seconds now = 1) { return peek(key, now) != nullptr; }
  Outcome remove(std::string_view key, Seconds now = 1) { return partition_->remove(make_key(key), now); }
  ArithReply incr(std::string_view key, std::uint64_t delta, Seconds now = 1) {
    return partition_->arith(make_key(key), delta, false, now);
  }
  ArithReply decr(std::string_view key, std::uint64_t delta, Seconds now = 1) {
    return partition_->arith(make_key(key), delta, true, now);
  }
  ItemRef pin(std::string_view key, Seconds now = 1) { return partition_->pin(peek(key, now)); }

  std::string value_of(const Item* item) {
    std::string value;
    ValueCursor cursor;
    for (auto piece = partition_->value_next(item, cursor); !piece.empty();
         piece = partition_->value_next(item, cursor)) {
      value.append(piece.data(), piece.size());
    }
    return value;
  }
  /// Reserves and fills, in steps of `step` bytes at most.
  Outcome reserve(std::string_view key, std::string_view value, Reservation& out, Seconds now = 1,
                  std::size_t step = 1U << 30, StoreMode mode = StoreMode::Set) {
    Outcome outcome = partition_->reserve(make_key(key), static_cast<std::uint32_t>(value.size()), now, out, mode);
    while (outcome == Outcome::Stored && !out.is_whole()) {
      outcome = partition_->continue_reserve(out, make_key(key).hash, mode, now);
    }
    if (outcome == Outcome::Stored) {
      for (std::size_t at = 0; at < value.size();) {
        const auto room = partition_->reserved_span(out, static_cast<std::uint32_t>(at));
        const std::size_t part = std::min({room.size(), value.size() - at, step});
        value.copy(room.data(), part, at);
        at += part;
      }
    }
    return outcome;
  }
  Outcome commit(std::string_view key, const Reservation& reservation, StoreArgs args = {}, Seconds now = 1) {
    return partition_->commit(reservation, make_key(key).hash, args, now).outcome;
  }
  /// Housekeeping over the whole arena.
  void crawl(Seconds now) {
    for (std::uint64_t looked = 0; looked < partition_->memory_stats().pages_arena * (kPageBytes / kUnitBytes) / 4;
         looked += 4096) {
      partition_->housekeep(now, 4096);
    }
  }
  /// Which page of the arena an item lies in, and where.
  std::uint32_t page_of(const Item* item) const { return static_cast<std::uint32_t>(offset_of(item) / kPageBytes); }
  std::uint32_t offset_in_page(const Item* item) const {
    return static_cast<std::uint32_t>(offset_of(item) % kPageBytes);
  }

 private:
  std::string value_or_miss(const Item* item) { return item != nullptr ? value_of(item) : "(miss)"; }
  std::ptrdiff_t offset_of(const Item* item) const {
    return reinterpret_cast<const std::byte*>(item) - arena_.bytes().data();
  }

  GuardedArena arena_;
  std::unique_ptr<Partition> partition_;
};

}  // namespace millrace::store::tests
