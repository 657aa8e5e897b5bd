// ARP for IPv4 over Ethernet (RFC 826), the only kind there is. Pure; any thread.
#pragma once

#include <cstring>
#include <optional>

#include "dataplane/wire/address.h"

namespace millrace::wire {

inline constexpr std::size_t kArpBytes = 28;

enum class ArpOperation : std::uint16_t {
  Request = 1,
  Reply = 2,
};

struct ArpPacket {
  ArpOperation operation = ArpOperation::Request;
  MacAddress sender_mac{};
  IpAddress sender_ip{};
  MacAddress target_mac{};
  IpAddress target_ip{};

  friend bool operator==(const ArpPacket&, const ArpPacket&) = default;
};

/// Nothing when it is short, of another hardware or protocol, of other lengths or with another operation.
[[nodiscard]] inline std::optional<ArpPacket> parse_arp(Bytes bytes) noexcept {
  if (bytes.size() < kArpBytes) {
    return std::nullopt;
  }
  const std::byte* at = bytes.data();
  const std::uint16_t operation = load_be16(at + 6);
  if (load_be16(at) != 1 || load_be16(at + 2) != 0x0800 || load_u8(at + 4) != 6 || load_u8(at + 5) != 4 ||
      (operation != 1 && operation != 2)) {
    return std::nullopt;
  }
  ArpPacket packet{.operation = static_cast<ArpOperation>(operation)};
  std::memcpy(packet.sender_mac.data(), at + 8, 6);
  packet.sender_ip = IpAddress::v4(load_be32(at + 14));
  std::memcpy(packet.target_mac.data(), at + 18, 6);
  packet.target_ip = IpAddress::v4(load_be32(at + 24));
  return packet;
}

/// `to` has kArpBytes; the addresses are IPv4.
inline void write_arp(std::byte* to, const ArpPacket& packet) noexcept {
  store_be16(to, 1);           // hardware: Ethernet
  store_be16(to + 2, 0x0800);  // protocol: IPv4
  store_u8(to + 4, 6);
  store_u8(to + 5, 4);
  store_be16(to + 6, static_cast<std::uint16_t>(packet.operation));
  std::memcpy(to + 8, packet.sender_mac.data(), 6);
  store_be32(to + 14, packet.sender_ip.v4_host());
  std::memcpy(to + 18, packet.target_mac.data(), 6);
  store_be32(to + 24, packet.target_ip.v4_host());
}

}  // namespace millrace::wire
