// ICMPv6 types (RFC 4443, 4861 4). The header's shape is ICMP's own: wire/icmpv4.h. Any thread.
#pragma once

#include <cstdint>

namespace millrace::wire {

inline constexpr std::uint8_t kIcmpv6Unreachable = 1;
inline constexpr std::uint8_t kIcmpv6PacketTooBig = 2;
inline constexpr std::uint8_t kIcmpv6CodePort = 4;          ///< of Unreachable
inline constexpr std::uint8_t kIcmpv6InformationMin = 128;  ///< types below are errors (RFC 4443 2.1)
inline constexpr std::uint8_t kIcmpv6EchoRequest = 128;
inline constexpr std::uint8_t kIcmpv6EchoReply = 129;
inline constexpr std::uint8_t kIcmpv6RouterSolicitation = 133;
inline constexpr std::uint8_t kIcmpv6RouterAdvertisement = 134;
inline constexpr std::uint8_t kIcmpv6NeighborSolicitation = 135;
inline constexpr std::uint8_t kIcmpv6NeighborAdvertisement = 136;
inline constexpr std::uint8_t kIcmpv6Redirect = 137;

}  // namespace millrace::wire
