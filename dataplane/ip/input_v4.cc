#include "dataplane/ip/input.h"
#include "dataplane/wire/ipv4.h"

namespace millrace::ip {
namespace {

using wire::Bytes;
using wire::Drop;
using wire::IpAddress;

/// RFC 791 3.1, RFC 1122 3.2.1.8: each option inside the header; source routing refused; all others have no effect
/// here.
Drop check_options(Bytes options) noexcept {
  constexpr std::uint8_t kEnd = 0;
  constexpr std::uint8_t kNoOperation = 1;
  constexpr std::uint8_t kLooseSourceRoute = 131;
  constexpr std::uint8_t kStrictSourceRoute = 137;
  std::size_t at = 0;
  while (at < options.size()) {
    const std::uint8_t kind = wire::load_u8(options.data() + at);
    if (kind == kEnd) {
      return Drop::None;
    }
    if (kind == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 2 > options.size()) {
      return Drop::IpOptions;
    }
    const std::size_t bytes = wire::load_u8(options.data() + at + 1);
    if (bytes < 2 || at + bytes > options.size()) {
      return Drop::IpOptions;
    }
    if (kind == kLooseSourceRoute || kind == kStrictSourceRoute) {
      return Drop::SourceRoute;
    }
    at += bytes;
  }
  return Drop::None;
}

/// RFC 1122 3.2.1.3, RFC 1812 5.3.7: what no other station can have for its address.
bool is_martian_source(const IpAddress& source, const HostAddresses& host) noexcept {
  const std::uint32_t address = source.v4_host();
  return address >> 24 == 0 || source.is_loopback() || source.is_multicast() || address >> 28 == 0xf ||
         host.is_broadcast(source) || host.is_ours(source);
}

Drop check_destination(const IpAddress& destination, bool frame_to_group, const HostAddresses& host) noexcept {
  if (destination.is_loopback() || destination.is_unspecified()) {
    return Drop::MartianDestination;
  }
  if (host.is_ours(destination)) {
    return frame_to_group ? Drop::IpBroadcast : Drop::None;  // RFC 1122 3.3.6: one hides in the other
  }
  return destination.is_multicast() || host.is_broadcast(destination) ? Drop::IpBroadcast : Drop::IpNotForUs;
}

Drop check_fragment(const wire::Ipv4Header& header, std::size_t payload_bytes) noexcept {
  const bool is_whole_blocks = !header.more_fragments || payload_bytes % 8 == 0;
  const bool fits = std::size_t{header.fragment_offset_bytes} + payload_bytes + header.header_bytes <= 65'535;
  return payload_bytes > 0 && is_whole_blocks && fits ? Drop::None : Drop::FragmentMalformed;
}

Drop check_header(const wire::Ipv4Header& header, Bytes bytes, buf::ChecksumState ip_checksum) noexcept {
  if (header.version != 4) {
    return Drop::IpVersion;
  }
  if (header.header_bytes < wire::kIpv4Bytes || header.header_bytes > bytes.size()) {
    return Drop::IpHeaderLength;
  }
  if (header.total_bytes < header.header_bytes || header.total_bytes > bytes.size()) {
    return Drop::IpTotalLength;
  }
  const bool is_good = ip_checksum == buf::ChecksumState::Unknown
                           ? wire::checksum_of(bytes.first(header.header_bytes)) == 0
                           : ip_checksum == buf::ChecksumState::Good;
  if (!is_good) {
    return Drop::IpChecksum;
  }
  if (header.ttl == 0) {
    return Drop::IpTtl;
  }
  return check_options(bytes.subspan(wire::kIpv4Bytes, header.header_bytes - wire::kIpv4Bytes));
}

}  // namespace

Arrived input_v4(Bytes bytes, buf::ChecksumState ip_checksum, bool frame_to_group, const HostAddresses& host) noexcept {
  const auto header = wire::parse_ipv4(bytes);
  if (!header) {
    return {.drop = Drop::FrameShort};
  }
  Drop drop = check_header(*header, bytes, ip_checksum);
  if (drop == Drop::None && is_martian_source(header->source, host)) {
    drop = Drop::MartianSource;
  }
  if (drop == Drop::None) {
    drop = check_destination(header->destination, frame_to_group, host);
  }
  if (drop != Drop::None) {
    return {.drop = drop};
  }
  const Bytes datagram = bytes.first(header->total_bytes);
  const Bytes payload = datagram.subspan(header->header_bytes);
  if (header->is_fragment()) {
    drop = check_fragment(*header, payload.size());
  }
  return {.drop = drop,
          .is_fragment = header->is_fragment(),
          .protocol = header->protocol,
          .ttl = header->ttl,
          .fragment = {.id = header->id, .offset_bytes = header->fragment_offset_bytes, .more = header->more_fragments},
          .source = header->source,
          .destination = header->destination,
          .payload = payload,
          .datagram = datagram};
}

}  // namespace millrace::ip
