#include "store/slab_allocator.h"

#include "base/assert.h"

namespace millrace::store {

SlabAllocator::SlabAllocator(PagePool& pages, const SizeTable& sizes) noexcept
    : pages_(pages), count_(sizes.classes()) {
  for (std::uint32_t id = 0; id <= count_; ++id) {
    SlabClass& c = classes_[id];
    c.chunk_bytes = sizes.chunk_bytes(id);
    c.chunk_units = static_cast<std::uint16_t>(c.chunk_bytes / kUnitBytes);
    c.chunks_per_page = static_cast<std::uint16_t>(pages.page_bytes() / c.chunk_bytes);
  }
}

void SlabAllocator::free(ItemRef ref) noexcept {
  const std::uint32_t number = pages_.page_of(ref);
  Page& page = pages_[number];
  MR_ASSERT(page.use == PageUse::Slab);
  MR_ASSERT(page.used > 0);
  SlabClass& c = classes_[page.class_id];
  const auto unit = static_cast<std::uint16_t>(pages_.unit_of(ref));
  MR_DCHECK(unit % c.chunk_units == 0 && unit < page.fresh_unit);
  std::byte* chunk = pages_.at(ref);
  *chunk = static_cast<std::byte>(Kind::Free);
  std::memcpy(chunk + kLinkAt, &page.free_unit, sizeof page.free_unit);
  poison(chunk + kUnitBytes, c.chunk_bytes - kUnitBytes);
  page.free_unit = unit;
  if (page.used == c.chunks_per_page && number != draining_) {
    enter_room(c, number);
  }
  --c.used;
  if (--page.used == 0) {
    let_go(c, number);
  }
}

bool SlabAllocator::add_page(std::uint32_t id, std::uint32_t in_use_max) noexcept {
  MR_ASSERT(id <= count_);
  const std::uint32_t number = pages_.take(PageUse::Slab, in_use_max);
  if (number == kNoPage) {
    return false;
  }
  poison(pages_.address(number), pages_.page_bytes());
  SlabClass& c = classes_[id];
  Page& page = pages_[number];
  page.class_id = static_cast<std::uint8_t>(id);
  page.free_unit = kNoUnit;
  page.fresh_unit = 0;
  if (c.hand.page == kNoPage) {
    page.prev = page.next = number;
    c.hand = {number, 0};
  } else {
    page.next = c.hand.page;
    page.prev = pages_[c.hand.page].prev;
    pages_[page.prev].next = number;
    pages_[page.next].prev = number;
  }
  ++c.pages;
  enter_room(c, number);
  return true;
}

void SlabAllocator::enter_room(SlabClass& c, std::uint32_t page) noexcept {
  pages_[page].room_prev = kNoPage;
  pages_[page].room_next = c.room;
  if (c.room != kNoPage) {
    pages_[c.room].room_prev = page;
  }
  c.room = page;
}

void SlabAllocator::leave_room(SlabClass& c, std::uint32_t page) noexcept {
  const Page& p = pages_[page];
  if (p.room_prev != kNoPage) {
    pages_[p.room_prev].room_next = p.room_next;
  } else {
    MR_ASSERT(c.room == page);
    c.room = p.room_next;
  }
  if (p.room_next != kNoPage) {
    pages_[p.room_next].room_prev = p.room_prev;
  }
}

void SlabAllocator::let_go(SlabClass& c, std::uint32_t page) noexcept {
  if (page == draining_) {
    draining_ = kNoPage;
  } else {
    leave_room(c, page);
  }
  const Page& p = pages_[page];
  if (c.hand.page == page) {
    c.hand = p.next == page ? ClockHand{} : ClockHand{p.next, 0};
  }
  pages_[p.prev].next = p.next;
  pages_[p.next].prev = p.prev;
  --c.pages;
  pages_.give_back(page);
}

void SlabAllocator::start_draining(std::uint32_t page) noexcept {
  SlabClass& c = classes_[pages_[page].class_id];
  MR_ASSERT(draining_ == kNoPage && pages_[page].use == PageUse::Slab && c.pages > 1 && pages_[page].used != 0);
  if (pages_[page].used < c.chunks_per_page) {
    leave_room(c, page);
  }
  draining_ = page;
}

void SlabAllocator::stop_draining() noexcept {
  MR_ASSERT(draining_ != kNoPage);
  SlabClass& c = classes_[pages_[draining_].class_id];
  if (pages_[draining_].used < c.chunks_per_page) {
    enter_room(c, draining_);
  }
  draining_ = kNoPage;
}

void SlabAllocator::check_class(std::uint32_t id) const {
  const SlabClass& c = classes_[id];
  std::uint32_t pages = 0;
  std::uint32_t with_room = 0;
  std::uint64_t used = 0;
  std::uint32_t number = c.hand.page;
  MR_ASSERT((number == kNoPage) == (c.pages == 0));
  for (; pages < c.pages; ++pages, number = pages_[number].next) {
    const Page& page = pages_[number];
    MR_ASSERT(page.use == PageUse::Slab && page.class_id == id);
    MR_ASSERT(pages_[page.next].prev == number);
    MR_ASSERT(page.used <= c.chunks_per_page);
    used += page.used;
    with_room += page.used < c.chunks_per_page && number != draining_ ? 1 : 0;
    std::uint32_t free = 0;
    for (std::uint16_t unit = page.free_unit; unit != kNoUnit; ++free) {
      const std::byte* chunk = pages_.address(number) + unit * kUnitBytes;
      MR_ASSERT(unit < page.fresh_unit && unit % c.chunk_units == 0);
      MR_ASSERT(*chunk == static_cast<std::byte>(Kind::Free));
      MR_ASSERT(free < c.chunks_per_page);
      std::memcpy(&unit, chunk + kLinkAt, sizeof unit);
    }
    MR_ASSERT(page.used + free == static_cast<std::uint32_t>(page.fresh_unit / c.chunk_units));
  }
  MR_ASSERT(number == c.hand.page);
  MR_ASSERT(used == c.used);
  for (number = c.room; number != kNoPage; number = pages_[number].room_next, --with_room) {
    MR_ASSERT(with_room > 0);
    MR_ASSERT(pages_[number].use == PageUse::Slab && pages_[number].class_id == id);
    MR_ASSERT(pages_[number].used < c.chunks_per_page && number != draining_);
  }
  MR_ASSERT(with_room == 0);
}

void SlabAllocator::check() const {
  for (std::uint32_t id = 0; id <= count_; ++id) {
    check_class(id);
  }
}

}  // namespace millrace::store
