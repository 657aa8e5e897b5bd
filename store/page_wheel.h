// When pages have to be swept for expired items: a timing wheel of pages by the second, and those that are due by
// class.
//
// Thread: the partition's owner. Ownership: the links lie in the pages' records, which are lent; the lists' heads are
// ours. Invariants: (1) a page whose items can expire is in exactly one list, any other in none; (2) a page's `due` is
// not above the earliest expiry of its items, but for the seconds that the sweep before asked to wait; (3) in level L
// of the wheel a page's due second and now differ in the L-th group of six bits and in no higher one.
//
//   level 0: this minute's seconds   1: this hour's minutes ...   5: decades        each 64 slots, a bit each says
//   whether it has pages; when time comes to a slot of a coarse level, its pages are spread over the finer ones.
//
// Why pages and not items: an item would need links, or a place in a list of its own; a page of a thousand items that
// expire in the same minute is swept once. Why not a heap: its steps are logarithmic for what is constant here.
#pragma once

#include <array>
#include <cstdint>

#include "base/attributes.h"
#include "store/page.h"

namespace millrace::store {

class PageWheel {
 public:
  explicit PageWheel(Page* table) noexcept : table_(table) { heads_.fill(kNoPage); }

  /// An item of the page expires then.
  void note(std::uint32_t page, Seconds at) noexcept {
    if (MR_UNLIKELY(at < table_[page].due)) {
      schedule(page, at);
    }
  }
  /// Not before, whatever was asked for until now.
  void schedule(std::uint32_t page, Seconds at) noexcept;
  void remove(std::uint32_t page) noexcept {
    if (MR_UNLIKELY(table_[page].due_list != kNoWheelList)) {
      unlink(page);
      table_[page].due = kNoDue;
    }
  }

  /// Time goes on as far as it can with so many pages moved between lists. Returns how many were.
  std::uint32_t advance(Seconds now, std::uint32_t pages_max) noexcept;
  [[nodiscard]] Seconds now() const noexcept { return now_; }

  /// A page of the class that is due; kNoPage: none is.
  [[nodiscard]] std::uint32_t due_page(std::uint32_t class_id) const noexcept { return heads_[kDueLists + class_id]; }
  [[nodiscard]] bool is_due(std::uint32_t page) const noexcept {
    return table_[page].due_list != kNoWheelList && table_[page].due_list >= kDueLists;
  }
  /// A bit for each class that has a due page.
  [[nodiscard]] std::uint64_t due_classes() const noexcept { return due_classes_; }
  void check(std::uint32_t pages) const;

 private:
  static constexpr std::uint32_t kLevelBits = 6;
  static constexpr std::uint32_t kSlots = 1U << kLevelBits;
  static constexpr std::uint32_t kLevels = 6;  ///< 36 bits hold every second
  static constexpr std::uint32_t kDueLists = kLevels * kSlots;

  [[nodiscard]] std::uint32_t position(std::uint32_t level) const noexcept {
    return static_cast<std::uint32_t>(std::uint64_t{now_} >> (level * kLevelBits)) & (kSlots - 1);
  }
  [[nodiscard]] std::uint32_t list_for(std::uint32_t page, Seconds at) const noexcept;
  [[nodiscard]] Seconds next_event(Seconds until) const noexcept;
  void link(std::uint32_t page, std::uint32_t list) noexcept;
  void unlink(std::uint32_t page) noexcept;
  void mark(std::uint32_t list, bool has_pages) noexcept;

  Page* table_;
  Seconds now_ = 0;
  std::uint64_t due_classes_ = 0;
  std::array<std::uint64_t, kLevels> occupied_{};
  std::array<std::uint32_t, kDueLists + kClassesMax + 1> heads_;
};

}  // namespace millrace::store
