// Ethernet II frame header (IEEE 802.3). Pure; any thread.
#pragma once

#include <cstring>
#include <optional>

#include "dataplane/wire/address.h"

namespace millrace::wire {

inline constexpr std::size_t kEthernetBytes = 14;
/// Without the frame check sequence; shorter frames are padded (IEEE 802.3 3.2.8).
inline constexpr std::size_t kFrameBytesMin = 60;

inline constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEtherTypeArp = 0x0806;
inline constexpr std::uint16_t kEtherTypeVlan = 0x8100;
inline constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

struct EthernetHeader {
  MacAddress destination{};
  MacAddress source{};
  std::uint16_t type = 0;

  friend bool operator==(const EthernetHeader&, const EthernetHeader&) = default;
};

[[nodiscard]] inline std::optional<EthernetHeader> parse_ethernet(Bytes frame) noexcept {
  if (frame.size() < kEthernetBytes) {
    return std::nullopt;
  }
  EthernetHeader header;
  std::memcpy(header.destination.data(), frame.data(), 6);
  std::memcpy(header.source.data(), frame.data() + 6, 6);
  header.type = load_be16(frame.data() + 12);
  return header;
}

/// `to` has kEthernetBytes.
inline void write_ethernet(std::byte* to, const EthernetHeader& header) noexcept {
  std::memcpy(to, header.destination.data(), 6);
  std::memcpy(to + 6, header.source.data(), 6);
  store_be16(to + 12, header.type);
}

}  // namespace millrace::wire
