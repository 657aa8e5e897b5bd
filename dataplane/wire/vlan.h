// One VLAN tag (IEEE 802.1Q 9.6): it follows the two addresses, and the type of what it carries follows it.
// Pure; any thread.
#pragma once

#include <optional>

#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

inline constexpr std::size_t kVlanTagBytes = 4;
inline constexpr std::uint16_t kVlanIdMax = 4094;  ///< 4095 is reserved; 0 only gives a priority
inline constexpr std::uint16_t kVlanIdMask = 0x0fff;

struct VlanTag {
  std::uint16_t tci = 0;   ///< priority (3 bits), drop eligible (1), identifier (12)
  std::uint16_t type = 0;  ///< of what follows the tag

  [[nodiscard]] constexpr std::uint16_t id() const noexcept { return tci & kVlanIdMask; }
  friend bool operator==(const VlanTag&, const VlanTag&) = default;
};

/// From what follows an Ethernet header of type kEtherTypeVlan.
[[nodiscard]] inline std::optional<VlanTag> parse_vlan(Bytes bytes) noexcept {
  if (bytes.size() < kVlanTagBytes) {
    return std::nullopt;
  }
  return VlanTag{.tci = load_be16(bytes.data()), .type = load_be16(bytes.data() + 2)};
}

inline void write_vlan(std::byte* to, const VlanTag& tag) noexcept {
  store_be16(to, tag.tci);
  store_be16(to + 2, tag.type);
}

}  // namespace millrace::wire
