// What commands ask of a partition, and what it answers. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>

#include "store/types.h"

namespace millrace::store {

/// What a storing command wants besides key and value.
struct StoreArgs {
  StoreMode mode = StoreMode::Set;
  std::uint32_t flags = 0;
  Seconds expires_at = kNever;
  Cas cas_compare = 0;  ///< StoreMode::Cas; with another mode, 0 means no comparison
};

struct StoreReply {
  Outcome outcome = Outcome::Stored;
  Cas cas = 0;  ///< the new one when Stored
};

struct ArithReply {
  Outcome outcome = Outcome::Stored;
  std::uint64_t number = 0;
  Cas cas = 0;
};

/// What `ms` may want besides.
struct MetaStoreArgs {
  bool vivifies = false;     ///< append and prepend: without an old value the new one is stored, under expires_at
  bool takes_stale = false;  ///< cas: a number lower than the item's stores all the same; the value is marked stale,
                             ///< and keeps the item's expiry
  std::optional<Cas> given_cas{};  ///< the new CAS number
};

/// What `md` wants.
struct MetaDeleteArgs {
  std::optional<Cas> compare{};
  bool marks_stale = false;    ///< instead of deleting: whoever asks next is told to renew it
  bool removes_value = false;  ///< leaves an empty value, with `flags`
  std::uint32_t flags = 0;
  std::optional<Seconds> expires_at{};
  std::optional<Cas> given_cas{};
};

/// What `ma` wants.
struct MetaArithArgs {
  std::uint64_t delta = 1;
  bool is_decrement = false;
  Cas compare = 0;        ///< 0: none
  bool vivifies = false;  ///< a key that has none gets `initial`
  std::uint64_t initial = 0;
  std::optional<Cas> given_cas{};
};

/// What changes of an item that was looked at.
struct MetaChange {
  std::optional<Seconds> expires_at{};
  bool wins = false;   ///< its client is told to renew it, and nobody else until it is renewed
  bool bumps = false;  ///< counts as a hit for the hand
};

}  // namespace millrace::store
