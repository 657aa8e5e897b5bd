#include "store/page_pool.h"

#include <bit>

#include "base/poison.h"

namespace millrace::store {

PagePool::PagePool(std::span<std::byte> arena, std::uint32_t page_bytes, ArenaOwner* owner)
    : arena_(arena.data()),
      page_shift_(static_cast<std::uint32_t>(std::countr_zero(page_bytes))),
      unit_bits_(page_shift_ - kUnitShift),
      owner_(owner),
      gives_back_(owner != nullptr),
      pages_(static_cast<std::uint32_t>(arena.size() / page_bytes)),
      limit_(pages_),
      fresh_end_(pages_),
      table_(std::make_unique<Page[]>(pages_)),
      wheel_(table_.get()) {
  MR_ASSERT(std::has_single_bit(page_bytes) && page_bytes >= kPageBytesMin && page_bytes <= kPageBytesMax);
}

PagePool::~PagePool() {
  // The arena lives on, for others.
  unpoison(arena_, std::size_t{fresh_} << page_shift_);
}

std::uint32_t PagePool::take(PageUse use, std::uint32_t in_use_max) noexcept {
  MR_ASSERT(use != PageUse::Free);
  if (in_use_ >= in_use_max) {
    return kNoPage;
  }
  const std::uint32_t first_fresh = fresh_;
  std::uint32_t page = free_head_;
  if (page != kNoPage) {
    free_head_ = table_[page].next;
  } else if (fresh_ < fresh_end_) {
    page = fresh_++;
  } else {
    // The limit has just risen, and housekeeping has not got there yet.
    MR_ASSERT(bare_ > 0);
    --bare_;
    page = bare_head_;
    if (page != kNoPage) {
      bare_head_ = table_[page].next;
    } else {
      MR_ASSERT(fresh_ < pages_);
      page = fresh_++;
      fresh_end_ = fresh_;
    }
    owner_->take_again(bytes_of(page));
  }
  if (page != first_fresh) {
    unpoison(address(page), page_bytes());  // give_back() poisoned it
  }
  table_[page] = Page{};
  table_[page].use = use;
  ++in_use_;
  return page;
}

void PagePool::give_back(std::uint32_t page) noexcept {
  MR_ASSERT(page < fresh_);
  MR_ASSERT(table_[page].use != PageUse::Free);
  wheel_.remove(page);
  table_[page] = Page{};
  table_[page].next = free_head_;
  free_head_ = page;
  --in_use_;
  poison(address(page), page_bytes());
}

bool PagePool::give_one_back() noexcept {
  const bool is_fresh = fresh_ < fresh_end_;
  const std::uint32_t page = is_fresh ? fresh_end_ - 1 : free_head_;
  if (page == kNoPage) {
    return false;  // all are in use: a surplus
  }
  if (!owner_->give_back(bytes_of(page))) {
    gives_back_ = false;
    return false;
  }
  if (is_fresh) {
    --fresh_end_;
  } else {
    free_head_ = table_[page].next;
    table_[page].next = bare_head_;
    bare_head_ = page;
  }
  ++bare_;
  return true;
}

void PagePool::take_one_again() noexcept {
  const std::uint32_t page = bare_head_ != kNoPage ? bare_head_ : fresh_end_;
  owner_->take_again(bytes_of(page));
  if (page == bare_head_) {
    bare_head_ = table_[page].next;
    table_[page].next = free_head_;
    free_head_ = page;
  } else {
    ++fresh_end_;
  }
  --bare_;
}

std::uint32_t PagePool::follow_limit(std::uint32_t pages_max) noexcept {
  std::uint32_t moved = 0;
  for (; moved < pages_max && bare_ > pages_ - limit_; ++moved) {
    take_one_again();
  }
  while (moved < pages_max && gives_back_ && bare_ < pages_ - limit_ && give_one_back()) {
    ++moved;
  }
  return moved;
}

void PagePool::start_with(std::uint32_t pages) noexcept {
  MR_ASSERT(owner_ != nullptr && fresh_ == 0 && bare_ == 0 && pages <= pages_);
  limit_ = fresh_end_ = pages;
  bare_ = beyond_start_ = pages_ - pages;
}

void PagePool::set_limit(std::uint32_t pages) noexcept {
  MR_ASSERT(pages <= pages_);
  limit_ = pages;
}

void PagePool::check() const {
  std::uint32_t free = 0;
  for (std::uint32_t page = free_head_; page != kNoPage; page = table_[page].next) {
    MR_ASSERT(table_[page].use == PageUse::Free);
    MR_ASSERT(page < fresh_);
    ++free;
    MR_ASSERT(free <= fresh_);
  }
  std::uint32_t bare = 0;
  for (std::uint32_t page = bare_head_; page != kNoPage; page = table_[page].next) {
    MR_ASSERT(table_[page].use == PageUse::Free && page < fresh_);
    ++bare;
    MR_ASSERT(bare <= bare_);
  }
  MR_ASSERT(fresh_ <= fresh_end_ && bare + pages_ - fresh_end_ == bare_);
  MR_ASSERT(free + bare + in_use_ == fresh_);
  wheel_.check(pages_);
}

}  // namespace millrace::store
