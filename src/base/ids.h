// Distinct types for the numbers that name things, so that a core is never taken for a connection. Any thread.
#pragma once

#include <compare>
#include <cstdint>

namespace millrace {

/// Index of a worker, of its partition and of its end of the mesh: 0 .. workers-1.
using WorkerId = std::uint32_t;

/// Names a connection of one transport. The generation makes a stale id harmless: it is refused, not misdirected.
struct ConnId {
  std::uint32_t slot = 0xffff'ffff;
  std::uint32_t generation = 0;

  friend constexpr auto operator<=>(ConnId, ConnId) = default;
  [[nodiscard]] constexpr bool is_valid() const noexcept { return slot != 0xffff'ffff; }
};

}  // namespace millrace
