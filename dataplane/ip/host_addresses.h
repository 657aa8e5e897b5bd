// The addresses of this host on one link, and which routes lead from it (RFC 1122 3.3.1): plain values, filled at
// start.
//
// Any thread after that; no ownership. Prefixes count in 128 bits: an IPv4 prefix of 24 is kept as 120.
// Why a list and no tree: a cache server has one or two networks and a gateway; eight comparisons are a cache line or
// two.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/wire/address.h"

namespace millrace::ip {

inline constexpr std::uint32_t kV4PrefixShift = 96;

struct HostAddress {
  wire::IpAddress address{};
  std::uint32_t prefix_bits = 128;

  [[nodiscard]] static HostAddress v4(std::uint32_t host, std::uint32_t prefix_bits) noexcept {
    return {.address = wire::IpAddress::v4(host), .prefix_bits = prefix_bits + kV4PrefixShift};
  }
};

struct Route {
  wire::IpAddress prefix{};
  std::uint32_t prefix_bits = 0;
  wire::IpAddress gateway{};
};

class HostAddresses {
 public:
  static constexpr std::size_t kAddressesMax = 8;
  static constexpr std::size_t kRoutesMax = 8;

  /// `mac` also gives the IPv6 link-local address, which comes first.
  explicit HostAddresses(const wire::MacAddress& mac) noexcept : mac_(mac) {
    addresses_[count_++] = {.address = wire::link_local_of(mac), .prefix_bits = 64};
  }

  /// False: no room, or no address that a host can have.
  [[nodiscard]] bool add(const HostAddress& address) noexcept;
  /// False: no room. Its networks are on link; everything else takes the route with the longest prefix.
  [[nodiscard]] bool add_route(const Route& route) noexcept;
  /// 0.0.0.0/0 or ::/0, as the gateway's family says.
  [[nodiscard]] bool add_gateway(const wire::IpAddress& gateway) noexcept;

  [[nodiscard]] const wire::MacAddress& mac() const noexcept { return mac_; }
  [[nodiscard]] std::span<const HostAddress> all() const noexcept { return {addresses_.data(), count_}; }
  [[nodiscard]] bool is_ours(const wire::IpAddress& address) const noexcept;
  /// A group we are in: all nodes, or the solicited-node group of one of our addresses.
  [[nodiscard]] bool is_our_group(const wire::IpAddress& group) const noexcept;
  /// The broadcast address of one of our networks, or the network itself (RFC 1122 3.2.1.3 c to e), or 255.255.255.255.
  [[nodiscard]] bool is_broadcast(const wire::IpAddress& address) const noexcept;
  [[nodiscard]] bool is_on_link(const wire::IpAddress& address) const noexcept;
  [[nodiscard]] bool is_gateway(const wire::IpAddress& address) const noexcept;

  /// Who gets the frame; nothing: no route.
  [[nodiscard]] std::optional<wire::IpAddress> next_hop(const wire::IpAddress& destination) const noexcept;
  /// Our address to send from: of its family and, when there is one, its network.
  [[nodiscard]] std::optional<wire::IpAddress> source_for(const wire::IpAddress& destination) const noexcept;

 private:
  wire::MacAddress mac_;
  std::array<HostAddress, kAddressesMax> addresses_{};
  std::size_t count_ = 0;
  std::array<Route, kRoutesMax> routes_{};
  std::size_t routes_count_ = 0;
};

}  // namespace millrace::ip
