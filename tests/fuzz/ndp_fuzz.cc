// Any bytes as IPv6 datagrams that carry neighbour discovery: the checksum is put right, so that what is behind it is
// reached. Nothing is learnt unasked, nothing from beyond the link, and no answer goes to a group but all nodes.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/ip/icmp_input.h"
#include "dataplane/ip/ndp_input.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6.h"
#include "fuzz/check.h"
#include "support/stack_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;  // NOLINT: a program of one file
  using fuzz::require;
  const ip::HostAddresses host = tests::addresses_of(2);
  ip::NeighborCache neighbors(1);
  constexpr std::size_t kMessageBytes = 48;  // one option and some of another
  for (std::size_t at = 0; at < size; at += wire::kIpv6Bytes + kMessageBytes) {
    std::vector<std::byte> datagram(std::min(size - at, wire::kIpv6Bytes + kMessageBytes));
    std::memcpy(datagram.data(), data + at, datagram.size());
    if (datagram.size() < wire::kIpv6Bytes + wire::kIcmpBytes) {
      break;
    }
    const auto payload_bytes = static_cast<std::uint16_t>(datagram.size() - wire::kIpv6Bytes);
    wire::store_u8(datagram.data(), 0x60);
    wire::store_be16(datagram.data() + 4, payload_bytes);
    wire::store_u8(datagram.data() + 6, wire::kProtocolIcmpv6);
    std::byte* message = datagram.data() + wire::kIpv6Bytes;
    wire::store_be16(message + 2, 0);
    wire::ChecksumSum sum;
    sum.add_pseudo_header(wire::IpAddress::v6(datagram.data() + 8), wire::IpAddress::v6(datagram.data() + 24),
                          wire::kProtocolIcmpv6, payload_bytes);
    sum.add({message, payload_bytes});
    wire::store_be16(message + 2, sum.checksum());

    const ip::Arrived arrived = ip::input_v6(datagram, false, host);
    if (arrived.drop != wire::Drop::None || arrived.is_fragment) {
      continue;
    }
    require(ip::has_good_icmpv6_checksum(arrived), "the checksum was put right");
    (void)ip::input_icmpv6(arrived, host);
    const auto neighbor = wire::parse_neighbor(arrived.payload);
    const bool was_known = neighbor && neighbors.is_known(neighbor->target);
    const ip::NdpOutcome outcome = ip::input_ndp(Instant{} + seconds(1), arrived, tests::mac_of(1), host, neighbors);
    require(!outcome.reply || (arrived.ttl == 255 && host.is_ours(outcome.reply->source) && neighbor &&
                               neighbor->target == outcome.reply->message.target),
            "answered wrongly");
    require(
        !outcome.reply || !outcome.reply->destination.is_multicast() || outcome.reply->destination == wire::kAllNodes,
        "answered a group");
    require(arrived.ttl == 255 || !neighbors.is_known(arrived.source), "learnt from beyond the link");
    if (neighbor && neighbor->is_advertisement) {
      require(was_known || !neighbors.is_known(neighbor->target), "learnt from an answer nobody asked for");
    }
  }
  return 0;
}
