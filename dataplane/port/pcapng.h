// Blocks of a pcapng file (draft-ietf-opsawg-pcapng), appended to bytes in memory. One section, one interface.
//
// Pure, any thread; cold: the bytes grow as they must.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/port/frame_ring.h"

namespace millrace::port {

/// Section header (4.1): our own byte order, version 1.0, length not said.
void append_section(std::vector<std::byte>& out);
/// Interface description (4.2): Ethernet, stamps in nanoseconds.
void append_interface(std::vector<std::byte>& out, std::string_view name, std::uint32_t snap_bytes);
/// Enhanced packet (4.3), with its direction. `at_ns` is Unix time.
void append_frame(std::vector<std::byte>& out, std::uint64_t at_ns, Direction direction, std::uint32_t frame_bytes,
                  std::span<const std::byte> kept);
/// Interface statistics (4.6): from when to when, what passed, what of it is not in the file for want of room.
void append_statistics(std::vector<std::byte>& out, std::uint64_t start_ns, std::uint64_t end_ns, std::uint64_t passed,
                       std::uint64_t dropped);

[[nodiscard]] constexpr std::uint64_t frame_block_bytes(std::uint64_t kept_bytes) noexcept {
  return 44 + (kept_bytes + 3) / 4 * 4;
}
inline constexpr std::uint64_t kStatisticsBlockBytes = 76;

}  // namespace millrace::port
