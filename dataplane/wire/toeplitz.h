// The Toeplitz hash by which devices spread flows over queues (Microsoft, "RSS Hashing Types"; verified by its
// vectors). Pure; any thread. Used where a device does not hash, and to foresee on which queue a flow will arrive.
#pragma once

#include <array>
#include <span>

#include "dataplane/wire/flow_key.h"

namespace millrace::wire {

inline constexpr std::size_t kRssKeyBytes = 40;
using RssKey = std::array<std::uint8_t, kRssKeyBytes>;

/// `input` has at most kRssKeyBytes - 4 bytes.
[[nodiscard]] inline std::uint32_t toeplitz(const RssKey& key, std::span<const std::byte> input) noexcept {
  std::uint32_t hash = 0;
  // The window: 32 bits of the key, from the bit that stands over the input's current one; the 8 behind it follow in.
  std::uint64_t window = std::uint64_t{key[0]} << 32 | std::uint64_t{key[1]} << 24 | std::uint64_t{key[2]} << 16 |
                         std::uint64_t{key[3]} << 8 | key[4];
  for (std::size_t i = 0; i < input.size() && i + 4 < kRssKeyBytes; ++i) {
    const auto byte = static_cast<std::uint8_t>(input[i]);
    for (int bit = 0; bit < 8; ++bit) {
      if ((byte & (0x80 >> bit)) != 0) {
        hash ^= static_cast<std::uint32_t>(window >> (8 - bit));
      }
    }
    window = window << 8 | (i + 5 < kRssKeyBytes ? key[i + 5] : 0);
  }
  return hash;
}

/// Over addresses, or over addresses and ports: what devices call the IP and the UDP/TCP hash types.
[[nodiscard]] inline std::uint32_t rss_hash(const RssKey& key, const FlowKey& flow, bool with_ports) noexcept {
  std::array<std::byte, 36> input;
  const std::size_t skip = flow.source.is_v4() ? 12 : 0;
  const std::size_t bytes = 16 - skip;
  std::memcpy(input.data(), flow.source.data() + skip, bytes);
  std::memcpy(input.data() + bytes, flow.destination.data() + skip, bytes);
  store_be16(input.data() + 2 * bytes, flow.source_port);
  store_be16(input.data() + 2 * bytes + 2, flow.destination_port);
  return toeplitz(key, {input.data(), 2 * bytes + (with_ports ? 4 : 0)});
}

}  // namespace millrace::wire
