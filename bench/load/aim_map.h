// Which worker of a Millrace server owns a key, and the UDP port on which it alone listens: the map that the server
// publishes as `stats aim` (docs/aiming.md). A plain value; the rule is the server's own (base/key_hash.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "base/key_hash.h"
#include "base/result.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct AimMap {
  std::uint16_t port = 0;  ///< of worker 0; the next worker's is the next one
  std::uint32_t workers = 0;
  std::uint64_t seed = 0;

  [[nodiscard]] std::uint32_t owner(std::string_view key) const noexcept {
    return hash_key(key, seed).partition(workers);
  }
  /// Of the key with this number.
  [[nodiscard]] std::uint32_t owner(const KeyText& keys, std::uint64_t number) const noexcept {
    char text[KeyText::kBytesMax];
    return owner({text, static_cast<std::size_t>(keys.write(number, text) - text)});
  }
  [[nodiscard]] std::uint16_t port_of(std::uint32_t worker) const noexcept {
    return static_cast<std::uint16_t>(port + worker);
  }

  friend bool operator==(const AimMap&, const AimMap&) = default;
};

/// A server's whole answer to `stats aim`, which may be anything. Names that are not known are passed over.
Result<AimMap> read_aim_map(std::string_view answer);

/// Every worker has to own one of the keys 0 .. keys - 1, and, where counters are asked for, one of theirs.
Result<void> check_owners(const AimMap& map, const KeyText& text, std::uint64_t keys, bool counts);

}  // namespace millrace::load
