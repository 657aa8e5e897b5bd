// UDP header (RFC 768). Pure; any thread.
#pragma once

#include <optional>

#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

inline constexpr std::size_t kUdpBytes = 8;

struct UdpHeader {
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t total_bytes = 0;  ///< header and payload
  std::uint16_t checksum = 0;     ///< 0: none was computed

  friend bool operator==(const UdpHeader&, const UdpHeader&) = default;
};

[[nodiscard]] inline std::optional<UdpHeader> parse_udp(Bytes bytes) noexcept {
  if (bytes.size() < kUdpBytes) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  return UdpHeader{.source_port = load_be16(at),
                   .destination_port = load_be16(at + 2),
                   .total_bytes = load_be16(at + 4),
                   .checksum = load_be16(at + 6)};
}

/// `to` has kUdpBytes.
inline void write_udp(std::byte* to, const UdpHeader& header) noexcept {
  store_be16(to, header.source_port);
  store_be16(to + 2, header.destination_port);
  store_be16(to + 4, header.total_bytes);
  store_be16(to + 6, header.checksum);
}

}  // namespace millrace::wire
