// Chunks of fixed sizes from the partition's pages: hand out, take back, add a page, let a page go. Never calls malloc.
//
// Thread: the partition's owner. Ownership: chunks are the caller's until free(); pages belong to their class.
// Invariants: (1) a page of a class counts its chunks handed out, and goes back to the pool when that falls to 0;
// (2) a class's room list holds exactly its pages with a free chunk; (3) free chunks are linked inside their page only,
// so that taking a page away touches no list of another page (one that is being drained is in no room list); (4) a free
// chunk's first byte says Kind::Free, and of a free chunk AddressSanitizer lets nobody touch more than its first unit.
// What to evict is not decided here: that is partition_evict.cc.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/attributes.h"
#include "base/poison.h"
#include "store/clock_hand.h"
#include "store/item.h"
#include "store/page_pool.h"
#include "store/slab_class.h"

namespace millrace::store {

struct SlabClass {
  std::uint32_t chunk_bytes = 0;
  std::uint16_t chunk_units = 0;
  std::uint16_t chunks_per_page = 0;
  std::uint32_t pages = 0;
  std::uint32_t room = kNoPage;  ///< first page with a free chunk
  std::uint64_t used = 0;
  ClockHand hand;
  HandPace pace;
  std::uint32_t passed_probation =
      0;  ///< evicted without the hand, since a page's worth of them was counted as crossed

  [[nodiscard]] std::uint64_t chunks() const noexcept { return std::uint64_t{pages} * chunks_per_page; }
  [[nodiscard]] std::uint64_t free() const noexcept { return chunks() - used; }
};

class SlabAllocator {
 public:
  SlabAllocator(PagePool& pages, const SizeTable& sizes) noexcept;

  /// A chunk from the class's own pages; none when they are full. Its bytes are whatever they were.
  ItemRef allocate(std::uint32_t id) noexcept {
    SlabClass& c = classes_[id];
    const std::uint32_t number = c.room;
    if (MR_UNLIKELY(number == kNoPage)) {
      return ItemRef{};
    }
    Page& page = pages_[number];
    std::uint32_t unit = page.free_unit;
    if (unit != kNoUnit) {
      std::memcpy(&page.free_unit, pages_.address(number) + unit * kUnitBytes + kLinkAt, sizeof page.free_unit);
    } else {
      unit = page.fresh_unit;
      page.fresh_unit = static_cast<std::uint16_t>(unit + c.chunk_units);
    }
    ++c.used;
    if (++page.used == c.chunks_per_page) {
      leave_room(c, number);
    }
    unpoison(pages_.address(number) + unit * kUnitBytes, c.chunk_bytes);
    return pages_.ref_at(number, unit);
  }
  void free(ItemRef ref) noexcept;

  /// Takes a page from the pool into the class, just behind its hand. False when the pool has none.
  bool add_page(std::uint32_t id) noexcept { return add_page(id, pages_.limit()); }
  bool add_page(std::uint32_t id, std::uint32_t in_use_max) noexcept;

  /// Gives a page back that was added and never used: it has no last chunk whose free() would.
  void drop_page(std::uint32_t page) noexcept {
    MR_ASSERT(pages_[page].use == PageUse::Slab && pages_[page].used == 0);
    let_go(classes_[pages_[page].class_id], page);
  }

  /// Nothing is handed out from this page any more, until its last chunk comes back and it leaves, or stop_draining().
  /// One page at a time, of a class that has others.
  void start_draining(std::uint32_t page) noexcept;
  void stop_draining() noexcept;
  [[nodiscard]] std::uint32_t draining() const noexcept { return draining_; }  ///< kNoPage: none

  [[nodiscard]] std::uint32_t class_of(ItemRef ref) const noexcept { return pages_[pages_.page_of(ref)].class_id; }
  [[nodiscard]] SlabClass& operator[](std::uint32_t id) noexcept { return classes_[id]; }
  [[nodiscard]] const SlabClass& operator[](std::uint32_t id) const noexcept { return classes_[id]; }
  /// Units of a page that may be read as chunks.
  [[nodiscard]] std::uint32_t fresh_unit(std::uint32_t page) const noexcept { return pages_[page].fresh_unit; }
  /// The page that follows in the ring of its class.
  [[nodiscard]] std::uint32_t next_page(std::uint32_t page) const noexcept { return pages_[page].next; }
  [[nodiscard]] std::uint32_t classes() const noexcept { return count_; }
  void check() const;

 private:
  /// Where a free chunk keeps the next free unit of its page; byte 0 is its state.
  static constexpr std::uint32_t kLinkAt = 2;

  void enter_room(SlabClass& c, std::uint32_t page) noexcept;
  void leave_room(SlabClass& c, std::uint32_t page) noexcept;
  void let_go(SlabClass& c, std::uint32_t page) noexcept;
  void check_class(std::uint32_t id) const;

  PagePool& pages_;
  std::uint32_t count_;
  std::uint32_t draining_ = kNoPage;
  std::array<SlabClass, kClassesMax + 1> classes_{};
};

}  // namespace millrace::store
