// The arena cut into pages of one size: which are free, one small record for each, and when each is to be swept.
//
// Thread: the partition's owner. Ownership: the arena is lent; the table of records is ours (40 B a page, allocated
// once). Invariants: (1) a page is in exactly one place: free list, a class's ring, or the index's directory; (2) pages
// in use never exceed the limit because of a take(); lowering the limit leaves a surplus that housekeeping works off.
// Pages are handed out lowest address first as long as none came back, so that untouched memory stays untouched.
// Below the arena's size the limit leaves pages that nobody may use: their memory goes back to the arena's owner, and
// is taken again when the limit rises; both in steps.
//
//   0 ........ fresh_ ........ fresh_end_ ........ pages_         and two lists of free pages that were used before:
//   with were taken | never taken   | without memory                   memory (free_head_), and without (bare_head_)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/assert.h"
#include "store/item.h"
#include "store/limits.h"
#include "store/page.h"
#include "store/page_wheel.h"

namespace millrace::store {

/// Whose memory the arena is. How it is given to the system and taken from it is not the store's to know.
class ArenaOwner {
 public:
  /// Nobody needs what is in it. False: it cannot be given back, neither now nor later.
  virtual bool give_back(std::span<std::byte> pages) noexcept = 0;
  /// It is about to be used again.
  virtual void take_again(std::span<std::byte> pages) noexcept = 0;

 protected:
  ~ArenaOwner() = default;
};

class PagePool {
 public:
  /// `page_bytes`: a power of two, kPageBytesMin to kPageBytesMax.
  PagePool(std::span<std::byte> arena, std::uint32_t page_bytes, ArenaOwner* owner = nullptr);
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;
  ~PagePool();

  /// A page nobody uses, now `use`'s; kNoPage when the limit is reached.
  std::uint32_t take(PageUse use) noexcept { return take(use, limit_); }
  /// The same with another bound. For who made a page free and wants one in exchange while a surplus is worked off.
  std::uint32_t take(PageUse use, std::uint32_t in_use_max) noexcept;
  void give_back(std::uint32_t page) noexcept;
  /// Gives memory of unused pages back to the owner, or takes it again, as the limit has it: at most so many pages.
  /// Returns how many.
  std::uint32_t follow_limit(std::uint32_t pages_max) noexcept;

  [[nodiscard]] Page& operator[](std::uint32_t page) noexcept { return table_[page]; }
  [[nodiscard]] const Page& operator[](std::uint32_t page) const noexcept { return table_[page]; }
  [[nodiscard]] std::byte* address(std::uint32_t page) const noexcept {
    return arena_ + (std::size_t{page} << page_shift_);
  }
  [[nodiscard]] std::byte* at(ItemRef ref) const noexcept {
    return arena_ + (std::size_t{static_cast<std::uint32_t>(ref)} << kUnitShift);
  }
  [[nodiscard]] ItemRef ref_of(const void* chunk) const noexcept {
    return static_cast<ItemRef>((static_cast<const std::byte*>(chunk) - arena_) >> kUnitShift);
  }
  [[nodiscard]] ItemRef ref_at(std::uint32_t page, std::uint32_t unit) const noexcept {
    return static_cast<ItemRef>((page << unit_bits_) + unit);
  }
  [[nodiscard]] std::uint32_t page_of(ItemRef ref) const noexcept {
    return static_cast<std::uint32_t>(ref) >> unit_bits_;
  }
  [[nodiscard]] std::uint32_t unit_of(ItemRef ref) const noexcept {
    return static_cast<std::uint32_t>(ref) & ((1U << unit_bits_) - 1);
  }
  [[nodiscard]] std::uint32_t page_bytes() const noexcept { return 1U << page_shift_; }
  [[nodiscard]] std::uint32_t page_shift() const noexcept { return page_shift_; }

  /// Pages whose items can expire; one that is given back is taken out by itself.
  [[nodiscard]] PageWheel& wheel() noexcept { return wheel_; }
  [[nodiscard]] const PageWheel& wheel() const noexcept { return wheel_; }

  /// Before the first take(): pages from here on have no memory until the limit rises. Needs an owner.
  void start_with(std::uint32_t pages) noexcept;
  [[nodiscard]] std::uint32_t pages() const noexcept { return pages_; }
  [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }
  void set_limit(std::uint32_t pages) noexcept;
  [[nodiscard]] std::uint32_t in_use() const noexcept { return in_use_; }
  /// Pages take() would still give.
  [[nodiscard]] std::uint32_t available() const noexcept { return in_use_ < limit_ ? limit_ - in_use_ : 0; }
  [[nodiscard]] std::uint32_t surplus() const noexcept { return in_use_ > limit_ ? in_use_ - limit_ : 0; }
  /// Pages whose memory is with the arena's owner, whether it was here before or not.
  [[nodiscard]] std::uint32_t bare() const noexcept { return bare_; }
  /// Of those it had at start, as many pages' worth are with the owner now.
  [[nodiscard]] std::uint32_t given_back() const noexcept { return bare_ - std::min(bare_, beyond_start_); }
  [[nodiscard]] std::uint64_t table_bytes() const noexcept { return std::uint64_t{pages_} * sizeof(Page); }
  void check() const;

 private:
  [[nodiscard]] std::span<std::byte> bytes_of(std::uint32_t page) const noexcept {
    return {address(page), page_bytes()};
  }
  bool give_one_back() noexcept;
  void take_one_again() noexcept;

  std::byte* arena_;
  std::uint32_t page_shift_;
  std::uint32_t unit_bits_;  ///< of a reference, which say where in its page a chunk lies
  ArenaOwner* owner_;
  bool gives_back_;  ///< else its memory stays whatever the limit
  std::uint32_t pages_;
  std::uint32_t limit_;
  std::uint32_t in_use_ = 0;
  std::uint32_t free_head_ = kNoPage;  ///< pages that came back
  std::uint32_t fresh_ = 0;            ///< pages from here on were never taken
  std::uint32_t fresh_end_;            ///< and from here on have no memory
  std::uint32_t bare_head_ = kNoPage;  ///< pages that came back and have no memory
  std::uint32_t bare_ = 0;             ///< without memory, of both kinds
  std::uint32_t beyond_start_ = 0;     ///< had none at start
  std::unique_ptr<Page[]> table_;
  PageWheel wheel_;
};

}  // namespace millrace::store
