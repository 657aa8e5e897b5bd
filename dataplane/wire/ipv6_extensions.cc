#include "dataplane/wire/ipv6_extensions.h"

namespace millrace::wire {
namespace {

/// Whether the options of a hop-by-hop or destination header let the datagram pass.
bool options_pass(Bytes options) noexcept {
  std::size_t at = 0;
  while (at < options.size()) {
    const std::uint8_t type = load_u8(options.data() + at);
    if (type == 0) {  // Pad1 has no length
      ++at;
      continue;
    }
    if (at + 2 > options.size() || at + 2 + load_u8(options.data() + at + 1) > options.size()) {
      return false;
    }
    if (type != 1 && (type & 0xc0) != 0) {  // not PadN, unknown to us, and not to be skipped
      return false;
    }
    at += 2 + std::size_t{load_u8(options.data() + at + 1)};
  }
  return true;
}

}  // namespace

ExtensionWalk walk_extensions(std::uint8_t next_header, Bytes payload, bool is_reassembled) noexcept {
  for (std::size_t count = 0; count <= kExtensionsMax; ++count) {
    switch (next_header) {
      case kNextFragment: {
        const auto fragment = parse_ipv6_fragment(payload);
        if (!fragment || is_reassembled) {
          return {.drop = Drop::Ipv6Extension};
        }
        return {
            .protocol = fragment->next_header, .fragment = fragment, .payload = payload.subspan(kIpv6FragmentBytes)};
      }
      case kNextHopByHop:
      case kNextDestination:
      case kNextRouting: {
        if (payload.size() < 8) {
          return {.drop = Drop::Ipv6Extension};
        }
        const std::size_t bytes = (std::size_t{load_u8(payload.data() + 1)} + 1) * 8;
        if (bytes > payload.size() || (next_header == kNextHopByHop && (count > 0 || is_reassembled))) {
          return {.drop = Drop::Ipv6Extension};
        }
        if (next_header == kNextRouting) {
          if (load_u8(payload.data() + 2) == 0 || load_u8(payload.data() + 3) != 0) {
            return {.drop = Drop::SourceRoute};
          }
        } else if (!options_pass(payload.subspan(2, bytes - 2))) {
          return {.drop = Drop::Ipv6Extension};
        }
        next_header = load_u8(payload.data());
        payload = payload.subspan(bytes);
        continue;
      }
      default:
        return {.protocol = next_header, .payload = payload};
    }
  }
  return {.drop = Drop::Ipv6Extension};
}

}  // namespace millrace::wire
