// Who a datagram came from and where it arrived: what an answer to it needs. Plain value; any thread.
#pragma once

#include <array>
#include <cstdint>

namespace millrace::dataplane {

/// IPv6, or IPv4 as ::ffff:a.b.c.d, in network order.
using IpBytes = std::array<std::uint8_t, 16>;

struct DatagramFlow {
  IpBytes peer{};
  IpBytes local{};               ///< the address of ours that was written to; all zero: the transport chooses one
  std::uint16_t peer_port = 0;   ///< host order
  std::uint16_t local_port = 0;  ///< host order
  std::uint32_t scope = 0;       ///< interface of a link-local peer, as the transport numbers them; else 0
  std::uint16_t socket = 0;      ///< the transport's own number for the socket it came through

  friend bool operator==(const DatagramFlow&, const DatagramFlow&) = default;
};

}  // namespace millrace::dataplane
