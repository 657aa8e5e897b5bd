#include "store/page_pool.h"

namespace millrace::store {

PagePool::PagePool(std::span<std::byte> arena)
    : arena_(arena.data()),
      pages_(static_cast<std::uint32_t>(arena.size() / kPageBytes)),
      limit_(pages_),
      table_(std::make_unique<Page[]>(pages_)),
      wheel_(table_.get()) {}

std::uint32_t PagePool::take(PageUse use, std::uint32_t in_use_max) noexcept {
  MR_ASSERT(use != PageUse::Free);
  if (in_use_ >= in_use_max) {
    return kNoPage;
  }
  std::uint32_t page = free_head_;
  if (page != kNoPage) {
    free_head_ = table_[page].next;
  } else {
    MR_ASSERT(fresh_ < pages_);
    page = fresh_++;
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
  MR_ASSERT(free + in_use_ == fresh_);
  wheel_.check(pages_);
}

}  // namespace millrace::store
