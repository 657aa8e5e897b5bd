#include "dataplane/ip/icmp_input.h"

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmpv4.h"
#include "dataplane/wire/icmpv6.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/ipv6_extensions.h"

namespace millrace::ip {
namespace {

using wire::Bytes;
using wire::Drop;

IcmpArrived echo_of(const wire::IcmpHeader& header) noexcept {
  return {.meaning = IcmpMeaning::EchoRequest,
          .echo_rest_high = static_cast<std::uint16_t>(header.rest >> 16),
          .echo_rest_low = static_cast<std::uint16_t>(header.rest)};
}

/// The ports of a quoted UDP or TCP datagram.
IcmpArrived quote_of(const wire::IpAddress& source, const wire::IpAddress& destination, std::uint8_t protocol,
                     Bytes transport, const HostAddresses& host) noexcept {
  const bool has_ports = protocol == wire::kProtocolUdp || protocol == wire::kProtocolTcp;
  if (!has_ports || transport.size() < 8 || !host.is_ours(source)) {
    return {.drop = Drop::IcmpNotOurs};
  }
  return {.quoted_protocol = protocol,
          .quoted = {.source = source,
                     .destination = destination,
                     .source_port = wire::load_be16(transport.data()),
                     .destination_port = wire::load_be16(transport.data() + 2)},
          .quoted_transport = transport};
}

IcmpArrived quote_v4(Bytes quotation, const HostAddresses& host) noexcept {
  const auto header = wire::parse_ipv4(quotation);
  if (!header || header->version != 4 || header->header_bytes < wire::kIpv4Bytes ||
      header->header_bytes > quotation.size() || header->fragment_offset_bytes != 0) {
    return {.drop = Drop::IcmpNotOurs};
  }
  return quote_of(header->source, header->destination, header->protocol, quotation.subspan(header->header_bytes), host);
}

IcmpArrived quote_v6(Bytes quotation, const HostAddresses& host) noexcept {
  const auto header = wire::parse_ipv6(quotation);
  if (!header || header->version != 6) {
    return {.drop = Drop::IcmpNotOurs};
  }
  const auto walk = wire::walk_extensions(header->next_header, quotation.subspan(wire::kIpv6Bytes));
  if (walk.drop != Drop::None || (walk.fragment && walk.fragment->offset_bytes != 0)) {
    return {.drop = Drop::IcmpNotOurs};
  }
  return quote_of(header->source, header->destination, walk.protocol, walk.payload, host);
}

/// RFC 1191 5: what a router that does not say its MTU may have had.
std::uint32_t plateau_below(std::uint32_t bytes) noexcept {
  for (const std::uint32_t plateau : {32'000U, 17'914U, 8'166U, 4'352U, 2'002U, 1'492U, 1'006U, 576U}) {
    if (plateau < bytes) {
      return plateau;
    }
  }
  return 0;
}

}  // namespace

IcmpArrived input_icmpv4(const Arrived& arrived, const HostAddresses& host) noexcept {
  const auto header = wire::parse_icmp(arrived.payload);
  if (!header) {
    return {.drop = Drop::IcmpMalformed};
  }
  if (wire::checksum_of(arrived.payload) != 0) {
    return {.drop = Drop::IcmpChecksum};
  }
  if (header->type == wire::kIcmpv4EchoRequest) {
    return header->code == 0 ? echo_of(*header) : IcmpArrived{.drop = Drop::IcmpMalformed};
  }
  if (header->type != wire::kIcmpv4Unreachable) {
    return {.drop = Drop::IcmpIgnored};
  }
  const Bytes quotation = arrived.payload.subspan(wire::kIcmpBytes);
  IcmpArrived error = quote_v4(quotation, host);
  if (error.drop != Drop::None) {
    return error;
  }
  error.code = header->code;
  error.meaning = IcmpMeaning::Unreachable;
  if (header->code == wire::kIcmpv4CodeFragNeeded) {
    error.meaning = IcmpMeaning::PathMtu;
    error.mtu = header->rest & 0xffff;
    if (error.mtu == 0) {
      error.mtu = plateau_below(wire::parse_ipv4(quotation)->total_bytes);
    }
  }
  return error;
}

bool has_good_icmpv6_checksum(const Arrived& arrived) noexcept {
  wire::ChecksumSum sum;
  sum.add_pseudo_header(arrived.source, arrived.destination, wire::kProtocolIcmpv6,
                        static_cast<std::uint32_t>(arrived.payload.size()));
  sum.add(arrived.payload);
  return sum.checksum() == 0;
}

IcmpArrived input_icmpv6(const Arrived& arrived, const HostAddresses& host) noexcept {
  const auto header = wire::parse_icmp(arrived.payload);
  if (!header) {
    return {.drop = Drop::IcmpMalformed};
  }
  if (arrived.source.is_unspecified() || arrived.to_group) {
    return {.drop = Drop::IcmpIgnored};
  }
  if (header->type == wire::kIcmpv6EchoRequest) {
    return header->code == 0 ? echo_of(*header) : IcmpArrived{.drop = Drop::IcmpMalformed};
  }
  if (header->type != wire::kIcmpv6Unreachable && header->type != wire::kIcmpv6PacketTooBig) {
    return {.drop = Drop::IcmpIgnored};
  }
  IcmpArrived error = quote_v6(arrived.payload.subspan(wire::kIcmpBytes), host);
  if (error.drop != Drop::None) {
    return error;
  }
  error.code = header->code;
  error.meaning = IcmpMeaning::Unreachable;
  if (header->type == wire::kIcmpv6PacketTooBig) {
    error.meaning = IcmpMeaning::PathMtu;
    error.mtu = header->rest;
  }
  return error;
}

}  // namespace millrace::ip
