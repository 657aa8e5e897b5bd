// What lru, mru and lfu keep of each item: links or a counter, in a table beside the arena that exists only then.
//
// Thread: the partition's owner. Ownership: the table is ours, allocated once; an item's record is found by where it
// lies. Invariant: an item is in the list of its class from enter() to leave(), at the newer end after each hit.
// Why beside the arena: items of the default policy are not to carry what they never need.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "store/item.h"
#include "store/limits.h"

namespace millrace::store {

/// The order of use of each class's items, newest first.
class RecencyRecords {
 public:
  RecencyRecords(std::uint64_t arena_bytes, std::uint32_t chunk_bytes_min)
      : chunk_units_min_(chunk_bytes_min / kUnitBytes),
        slots_(arena_bytes / chunk_bytes_min + 1),
        links_(std::make_unique<Links[]>(slots_)) {}

  void enter(ItemRef ref, std::uint32_t id) noexcept {
    End& end = ends_[id];
    links_[slot(ref)] = {ItemRef{}, end.newest};
    (end.newest != ItemRef{} ? links_[slot(end.newest)].newer : end.oldest) = ref;
    end.newest = ref;
  }
  void leave(ItemRef ref, std::uint32_t id) noexcept {
    End& end = ends_[id];
    const Links links = links_[slot(ref)];
    (links.newer != ItemRef{} ? links_[slot(links.newer)].older : end.newest) = links.older;
    (links.older != ItemRef{} ? links_[slot(links.older)].newer : end.oldest) = links.newer;
  }
  void use(ItemRef ref, std::uint32_t id) noexcept {
    if (ends_[id].newest != ref) {
      leave(ref, id);
      enter(ref, id);
    }
  }
  /// None at the end of a walk.
  [[nodiscard]] ItemRef oldest(std::uint32_t id) const noexcept { return ends_[id].oldest; }
  [[nodiscard]] ItemRef newest(std::uint32_t id) const noexcept { return ends_[id].newest; }
  [[nodiscard]] ItemRef newer(ItemRef ref) const noexcept { return links_[slot(ref)].newer; }
  [[nodiscard]] ItemRef older(ItemRef ref) const noexcept { return links_[slot(ref)].older; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return slots_ * sizeof(Links); }

 private:
  struct Links {
    ItemRef newer{};
    ItemRef older{};
  };
  struct End {
    ItemRef newest{};
    ItemRef oldest{};
  };

  /// No two items lie closer together than the smallest chunk is long.
  [[nodiscard]] std::uint32_t slot(ItemRef ref) const noexcept {
    return static_cast<std::uint32_t>(ref) / chunk_units_min_;
  }

  std::uint32_t chunk_units_min_;
  std::uint64_t slots_;
  std::unique_ptr<Links[]> links_;
  std::array<End, kClassesMax + 1> ends_{};
};

/// How often each item is used: a counter that grows with the logarithm of its hits, and loses one each time as many
/// items came as are held.
class FrequencyRecords {
 public:
  /// A new item's count: it is not to go before it could be asked for.
  static constexpr std::uint8_t kFirstCount = 5;
  /// Beyond the first count, one step takes so many hits times the steps already made.
  static constexpr std::uint32_t kLogFactor = 10;

  FrequencyRecords(std::uint64_t arena_bytes, std::uint32_t chunk_bytes_min)
      : chunk_units_min_(chunk_bytes_min / kUnitBytes),
        slots_(arena_bytes / chunk_bytes_min + 1),
        records_(std::make_unique<Record[]>(slots_)) {}

  void enter(ItemRef ref, std::uint64_t items) noexcept {
    if (++entered_ >= items) {
      entered_ = 0;
      ++epoch_;
    }
    records_[slot(ref)] = {kFirstCount, epoch_};
  }
  /// `random`: any 32 bits.
  void use(ItemRef ref, std::uint32_t random) noexcept {
    Record& record = records_[slot(ref)];
    record = {count(ref), epoch_};
    const std::uint32_t steps = record.count > kFirstCount ? record.count - kFirstCount : 0;
    if (record.count != 0xff && std::uint64_t{random} * (steps * kLogFactor + 1) >> 32 == 0) {
      ++record.count;
    }
  }
  /// Of another place: what its key had.
  void inherit(ItemRef ref, ItemRef from) noexcept { records_[slot(ref)] = records_[slot(from)]; }
  [[nodiscard]] std::uint8_t count(ItemRef ref) const noexcept {
    const Record record = records_[slot(ref)];
    const std::uint32_t lost = static_cast<std::uint8_t>(epoch_ - record.epoch);
    return static_cast<std::uint8_t>(record.count > lost ? record.count - lost : 0);
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return slots_ * sizeof(Record); }

 private:
  struct Record {
    std::uint8_t count = 0;
    std::uint8_t epoch = 0;  ///< when that was
  };

  [[nodiscard]] std::uint32_t slot(ItemRef ref) const noexcept {
    return static_cast<std::uint32_t>(ref) / chunk_units_min_;
  }

  std::uint32_t chunk_units_min_;
  std::uint64_t slots_;
  std::unique_ptr<Record[]> records_;
  std::uint64_t entered_ = 0;
  std::uint8_t epoch_ = 0;
};

}  // namespace millrace::store
