// Walks over everything in slices, for dumps and for a crawl that somebody asked for; and pages moved by hand. Owner
// only; between two slices anything may change.
//
// The order is that of the memory: page by page, slot by slot. An item that stays where it is while the walk goes on is
// met exactly once. One that is stored anew meanwhile may be met twice, or not at all when it moves behind the cursor.
#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

/// Calls `meet` for chunks that hold items, up to `slots_max` slots on; false from `meet` ends the slice behind that
/// item. Returns whether there is more.
template <typename Meet>
bool Partition::walk_slots(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Meet&& meet) const {
  std::uint32_t looked = 0;
  while (cursor.page < pages_.pages()) {
    const bool is_wanted = is_item_page(cursor.page) && (classes >> pages_[cursor.page].class_id & 1) != 0;
    // Asked for anew with each slot: `meet` may take the last item out of a page, which is then another's.
    while (is_wanted && is_item_page(cursor.page) && (classes >> pages_[cursor.page].class_id & 1) != 0) {
      const std::uint32_t units = slabs_[pages_[cursor.page].class_id].chunk_units;
      const std::uint32_t unit = (cursor.unit + units - 1) / units * units;
      if (unit >= slabs_.fresh_unit(cursor.page)) {
        break;
      }
      if (looked++ == slots_max) {
        return true;
      }
      cursor.unit = unit + units;
      std::byte* chunk = pages_.address(cursor.page) + std::size_t{unit} * kUnitBytes;
      if (kind_at(chunk) == Kind::Item && !meet(*reinterpret_cast<Item*>(chunk))) {
        return true;
      }
    }
    ++cursor.page;
    cursor.unit = 0;
    if (!is_wanted && looked++ == slots_max) {
      return cursor.page < pages_.pages();
    }
  }
  return false;
}

bool Partition::walk(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Seconds now,
                     ItemVisitor& visit) const {
  return walk_slots(cursor, classes, slots_max,
                    [&](const Item& item) { return is_dead(item, now) || visit.visit(item); });
}

bool Partition::crawl(WalkCursor& cursor, std::uint64_t classes, std::uint32_t slots_max, Seconds now) noexcept {
  advance(now);
  return walk_slots(cursor, classes, slots_max, [&](Item& item) {
    ++counters_.crawler_items_checked;
    if (is_dead(item, now)) {
      reap(item);
    }
    return true;
  });
}

bool Partition::move_page(std::uint32_t from, std::uint32_t to, Seconds now) noexcept {
  MR_ASSERT(from <= sizes_.classes() && to <= sizes_.classes());
  if (from == 0) {
    if (pages_.available() == 0 && !steal_page(now)) {
      return false;
    }
  } else if (slabs_[from].pages < 2 || !steal_from(from, now)) {
    return false;
  }
  return to == 0 || slabs_.add_page(to);
}

}  // namespace millrace::store
