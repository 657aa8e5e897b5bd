// The items of a class that have yet to prove themselves, oldest first: a queue of references.
//
// Thread: the partition's owner. Ownership: its segments are chunks of class 0, paid from the arena like the index's
// overflow buckets; the queue gives each back as it is read.
// An entry is a hint, not a claim: what it names may have gone, or moved on; who pops it looks. But every item that
// says it is in probation has an entry (README.md, invariant 12), for nothing else would ever come for it. A segment is
// one cache line: the next segment, and fifteen references.
#pragma once

#include <array>
#include <cstdint>

#include "base/assert.h"
#include "store/item.h"
#include "store/page_pool.h"
#include "store/slab_allocator.h"

namespace millrace::store {

class ProbationQueue {
 public:
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

  /// False when a segment has to begin first.
  bool push(ItemRef ref, PagePool& pages) noexcept {
    if (MR_UNLIKELY(last_at_ == kRefs)) {
      return false;
    }
    at(pages, last_).refs[last_at_++] = ref;
    ++size_;
    return true;
  }

  /// Only when push() asks for it. False when class 0 has no chunk above `reserve` for it.
  bool begin_segment(PagePool& pages, SlabAllocator& slabs, std::uint32_t reserve) noexcept {
    MR_DCHECK(last_at_ == kRefs);
    if (slabs[kOverflowClass].free() <= reserve) {
      return false;
    }
    const ItemRef segment = slabs.allocate(kOverflowClass);
    at(pages, segment) = Segment{};
    if (first_ == ItemRef{}) {
      first_ = segment;
      first_at_ = 0;
    } else {
      at(pages, last_).next = segment;
    }
    last_ = segment;
    last_at_ = 0;
    return true;
  }

  /// Only when size() > 0.
  ItemRef pop(PagePool& pages, SlabAllocator& slabs) noexcept {
    MR_DCHECK(size_ > 0);
    const Segment& segment = at(pages, first_);
    const ItemRef ref = segment.refs[first_at_++];
    if (MR_UNLIKELY(--size_ == 0 || first_at_ == kRefs)) {
      end_segment(pages, slabs);
    } else if (first_at_ + kAhead < kRefs) {
      prefetch(pages.at(segment.refs[first_at_ + kAhead]));
    }
    return ref;
  }

  /// Calls `see(ref)` for each entry. For tests.
  template <typename See>
  void visit(const PagePool& pages, See see) const {
    ItemRef segment = first_;
    std::uint32_t from = first_at_;
    for (std::uint32_t left = size_; left != 0; from = 0) {
      const auto& lines = *reinterpret_cast<const Segment*>(pages.at(segment));
      for (; from < kRefs && left != 0; ++from, --left) {
        see(lines.refs[from]);
      }
      segment = lines.next;
    }
  }

  [[nodiscard]] std::uint32_t segments() const noexcept {
    return size_ == 0 ? 0 : (first_at_ + size_ + kRefs - 1) / kRefs;
  }

 private:
  static constexpr std::uint32_t kRefs = 15;
  /// How many entries ahead the item's line is asked for.
  static constexpr std::uint32_t kAhead = 2;

  struct Segment {
    ItemRef next{};
    std::array<ItemRef, kRefs> refs{};
  };
  static_assert(sizeof(Segment) == 64);

  // One time in fifteen: out of the way of the others, which then need few registers.
  [[gnu::noinline]] void end_segment(PagePool& pages, SlabAllocator& slabs) noexcept {
    const ItemRef spent = first_;
    first_ = at(pages, spent).next;
    first_at_ = 0;
    if (first_ == ItemRef{}) {
      last_ = ItemRef{};
      last_at_ = kRefs;
    }
    slabs.free(spent);
  }

  static Segment& at(PagePool& pages, ItemRef ref) noexcept { return *reinterpret_cast<Segment*>(pages.at(ref)); }

  ItemRef first_{};
  ItemRef last_{};
  std::uint32_t size_ = 0;
  std::uint32_t first_at_ = 0;
  std::uint32_t last_at_ = kRefs;  ///< kRefs: the next push needs a segment
};

}  // namespace millrace::store
