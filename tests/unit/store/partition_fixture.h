// A partition with an arena of its own, and short words for what tests do to it.
#pragma once

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "store/partition.h"

namespace millrace::store::tests {

inline constexpr std::uint64_t kSeed = 0x1234'5678'9abc'def0;

inline Key make_key(std::string_view bytes) { return {bytes, hash_key(bytes, kSeed)}; }

struct FreeArena {
  void operator()(std::byte* memory) const { std::free(memory); }
};

class Store {
 public:
  explicit Store(std::uint32_t pages, PartitionOptions options = {})
      : bytes_(std::size_t{pages} * kPageBytes),
        memory_(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, bytes_))) {
    options.arena = {memory_.get(), bytes_};
    options.hash_seed = kSeed;
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
  std::string get(std::string_view key, Seconds now = 1) {
    const Item* item = partition_->get(make_key(key), now);
    return item != nullptr ? value_of(item) : "(miss)";
  }
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
    const Outcome outcome =
        partition_->reserve(make_key(key), static_cast<std::uint32_t>(value.size()), now, out, mode);
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

 private:
  std::size_t bytes_;
  std::unique_ptr<std::byte, FreeArena> memory_;
  std::unique_ptr<Partition> partition_;
};

}  // namespace millrace::store::tests
