// A page's record: what holds it, which of its chunks are free, and when it has to be swept.
// Thread: the partition's owner. Ownership: PagePool's table. The pairs of links belong to whoever holds the page.
#pragma once

#include <cstdint>

#include "store/limits.h"
#include "store/types.h"

namespace millrace::store {

enum class PageUse : std::uint8_t {
  Free,
  Slab,   ///< chunks of a class; class 0: overflow buckets
  Index,  ///< 1024 buckets
  Ghost,  ///< fingerprints of what was evicted
};

inline constexpr std::uint16_t kNoUnit = 0xffff;
inline constexpr Seconds kNoDue = 0xffff'ffff;
inline constexpr std::uint16_t kNoWheelList = 0xffff;

struct Page {
  PageUse use = PageUse::Free;
  std::uint8_t class_id = 0;
  std::uint16_t used = 0;        ///< chunks handed out
  std::uint16_t free_unit = 0;   ///< first free chunk that was used before; kNoUnit: none
  std::uint16_t fresh_unit = 0;  ///< from here on no chunk was ever handed out
  std::uint32_t prev = kNoPage;  ///< ring of the class, or `next` alone: free list
  std::uint32_t next = kNoPage;
  std::uint32_t room_prev = kNoPage;  ///< pages of the class that have a free chunk
  std::uint32_t room_next = kNoPage;
  Seconds due = kNoDue;  ///< none of its items expires earlier, or it was swept not long before: page_wheel.h
  std::uint32_t due_prev = kNoPage;
  std::uint32_t due_next = kNoPage;
  std::uint16_t due_list = kNoWheelList;
  std::uint8_t sweep_gap = 0;  ///< how long to wait after a sweep, as a power of two of seconds
};
static_assert(sizeof(Page) == 40);

}  // namespace millrace::store
