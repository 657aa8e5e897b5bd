#include "dataplane/udp/input.h"

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/udp.h"

namespace millrace::udp {

using wire::Drop;

UdpArrived input_udp(const wire::IpAddress& source, const wire::IpAddress& destination, wire::Bytes bytes,
                     buf::ChecksumState checksum, const PortTable& ports) noexcept {
  const auto header = wire::parse_udp(bytes);
  if (!header || header->total_bytes < wire::kUdpBytes || header->total_bytes > bytes.size()) {
    return {.drop = Drop::UdpLength};
  }
  const wire::Bytes datagram = bytes.first(header->total_bytes);
  if (header->checksum == 0) {
    if (!source.is_v4()) {
      return {.drop = Drop::UdpChecksumMissing};
    }
  } else if (checksum == buf::ChecksumState::Unknown) {
    wire::ChecksumSum sum;
    sum.add_pseudo_header(source, destination, wire::kProtocolUdp, header->total_bytes);
    sum.add(datagram);
    if (sum.checksum() != 0) {
      return {.drop = Drop::UdpChecksum};
    }
  } else if (checksum == buf::ChecksumState::Bad) {
    return {.drop = Drop::UdpChecksum};
  }
  if (header->source_port == 0) {
    return {.drop = Drop::UdpSourcePort};
  }
  const auto socket = ports.find(header->destination_port);
  return {.drop = socket ? Drop::None : Drop::UdpNoPort,
          .socket = socket.value_or(0),
          .flow = {.source = source,
                   .destination = destination,
                   .source_port = header->source_port,
                   .destination_port = header->destination_port},
          .payload = datagram.subspan(wire::kUdpBytes)};
}

}  // namespace millrace::udp
