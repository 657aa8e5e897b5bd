// The UDP header of what we send, with its checksum (RFC 768, RFC 8200 8.1). Pure; any thread.
#pragma once

#include <span>

#include "dataplane/api/tx.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/flow_key.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/udp.h"

namespace millrace::udp {

/// Bytes of `slices` together.
[[nodiscard]] inline std::uint64_t payload_bytes(std::span<const dataplane::Slice> slices) noexcept {
  std::uint64_t bytes = 0;
  for (const dataplane::Slice& slice : slices) {
    bytes += slice.size;
  }
  return bytes;
}

/// Writes kUdpBytes. With `device_sums`, the checksum field holds the pseudo header's sum, which the device goes on
/// from; else the whole checksum, for which the payload is read. `total_bytes` with the header: at most 65,535.
inline void write_udp_for(std::byte* to, const wire::FlowKey& flow, std::uint16_t total_bytes,
                          std::span<const dataplane::Slice> slices, bool device_sums) noexcept {
  wire::UdpHeader header{
      .source_port = flow.source_port, .destination_port = flow.destination_port, .total_bytes = total_bytes};
  wire::ChecksumSum sum;
  sum.add_pseudo_header(flow.source, flow.destination, wire::kProtocolUdp, total_bytes);
  if (device_sums) {
    header.checksum = sum.folded();
  } else {
    sum.add_be16(header.source_port);
    sum.add_be16(header.destination_port);
    sum.add_be16(total_bytes);
    for (const dataplane::Slice& slice : slices) {
      sum.add({reinterpret_cast<const std::byte*>(slice.data), slice.size});
    }
    header.checksum = sum.checksum();
    if (header.checksum == 0) {
      header.checksum = 0xffff;  // 0 would say that there is none; both are zero in one's complement
    }
  }
  wire::write_udp(to, header);
}

}  // namespace millrace::udp
