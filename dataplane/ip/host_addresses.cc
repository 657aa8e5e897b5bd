#include "dataplane/ip/host_addresses.h"

#include <algorithm>

namespace millrace::ip {

using wire::IpAddress;
using wire::shares_prefix;

bool HostAddresses::add(const HostAddress& address) noexcept {
  const IpAddress& own = address.address;
  const bool is_host = !own.is_unspecified() && !own.is_multicast() && !own.is_loopback() &&
                       !(own.is_v4() && (own.v4_host() >> 24 == 0 || own.v4_host() >> 28 == 0xf));
  if (!is_host || count_ == kAddressesMax || address.prefix_bits > 128 ||
      (own.is_v4() && address.prefix_bits < kV4PrefixShift)) {
    return false;
  }
  addresses_[count_++] = address;
  return true;
}

bool HostAddresses::add_route(const Route& route) noexcept {
  if (routes_count_ == kRoutesMax || route.gateway.is_unspecified() || route.gateway.is_multicast()) {
    return false;
  }
  routes_[routes_count_++] = route;
  return true;
}

bool HostAddresses::add_gateway(const IpAddress& gateway) noexcept {
  return gateway.is_v4() ? add_route({.prefix = IpAddress::v4(0), .prefix_bits = kV4PrefixShift, .gateway = gateway})
                         : add_route({.gateway = gateway});
}

bool HostAddresses::is_ours(const IpAddress& address) const noexcept {
  return std::ranges::any_of(all(), [&](const HostAddress& own) { return own.address == address; });
}

bool HostAddresses::is_our_group(const IpAddress& group) const noexcept {
  return group == wire::kAllNodes || std::ranges::any_of(all(), [&](const HostAddress& own) {
           return !own.address.is_v4() && wire::solicited_node(own.address) == group;
         });
}

bool HostAddresses::is_broadcast(const IpAddress& address) const noexcept {
  if (!address.is_v4()) {
    return false;
  }
  const std::uint32_t host = address.v4_host();
  return host == 0xffff'ffff || std::ranges::any_of(all(), [&](const HostAddress& own) {
           if (!own.address.is_v4() || own.prefix_bits > 126 || !shares_prefix(own.address, address, own.prefix_bits)) {
             return false;  // /31 and /32 have no broadcast (RFC 3021)
           }
           const std::uint32_t rest = 0xffff'ffffU >> (own.prefix_bits - kV4PrefixShift);
           return (host & rest) == rest || (host & rest) == 0;
         });
}

bool HostAddresses::is_on_link(const IpAddress& address) const noexcept {
  return std::ranges::any_of(all(), [&](const HostAddress& own) {
    return own.address.is_v4() == address.is_v4() && shares_prefix(own.address, address, own.prefix_bits);
  });
}

bool HostAddresses::is_gateway(const IpAddress& address) const noexcept {
  return std::ranges::any_of(std::span(routes_).first(routes_count_),
                             [&](const Route& route) { return route.gateway == address; });
}

std::optional<IpAddress> HostAddresses::next_hop(const IpAddress& destination) const noexcept {
  if (is_on_link(destination)) {
    return destination;
  }
  const Route* best = nullptr;
  for (const Route& route : std::span(routes_).first(routes_count_)) {
    if (route.gateway.is_v4() == destination.is_v4() && shares_prefix(route.prefix, destination, route.prefix_bits) &&
        (best == nullptr || route.prefix_bits > best->prefix_bits)) {
      best = &route;
    }
  }
  return best == nullptr ? std::nullopt : std::optional(best->gateway);
}

std::optional<IpAddress> HostAddresses::source_for(const IpAddress& destination) const noexcept {
  const HostAddress* fallback = nullptr;
  for (const HostAddress& own : all()) {
    if (own.address.is_v4() != destination.is_v4()) {
      continue;
    }
    if (shares_prefix(own.address, destination, own.prefix_bits)) {
      return own.address;
    }
    // A link-local address is known on the link only (RFC 6724 5, rule 2).
    if (!own.address.is_link_local_v6() && fallback == nullptr) {
      fallback = &own;
    }
  }
  return fallback == nullptr ? std::nullopt : std::optional(fallback->address);
}

}  // namespace millrace::ip
