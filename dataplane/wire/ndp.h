// Neighbour solicitation and advertisement (RFC 4861 4.3, 4.4) with their link-layer address option (4.6.1).
// Pure; any thread. Only the message: hop limit, checksum and addresses around it are checked in ip/ndp_input.h.
#pragma once

#include <cstring>
#include <optional>

#include "dataplane/wire/address.h"
#include "dataplane/wire/icmpv4.h"
#include "dataplane/wire/icmpv6.h"

namespace millrace::wire {

inline constexpr std::size_t kNeighborBytes = 24;          ///< ICMPv6 header and target
inline constexpr std::size_t kLinkAddressOptionBytes = 8;  ///< for Ethernet
inline constexpr std::size_t kNdpOptionsMax = 16;          ///< more are not looked at: the message is refused

struct NeighborMessage {
  bool is_advertisement = false;
  bool is_router = false;     ///< advertisement: R
  bool is_solicited = false;  ///< advertisement: S
  bool overrides = false;     ///< advertisement: O
  IpAddress target{};
  std::optional<MacAddress> link_address{};  ///< source's of a solicitation, target's of an advertisement

  friend bool operator==(const NeighborMessage&, const NeighborMessage&) = default;
};

/// From a whole ICMPv6 message. Nothing when it is another type, short, or an option has length 0 or does not fit.
[[nodiscard]] inline std::optional<NeighborMessage> parse_neighbor(Bytes message) noexcept {
  const auto icmp = parse_icmp(message);
  if (!icmp || message.size() < kNeighborBytes || icmp->code != 0 ||
      (icmp->type != kIcmpv6NeighborSolicitation && icmp->type != kIcmpv6NeighborAdvertisement)) {
    return std::nullopt;
  }
  NeighborMessage neighbor;
  neighbor.is_advertisement = icmp->type == kIcmpv6NeighborAdvertisement;
  if (neighbor.is_advertisement) {
    neighbor.is_router = (icmp->rest & 0x8000'0000) != 0;
    neighbor.is_solicited = (icmp->rest & 0x4000'0000) != 0;
    neighbor.overrides = (icmp->rest & 0x2000'0000) != 0;
  }
  neighbor.target = IpAddress::v6(message.data() + kIcmpBytes);
  const std::uint8_t wanted = neighbor.is_advertisement ? 2 : 1;
  Bytes options = message.subspan(kNeighborBytes);
  for (std::size_t count = 0; !options.empty(); ++count) {
    if (options.size() < 8 || count == kNdpOptionsMax) {
      return std::nullopt;
    }
    const std::size_t bytes = std::size_t{load_u8(options.data() + 1)} * 8;
    if (bytes == 0 || bytes > options.size()) {
      return std::nullopt;
    }
    if (load_u8(options.data()) == wanted && bytes == kLinkAddressOptionBytes) {
      MacAddress mac;
      std::memcpy(mac.data(), options.data() + 2, 6);
      neighbor.link_address = mac;
    }
    options = options.subspan(bytes);
  }
  return neighbor;
}

/// Writes the message with checksum 0; `to` has kNeighborBytes + kLinkAddressOptionBytes. Returns how many it took.
inline std::size_t write_neighbor(std::byte* to, const NeighborMessage& neighbor) noexcept {
  write_icmp(to, {.type = neighbor.is_advertisement ? kIcmpv6NeighborAdvertisement : kIcmpv6NeighborSolicitation,
                  .rest = (neighbor.is_router ? 0x8000'0000 : 0) | (neighbor.is_solicited ? 0x4000'0000U : 0) |
                          (neighbor.overrides ? 0x2000'0000U : 0)});
  std::memcpy(to + kIcmpBytes, neighbor.target.data(), 16);
  if (!neighbor.link_address) {
    return kNeighborBytes;
  }
  store_u8(to + kNeighborBytes, neighbor.is_advertisement ? 2 : 1);
  store_u8(to + kNeighborBytes + 1, 1);
  std::memcpy(to + kNeighborBytes + 2, neighbor.link_address->data(), 6);
  return kNeighborBytes + kLinkAddressOptionBytes;
}

}  // namespace millrace::wire
