// What the operator and the tests look at: class and memory figures, walks, and the check of the invariants.
// Owner only; cold. README.md numbers the invariants that check() asserts.
#include <algorithm>
#include <unordered_set>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

/// Of the items that the hand comes to next (or that lru would take next), so many are looked at.
constexpr std::uint32_t kAgeSlots = 64;

std::uint64_t Partition::age_of_next(std::uint32_t id, Seconds now) const noexcept {
  const SlabClass& c = slabs_[id];
  if (policy_ == EvictionPolicy::Lru && recency_ != nullptr && recency_->oldest(id) != ItemRef{}) {
    return age(*item_at(recency_->oldest(id)), now);
  }
  std::uint64_t oldest = 0;
  std::uint32_t page = c.hand.page;
  std::uint32_t unit = c.hand.unit;
  for (std::uint32_t looked = 0; looked < kAgeSlots && c.pages != 0; ++looked) {
    if (unit >= slabs_.fresh_unit(page)) {
      page = slabs_.next_page(page);
      unit = 0;
      continue;
    }
    const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
    unit += c.chunk_units;
    if (kind_at(chunk) == Kind::Item && !is_dead(*reinterpret_cast<const Item*>(chunk), now)) {
      oldest = std::max<std::uint64_t>(oldest, age(*reinterpret_cast<const Item*>(chunk), now));
    }
  }
  return oldest;
}

ClassStats Partition::class_stats(std::uint32_t id, Seconds now) const noexcept {
  MR_ASSERT(id >= 1 && id <= sizes_.classes());
  const SlabClass& c = slabs_[id];
  ClassStats stats = class_stats_[id];
  stats.chunk_size = c.chunk_bytes;
  stats.chunks_per_page = c.chunks_per_page;
  stats.total_pages = c.pages;
  stats.total_chunks = c.chunks();
  stats.used_chunks = c.used;
  stats.free_chunks = c.free();
  stats.age = age_of_next(id, now);
  if (const LastEvicted& last = last_evicted_[id]; last.at != 0) {
    stats.evicted_time = last.at - std::min(last.at, change_times_.at(last.change));
  }
  return stats;
}

MemoryStats Partition::memory_stats() const noexcept {
  MemoryStats stats;
  stats.page_bytes = pages_.page_bytes();
  stats.pages_arena = pages_.pages();
  stats.pages_limit = pages_.limit();
  stats.pages_free = pages_.available();
  stats.pages_given_back = pages_.given_back();
  for (std::uint32_t id = 1; id <= sizes_.classes(); ++id) {
    stats.pages_items += slabs_[id].pages;
  }
  stats.pages_index = index_.pages();
  stats.pages_ghost = pages_of_ghost();
  stats.large_bytes_max = large_bytes_max_;
  stats.pages_overflow = slabs_[kOverflowClass].pages;
  stats.index_buckets = index_.buckets();
  stats.index_overflow_buckets = index_.overflow_buckets();
  stats.index_is_growing = index_.is_growing();
  stats.table_bytes = sizeof(Partition) + pages_.table_bytes() + index_.directory_bytes() + PinTable::table_bytes() +
                      (small_ghost_ ? ghost_.bytes() : 0) + (recency_ ? recency_->bytes() : 0) +
                      (frequency_ ? frequency_->bytes() : 0);
  return stats;
}

void Partition::visit_class(std::uint32_t id, std::uint32_t items_max, Seconds now, ItemVisitor& visit) const {
  MR_ASSERT(id >= 1 && id <= sizes_.classes());
  const SlabClass& c = slabs_[id];
  std::uint32_t page = c.hand.page;
  std::uint32_t visited = 0;
  for (std::uint32_t n = 0; n < c.pages; ++n, page = slabs_.next_page(page)) {
    for (std::uint32_t unit = 0; unit < slabs_.fresh_unit(page); unit += c.chunk_units) {
      const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      if (kind_at(chunk) != Kind::Item) {
        continue;
      }
      const Item& item = *reinterpret_cast<const Item*>(chunk);
      if (is_dead(item, now)) {
        continue;
      }
      if (!visit.visit(item) || ++visited == items_max) {
        return;
      }
    }
  }
}

void Partition::check() const {
  pages_.check();
  slabs_.check();
  index_.check();
  const MemoryStats stats = memory_stats();
  MR_ASSERT(stats.pages_items + index_.pages() + slabs_[kOverflowClass].pages + stats.pages_ghost ==
            pages_.in_use());  // 1
  check_items();
  check_probation();
  check_large();
}

/// The list is of the chained items in the index; and the chunks of all chained ones, held ones too, are what is said.
void Partition::check_large() const {
  std::uint64_t listed = 0;
  ItemRef older{};
  for (ItemRef ref = large_values_.oldest(); ref != ItemRef{}; ref = item_at(ref)->newer_large()) {
    const Item& item = *item_at(ref);
    MR_ASSERT(item.is_chained() && item.kind() == Kind::Item && item.older_large() == older);  // 13
    older = ref;
    ++listed;
  }
  MR_ASSERT(listed == counters_.large_items);  // 13
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  for (std::uint32_t page = 0; page < pages_.pages(); ++page) {
    if (!is_item_page(page)) {
      continue;
    }
    const SlabClass& c = slabs_[pages_[page].class_id];
    for (std::uint32_t unit = 0; unit < slabs_.fresh_unit(page); unit += c.chunk_units) {
      const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      const Kind kind = kind_at(chunk);
      const bool is_head =
          (kind == Kind::Item || kind == Kind::Held) && reinterpret_cast<const Item*>(chunk)->is_chained();
      items += is_head && kind == Kind::Item ? 1 : 0;
      bytes += is_head || kind == Kind::Continuation ? c.chunk_bytes : 0;
    }
  }
  MR_ASSERT(items == listed);                 // 13
  MR_ASSERT(bytes == counters_.large_bytes);  // 13
}

/// Every item that says it is in probation has an entry in the queue of its class; segments are class 0's.
void Partition::check_probation() const {
  std::unordered_set<std::uint32_t> entries;
  std::uint64_t segments = 0;
  for (const ProbationQueue& queue : probation_) {
    queue.visit(pages_, [&](ItemRef ref) { entries.insert(static_cast<std::uint32_t>(ref)); });
    segments += queue.segments();
  }
  MR_ASSERT(segments + index_.overflow_buckets() == slabs_[kOverflowClass].used);
  for (std::uint32_t page = 0; page < pages_.pages(); ++page) {
    if (!is_item_page(page)) {
      continue;
    }
    const std::uint32_t units = slabs_[pages_[page].class_id].chunk_units;
    for (std::uint32_t unit = 0; unit < slabs_.fresh_unit(page); unit += units) {
      const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      if (kind_at(chunk) == Kind::Item && reinterpret_cast<const Item*>(chunk)->is_in_probation()) {
        MR_ASSERT(entries.contains(static_cast<std::uint32_t>(pages_.ref_of(chunk))));  // 12
      }
    }
  }
}

/// Every slot of every item page: what it says it is, it is; and together they make up the levels. That each entry of
/// the index is an item is index_.check()'s; with equal counts, that each item is an entry makes them the same.
void Partition::check_items() const {
  std::uint64_t items = 0;
  std::uint64_t bytes = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t held = 0;
  std::uint64_t continuations = 0;
  std::uint64_t chained_pieces = 0;
  for (std::uint32_t page = 0; page < pages_.pages(); ++page) {
    if (!is_item_page(page)) {
      continue;
    }
    const std::uint32_t units = slabs_[pages_[page].class_id].chunk_units;
    for (std::uint32_t unit = 0; unit < slabs_.fresh_unit(page); unit += units) {
      const std::byte* chunk = pages_.address(page) + std::size_t{unit} * kUnitBytes;
      const Kind kind = kind_at(chunk);
      if (kind == Kind::Continuation) {
        const Item& head = *item_at(reinterpret_cast<const Continuation*>(chunk)->head);
        MR_ASSERT(head.is_chained() && (head.kind() == Kind::Item || head.kind() == Kind::Held));  // 7
        ++continuations;
      }
      if (kind != Kind::Item && kind != Kind::Held) {
        continue;
      }
      const Item& item = *reinterpret_cast<const Item*>(chunk);
      MR_ASSERT(class_of(item) == pages_[page].class_id);  // 9
      for (ItemRef piece = item.is_chained() ? item.next() : ItemRef{}; piece != ItemRef{};
           piece = continuation_at(piece)->next) {
        MR_ASSERT(continuation_at(piece)->head == pages_.ref_of(&item));  // 7
        ++chained_pieces;
      }
      if (kind == Kind::Held) {
        ++held;
        continue;
      }
      MR_ASSERT(item.expires_at() == kNever || pages_[page].due_list != kNoWheelList);  // 11
      MR_ASSERT(item.change() <= cas_);                                                 // 10
      MR_ASSERT(index_.find_ref(hash_key(item.key(), seed_), pages_.ref_of(&item)));    // 5
      ++items;
      bytes += item.item_bytes();
      payload_bytes += item.key_bytes() + item.value_bytes();
    }
  }
  std::uint64_t items_of_classes = 0;
  std::uint64_t bytes_of_classes = 0;
  for (const ClassStats& stats : class_stats_) {
    items_of_classes += stats.number;
    bytes_of_classes += stats.mem_requested;
  }
  MR_ASSERT(items == index_.count());  // 5
  MR_ASSERT(held >= counters_.reservations + counters_.large_leaving &&
            held <= counters_.reservations + pins_.distinct() + counters_.large_leaving);  // 6
  MR_ASSERT(continuations == chained_pieces);                                              // 7
  MR_ASSERT(items == counters_.curr_items && items == items_of_classes);                   // 8
  MR_ASSERT(payload_bytes == counters_.payload_bytes);                                     // 8
  MR_ASSERT(bytes == counters_.bytes && bytes == bytes_of_classes);                        // 8
}

}  // namespace millrace::store
