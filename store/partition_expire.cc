// Expiry that gives memory back without being asked. Owner only.
//
// No item is looked at for being there: a page's record keeps the earliest second at which one of its items expires,
// and pages hang in a wheel by that second (page_wheel.h). When it has come, the page is swept slot by slot, in slices;
// what is dead is taken out, and the page waits for the earliest second among what is left. So that a page of items of
// many lifetimes is not swept each second, it rests for a while, the longer the less its sweeps bring: a dead item may
// keep its chunk for kSweepGapMax at most. It is seen by nobody meanwhile.
// A storing command whose class is full first sweeps that class's due pages: what has expired goes before what lives,
// whatever the policy.
#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "store/partition.h"

namespace millrace::store {

void Partition::reap(Item& item, bool for_one) noexcept {
  ClassStats& stats = class_stats_[class_of(item)];
  ++(for_one ? counters_.reclaimed : counters_.crawler_reclaimed);
  ++(for_one ? stats.reclaimed : stats.crawler_reclaimed);
  if (!item.was_fetched()) {
    ++counters_.expired_unfetched;
    ++stats.expired_unfetched;
  }
  const KeyHash hash = hash_key(item.key(), seed_);
  const IndexSlot slot = index_.find_ref(hash, pages_.ref_of(&item));
  MR_ASSERT(slot);
  unlink(hash, slot);
}

/// The page was gone through. While that went on, `due` gathered the earliest expiry of what is left.
void Partition::end_sweep(std::uint32_t page, std::uint32_t taken, Seconds now) noexcept {
  Page& p = pages_[page];
  const bool was_worth_it = taken >= slabs_[p.class_id].chunks_per_page >> kSweepWorthShift;
  const std::uint32_t gap = was_worth_it ? kSweepGapMin : std::min(p.sweep_gap + 1U, kSweepGapMax);
  p.sweep_gap = static_cast<std::uint8_t>(gap);
  const Seconds earliest = p.due;
  pages_.wheel().remove(page);
  if (earliest != kNoDue) {
    pages_.wheel().schedule(page, std::max(earliest, now + (Seconds{1} << gap)));
  }
}

/// Looks at as many slots of the class's due pages; `for_one`: until one chunk has become free. Returns how many.
std::uint32_t Partition::sweep_class(std::uint32_t id, Seconds now, std::uint32_t slots_max, bool for_one) noexcept {
  const PageWheel& wheel = pages_.wheel();
  const SlabClass& c = slabs_[id];
  const std::uint64_t used_before = c.used;
  DueSweep& sweep = due_sweeps_[id];
  std::uint32_t looked = 0;
  while (looked < slots_max && wheel.due_page(id) != kNoPage) {
    // A page that has gone meanwhile, or went and came back, is begun anew or carried on: either leaves it its due.
    if (sweep.page == kNoPage || !wheel.is_due(sweep.page) || pages_[sweep.page].class_id != id) {
      sweep = {.page = wheel.due_page(id)};
      pages_[sweep.page].due = kNoDue;
    }
    const std::uint32_t page = sweep.page;
    bool is_there = true;
    while (is_there && looked < slots_max && sweep.unit < slabs_.fresh_unit(page)) {
      std::byte* chunk = pages_.address(page) + std::size_t{sweep.unit} * kUnitBytes;
      sweep.unit += c.chunk_units;
      ++looked;
      counters_.crawler_items_checked += for_one ? 0 : 1;
      if (kind_at(chunk) != Kind::Item) {
        continue;
      }
      Item& item = *reinterpret_cast<Item*>(chunk);
      if (is_dead(item, now)) {
        ++sweep.taken;
        reap(item, for_one);
        is_there = wheel.is_due(page) && pages_[page].class_id == id;  // with its last item it goes to the pool
        if (for_one && c.used < used_before) {
          return looked;
        }
      } else if (item.expires_at() != kNever) {
        pages_[page].due = std::min(pages_[page].due, item.expires_at());
      }
    }
    if (!is_there) {
      sweep.page = kNoPage;
    } else if (sweep.unit >= slabs_.fresh_unit(page)) {
      end_sweep(page, sweep.taken, now);
      sweep.page = kNoPage;
    }
  }
  return looked;
}

std::uint32_t Partition::sweep_due(Seconds now, std::uint32_t slots_max) noexcept {
  std::uint32_t looked = 0;
  while (looked < slots_max && pages_.wheel().due_classes() != 0) {
    // The next class in turn, so that one that always has something due keeps none waiting.
    const std::uint64_t classes = pages_.wheel().due_classes();
    const std::uint64_t later = classes & ~((std::uint64_t{2} << swept_class_) - 1);
    swept_class_ = static_cast<std::uint32_t>(std::countr_zero(later != 0 ? later : classes));
    looked += sweep_class(swept_class_, now, slots_max - looked, false);
  }
  return looked;
}

bool Partition::take_expired(std::uint32_t id, Seconds now) noexcept {
  PageWheel& wheel = pages_.wheel();
  if (MR_UNLIKELY(wheel.now() < now)) {
    wheel.advance(now, kWheelMovesMax);
  }
  if (MR_LIKELY(wheel.due_page(id) == kNoPage)) {
    return false;
  }
  const std::uint64_t used_before = slabs_[id].used;
  sweep_class(id, now, kSweepSlotsMax, true);
  return slabs_[id].used < used_before;
}

}  // namespace millrace::store
