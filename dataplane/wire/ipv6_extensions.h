// The walk from the IPv6 header to what it carries (RFC 8200 4). Pure; any thread.
//
// Bounded: at most kExtensionsMax headers, each inside the bytes given. Hop-by-hop options only directly behind the
// IPv6 header (4.3), a routing header only when nothing is left of its route (type 0 never: RFC 5095), options as their
// two highest bits demand (4.2); what RFC 8200 would answer with Parameter Problem is refused without an answer.
#pragma once

#include <optional>

#include "dataplane/wire/big_endian.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/ipv6.h"

namespace millrace::wire {

inline constexpr std::size_t kExtensionsMax = 8;

struct ExtensionWalk {
  Drop drop = Drop::None;
  std::uint8_t protocol = kNextNone;       ///< what `payload` is; when there is a fragment, of the whole datagram
  std::optional<Ipv6Fragment> fragment{};  ///< the walk ends behind it: what follows is a part of a datagram
  Bytes payload{};
};

/// `next_header` and `payload` as in the IPv6 header (or, after reassembly, the fragment header: then
/// `is_reassembled`, and neither hop-by-hop options nor another fragment header may come).
[[nodiscard]] ExtensionWalk walk_extensions(std::uint8_t next_header, Bytes payload,
                                            bool is_reassembled = false) noexcept;

}  // namespace millrace::wire
