#include "dataplane/ip/output.h"

#include <string_view>

#include "base/key_hash.h"

namespace millrace::ip {
namespace {

void prepend_v4(buf::Packet& packet, const OutHeader& header, const FragmentRange& range, std::uint32_t id,
                bool device_fills_checksum) noexcept {
  const auto total_bytes = static_cast<std::uint16_t>(packet.size() + wire::kIpv4Bytes);
  std::byte* at = packet.prepend(wire::kIpv4Bytes).data();
  wire::write_ipv4(at, {.ttl = header.ttl,
                        .protocol = header.protocol,
                        .dont_fragment = !range.is_fragment(),
                        .more_fragments = range.more,
                        .total_bytes = total_bytes,
                        .id = static_cast<std::uint16_t>(range.is_fragment() ? id : 0),
                        .fragment_offset_bytes = static_cast<std::uint16_t>(range.offset_bytes),
                        .source = header.source,
                        .destination = header.destination});
  packet.tx.fill_ip_checksum = device_fills_checksum;
  if (!device_fills_checksum) {
    wire::fill_ipv4_checksum(at);
  }
  packet.tx.l3_bytes = wire::kIpv4Bytes;
}

void prepend_v6(buf::Packet& packet, const OutHeader& header, const FragmentRange& range, std::uint32_t id) noexcept {
  if (range.is_fragment()) {
    wire::write_ipv6_fragment(packet.prepend(wire::kIpv6FragmentBytes).data(),
                              {.next_header = header.protocol,
                               .more_fragments = range.more,
                               .offset_bytes = static_cast<std::uint16_t>(range.offset_bytes),
                               .id = id});
  }
  const auto payload_bytes = static_cast<std::uint16_t>(packet.size());
  wire::write_ipv6(packet.prepend(wire::kIpv6Bytes).data(),
                   {.next_header = range.is_fragment() ? wire::kNextFragment : header.protocol,
                    .hop_limit = header.ttl,
                    .payload_bytes = payload_bytes,
                    .source = header.source,
                    .destination = header.destination});
  packet.tx.is_ipv6 = true;
  packet.tx.l3_bytes = static_cast<std::uint8_t>(ip_header_bytes(false, range.is_fragment()));
}

}  // namespace

void prepend_ip(buf::Packet& packet, const OutHeader& header, const FragmentRange& range, std::uint32_t id,
                bool device_fills_checksum) noexcept {
  if (header.source.is_v4()) {
    prepend_v4(packet, header, range, id, device_fills_checksum);
  } else {
    prepend_v6(packet, header, range, id);
  }
}

Identifications::Identifications(std::uint64_t seed) noexcept : seed_(seed) {
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    const char byte = static_cast<char>(i);
    counters_[i] = static_cast<std::uint32_t>(hash_key({&byte, 1}, seed ^ 0x5bd1'e995).bits);
  }
}

std::uint32_t Identifications::next(const wire::IpAddress& destination) noexcept {
  const std::string_view bytes(reinterpret_cast<const char*>(destination.bytes.data()), destination.bytes.size());
  return ++counters_[hash_key(bytes, seed_).bits % counters_.size()];
}

}  // namespace millrace::ip
