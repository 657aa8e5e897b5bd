// A received neighbour solicitation or advertisement: validation (RFC 4861 7.1), what it teaches, what we answer
// (7.2.3, 7.2.4). Its ICMPv6 checksum was right. One core.
//
// Not done: duplicate address detection before an address is used (RFC 4862 5.4; a conflict is counted); router
// discovery (routes are configured); redirects; MLD reports for the solicited-node groups (RFC 2710, 3810): a snooping
// switch without a querier floods them.
#pragma once

#include <optional>

#include "dataplane/ip/input.h"
#include "dataplane/ip/neighbor.h"
#include "dataplane/wire/ndp.h"

namespace millrace::ip {

/// A message and the addresses of the datagram and frame around it.
struct NeighborReply {
  wire::NeighborMessage message{};
  wire::IpAddress source{};
  wire::IpAddress destination{};
  wire::MacAddress to{};
};

struct NdpOutcome {
  wire::Drop drop = wire::Drop::None;
  std::optional<NeighborReply> reply{};
  std::optional<Heard> heard{};  ///< what the cache was told
};

inline constexpr std::uint8_t kNdpHopLimit = 255;  ///< nothing from beyond the link has it

[[nodiscard]] NdpOutcome input_ndp(Instant now, const Arrived& arrived, const wire::MacAddress& frame_source,
                                   const HostAddresses& host, NeighborCache& neighbors) noexcept;

/// What asks for `target` from `source`.
[[nodiscard]] NeighborReply make_neighbor_solicitation(const HostAddresses& host, const wire::IpAddress& source,
                                                       const Solicitation& wanted) noexcept;
/// Unsolicited, to all nodes: `own` is here (RFC 4861 7.2.6).
[[nodiscard]] NeighborReply make_neighbor_announcement(const HostAddresses& host, const wire::IpAddress& own) noexcept;

}  // namespace millrace::ip
