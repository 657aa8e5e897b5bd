// When changes were made, from their numbers alone: which was the last before each of some seconds. An item need not
// keep a time of its own. Recent seconds are all there, older ones ever fewer, so that an age is right within a
// fraction of it.
//
// Thread: the partition's owner. Ownership: the partition; of fixed size. Invariant: marks rise in both numbers.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "store/item.h"
#include "store/types.h"

namespace millrace::store {

class ChangeTimes {
 public:
  /// Changes up to `last` were made before `now`, those above from then on. At most once a second, with rising numbers.
  void note(Seconds now, Cas last) noexcept {
    if (count_ != 0 && marks_[count_ - 1].last == last) {
      marks_[count_ - 1].at = now;  // nothing was changed since
      return;
    }
    if (count_ == marks_.size()) {
      thin_out(now);
    }
    marks_[count_++] = {.last = last, .at = now};
  }
  void clear() noexcept { count_ = 0; }

  /// The second in which a change was made, or a little before.
  [[nodiscard]] Seconds at(Cas change) const noexcept {
    const auto end = marks_.begin() + count_;
    const auto after =
        std::lower_bound(marks_.begin(), end, change, [](const Mark& mark, Cas of) { return mark.last < of; });
    return after == marks_.begin() ? Seconds{1} : std::prev(after)->at;
  }

 private:
  struct Mark {
    Cas last = 0;
    Seconds at = 1;
  };

  /// Marks go whose neighbours are not further apart than a fraction of their age: what is left is as many for each
  /// doubling of the age, which is far fewer than there is room for.
  void thin_out(Seconds now) noexcept {
    std::uint32_t kept = 1;
    for (std::uint32_t i = 1; i + 1 < count_; ++i) {
      if (marks_[i + 1].at - marks_[kept - 1].at > (now - std::min(now, marks_[i].at)) / kFraction) {
        marks_[kept++] = marks_[i];
      }
    }
    marks_[kept++] = marks_[count_ - 1];
    if (kept == marks_.size()) {  // time that jumps about: the oldest mark but one goes
      std::copy(marks_.begin() + 2, marks_.end(), marks_.begin() + 1);
      --kept;
    }
    count_ = kept;
  }

  static constexpr Seconds kFraction = 16;

  std::array<Mark, 512> marks_;
  std::uint32_t count_ = 0;
};

}  // namespace millrace::store
