// Words of the store: keys, time in whole seconds, outcomes. Plain values; owned by whoever holds them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/key_hash.h"

namespace millrace::store {

/// Whole seconds on the process's monotonic line; the first is 1, so that 0 can mean "never".
using Seconds = std::uint32_t;
inline constexpr Seconds kNever = 0;
/// An expiry that has already passed when it is set (memcached: a negative exptime): the first second, and now is
/// later.
inline constexpr Seconds kAlreadyExpired = 1;

/// A key with its hash, computed once.
struct Key {
  std::string_view bytes;
  KeyHash hash;
};

enum class StoreMode : std::uint8_t {
  Set,
  Add,
  Replace,
  Append,
  Prepend,
  Cas
};

/// Number of an item's last change. (Declared below StoreMode, whose Cas it would seem to shadow.)
using Cas = std::uint64_t;

enum class Outcome : std::uint8_t {
  Stored,
  NotStored,  ///< add found one; replace, append, prepend found none
  Exists,     ///< cas: changed since
  NotFound,
  TooLarge,     ///< beyond the largest item
  OutOfMemory,  ///< nothing could be evicted for it (or eviction is off)
  NotNumeric,   ///< incr, decr of something else
  Deleted,
  Touched,
};

}  // namespace millrace::store
