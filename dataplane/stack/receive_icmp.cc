// ICMP, ICMPv6 and neighbour discovery: what the host answers by itself, and what errors teach it.
#include <algorithm>

#include "dataplane/stack/host_stack.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmpv4.h"
#include "dataplane/wire/icmpv6.h"

namespace millrace::stack {

using wire::Bytes;
using wire::Drop;

Drop HostStack::take_icmp(Instant now, const ip::Arrived& arrived, const wire::EthernetHeader& ethernet) noexcept {
  const bool is_v4 = arrived.source.is_v4();
  if (is_v4 != (arrived.protocol == wire::kProtocolIcmpv4)) {
    return Drop::IpProtocolUnknown;
  }
  if (is_v4) {
    return take_icmp_message(now, arrived, ip::input_icmpv4(arrived, host_));
  }
  if (arrived.payload.size() < wire::kIcmpBytes) {
    return Drop::IcmpMalformed;
  }
  if (!ip::has_good_icmpv6_checksum(arrived)) {
    return Drop::IcmpChecksum;
  }
  switch (wire::load_u8(arrived.payload.data())) {
    case wire::kIcmpv6NeighborSolicitation:
    case wire::kIcmpv6NeighborAdvertisement: {
      const ip::NdpOutcome outcome = ip::input_ndp(now, arrived, ethernet.source, host_, neighbors_);
      tell_news(outcome.heard);
      if (outcome.reply) {
        counters_.neighbor_adverts_sent += send_neighbor(now, *outcome.reply) ? 1 : 0;
      }
      return outcome.drop;
    }
    case wire::kIcmpv6RouterSolicitation:
    case wire::kIcmpv6RouterAdvertisement:
    case wire::kIcmpv6Redirect:
      return Drop::NdpRouter;
    default:
      return take_icmp_message(now, arrived, ip::input_icmpv6(arrived, host_));
  }
}

Drop HostStack::take_icmp_message(Instant now, const ip::Arrived& arrived, const ip::IcmpArrived& message) noexcept {
  switch (message.meaning) {
    case ip::IcmpMeaning::Nothing:
      return message.drop;
    case ip::IcmpMeaning::EchoRequest:
      return answer_echo(now, arrived, message);
    case ip::IcmpMeaning::PathMtu:
    case ip::IcmpMeaning::Unreachable:
      break;
  }
  // Only what one of our open ports could have sent is believed (RFC 5927 4.1).
  const auto socket = udp_ports_.find(message.quoted.source_port);
  if (message.quoted_protocol != wire::kProtocolUdp || !socket) {
    return Drop::IcmpNotOurs;
  }
  ++counters_.icmp_errors_received;
  if (message.meaning == ip::IcmpMeaning::PathMtu) {
    const Drop drop = path_mtu_.learn(now, message.quoted.destination, message.mtu);
    counters_.path_mtu_lowered += drop == Drop::None ? 1 : 0;
    if (drop == Drop::None && options_.news != nullptr) {
      options_.news->tell(options_.core, {.kind = LinkNews::Kind::PathMtu,
                                          .mtu = path_mtu_.of(now, message.quoted.destination),
                                          .about = message.quoted.destination});
    }
    return drop;
  }
  // Networks and hosts that cannot be reached may be reached again (RFC 1122 4.2.3.9); a port nobody has is final.
  const bool is_refusal = message.quoted.source.is_v4()
                              ? message.code == wire::kIcmpv4CodePort || message.code == wire::kIcmpv4CodeProtocol
                              : message.code == wire::kIcmpv6CodePort;
  if (is_refusal && refusals_count_ < kRefusalsMax) {
    refusals_[refusals_count_++] = {.socket = *socket, .flow = message.quoted};
  }
  return Drop::None;
}

Drop HostStack::answer_echo(Instant now, const ip::Arrived& arrived, const ip::IcmpArrived& message) noexcept {
  if (!echo_limit_.take(now)) {
    return Drop::IcmpEchoLimited;
  }
  const bool is_sent = send_icmp(now, arrived.destination, arrived.source,
                                 arrived.source.is_v4() ? wire::kIcmpv4EchoReply : wire::kIcmpv6EchoReply, 0,
                                 std::uint32_t{message.echo_rest_high} << 16 | message.echo_rest_low,
                                 arrived.payload.subspan(wire::kIcmpBytes));
  counters_.echo_replies_sent += is_sent ? 1 : 0;
  return Drop::None;
}

/// RFC 1122 3.2.2, RFC 1812 4.3.2.3 (at most 576 bytes), RFC 4443 2.4 c (at most the smallest MTU). Groups and
/// broadcasts never get here; what came in fragments has no datagram to quote.
void HostStack::refuse_port(Instant now, const ip::Arrived& arrived) noexcept {
  if (arrived.was_fragmented) {
    return;
  }
  if (!error_limit_.take(now)) {
    return counters_.drops.count(Drop::IcmpErrorLimited);
  }
  const bool is_v4 = arrived.source.is_v4();
  const std::size_t quote_bytes_max =
      is_v4 ? 576 - wire::kIpv4Bytes - wire::kIcmpBytes : wire::kIpv6MtuMin - wire::kIpv6Bytes - wire::kIcmpBytes;
  const bool is_sent =
      send_icmp(now, arrived.destination, arrived.source, is_v4 ? wire::kIcmpv4Unreachable : wire::kIcmpv6Unreachable,
                is_v4 ? wire::kIcmpv4CodePort : wire::kIcmpv6CodePort, 0,
                arrived.datagram.first(std::min(arrived.datagram.size(), quote_bytes_max)));
  counters_.icmp_errors_sent += is_sent ? 1 : 0;
}

bool HostStack::send_icmp(Instant now, const wire::IpAddress& source, const wire::IpAddress& destination,
                          std::uint8_t type, std::uint8_t code, std::uint32_t rest, Bytes body) noexcept {
  const bool is_v4 = source.is_v4();
  std::byte header[wire::kIcmpBytes];
  wire::write_icmp(header, {.type = type, .code = code, .rest = rest});
  const auto bytes = static_cast<std::uint32_t>(sizeof header + body.size());
  wire::ChecksumSum sum;
  if (!is_v4) {
    sum.add_pseudo_header(source, destination, wire::kProtocolIcmpv6, bytes);
  }
  sum.add(header);
  sum.add(body);
  wire::store_be16(header + 2, sum.checksum());
  const dataplane::Slice slice{.data = reinterpret_cast<const char*>(body.data()),
                               .size = static_cast<std::uint32_t>(body.size())};
  return transmit_payload(now, {.ip = {.source = source,
                                       .destination = destination,
                                       .protocol = is_v4 ? wire::kProtocolIcmpv4 : wire::kProtocolIcmpv6},
                                .header = header,
                                .slices = {&slice, 1},
                                .bytes = bytes});
}

}  // namespace millrace::stack
