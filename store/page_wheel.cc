#include "store/page_wheel.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace millrace::store {

std::uint32_t PageWheel::list_for(std::uint32_t page, Seconds at) const noexcept {
  if (at <= now_) {
    return kDueLists + table_[page].class_id;
  }
  const std::uint32_t level = (static_cast<std::uint32_t>(std::bit_width(at ^ now_)) - 1) / kLevelBits;
  const auto slot = static_cast<std::uint32_t>(std::uint64_t{at} >> (level * kLevelBits)) & (kSlots - 1);
  return level * kSlots + slot;
}

void PageWheel::schedule(std::uint32_t page, Seconds at) noexcept {
  table_[page].due = at;
  if (is_due(page)) {
    return;  // waits to be swept, or is being swept: it is asked again when that is over
  }
  if (table_[page].due_list != kNoWheelList) {
    unlink(page);
  }
  link(page, list_for(page, at));
}

void PageWheel::mark(std::uint32_t list, bool has_pages) noexcept {
  std::uint64_t& bits = list < kDueLists ? occupied_[list / kSlots] : due_classes_;
  const std::uint64_t bit = std::uint64_t{1} << (list % kSlots);
  bits = has_pages ? bits | bit : bits & ~bit;
}

void PageWheel::link(std::uint32_t page, std::uint32_t list) noexcept {
  static_assert(kDueLists % kSlots == 0 && kClassesMax < kSlots, "the due lists are one more level");
  Page& p = table_[page];
  p.due_list = static_cast<std::uint16_t>(list);
  p.due_prev = kNoPage;
  p.due_next = heads_[list];
  if (p.due_next != kNoPage) {
    table_[p.due_next].due_prev = page;
  }
  heads_[list] = page;
  mark(list, true);
}

void PageWheel::unlink(std::uint32_t page) noexcept {
  Page& p = table_[page];
  const std::uint32_t list = p.due_list;
  if (p.due_prev != kNoPage) {
    table_[p.due_prev].due_next = p.due_next;
  } else {
    MR_ASSERT(heads_[list] == page);
    heads_[list] = p.due_next;
    mark(list, p.due_next != kNoPage);
  }
  if (p.due_next != kNoPage) {
    table_[p.due_next].due_prev = p.due_prev;
  }
  p.due_list = kNoWheelList;
}

/// The next second at which something has to be moved, or `until` when that is sooner.
Seconds PageWheel::next_event(Seconds until) const noexcept {
  for (std::uint32_t level = 0; level < kLevels; ++level) {
    const std::uint32_t here = position(level);
    const std::uint64_t ahead = occupied_[level] & ~((std::uint64_t{2} << here) - 1);
    if (ahead != 0) {
      // A finer level's slots all come before the coarser ones'.
      const std::uint64_t above = std::uint64_t{now_} >> (level * kLevelBits) & ~std::uint64_t{kSlots - 1};
      const std::uint64_t at = (above | static_cast<std::uint64_t>(std::countr_zero(ahead))) << (level * kLevelBits);
      return static_cast<Seconds>(std::min<std::uint64_t>(at, until));
    }
  }
  return until;
}

std::uint32_t PageWheel::advance(Seconds now, std::uint32_t pages_max) noexcept {
  std::uint32_t moved = 0;
  while (true) {
    for (std::uint32_t level = kLevels; level-- > 0;) {
      const std::uint32_t list = level * kSlots + position(level);
      while (heads_[list] != kNoPage) {
        if (moved == pages_max) {
          return moved;
        }
        const std::uint32_t page = heads_[list];
        unlink(page);
        link(page, list_for(page, table_[page].due));
        ++moved;
      }
    }
    if (now_ >= now) {
      return moved;
    }
    now_ = next_event(now);
  }
}

void PageWheel::check(std::uint32_t pages) const {
  std::uint64_t listed = 0;
  for (std::uint32_t list = 0; list < heads_.size(); ++list) {
    const std::uint64_t bits = list < kDueLists ? occupied_[list / kSlots] : due_classes_;
    MR_ASSERT((bits >> (list % kSlots) & 1) == (heads_[list] != kNoPage ? 1 : 0));
    std::uint32_t before = kNoPage;
    for (std::uint32_t page = heads_[list]; page != kNoPage; page = table_[page].due_next) {
      MR_ASSERT(table_[page].due_list == list && table_[page].due_prev == before);
      MR_ASSERT(table_[page].use == PageUse::Slab && table_[page].class_id != kOverflowClass);
      // What time has come to and is not moved yet is of the same list as it was.
      MR_ASSERT(list >= kDueLists || table_[page].due >= now_);
      MR_ASSERT(list < kDueLists || list == kDueLists + table_[page].class_id);
      before = page;
      ++listed;
      MR_ASSERT(listed <= pages);
    }
  }
  for (std::uint32_t page = 0; page < pages; ++page) {
    listed -= table_[page].due_list != kNoWheelList ? 1 : 0;
  }
  MR_ASSERT(listed == 0);
}

}  // namespace millrace::store
