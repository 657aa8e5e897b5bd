// What the way to a destination lets through (RFC 1191, RFC 8201): only ever less than the link's MTU, and only for a
// time.
//
// One core. A direct-mapped table of fixed size: a new destination may push another out, which then learns again.
// Invariants: 1. No MTU below the floor is believed (552 and 1280: below lie attacks, not networks; RFC 8201 4, RFC
// 5927 7).
// 2. It never grows but by forgetting. Not done: probing for more before that (RFC 1191 6.3 recommends 10 minutes).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/key_hash.h"
#include "base/time.h"
#include "dataplane/wire/drop.h"
#include "dataplane/wire/ipv6.h"

namespace millrace::ip {

class PathMtu {
 public:
  static constexpr std::uint16_t kV4Floor = 552;
  static constexpr Duration kLifetime = seconds(600);

  PathMtu(std::uint16_t link_mtu, std::uint64_t seed) noexcept : link_mtu_(link_mtu), seed_(seed) {}

  [[nodiscard]] std::uint16_t of(Instant now, const wire::IpAddress& destination) const noexcept {
    const Entry& entry = entries_[slot_of(destination)];
    return entry.mtu != 0 && entry.destination == destination && now - entry.learnt_at < kLifetime ? entry.mtu
                                                                                                   : link_mtu_;
  }

  /// From an ICMP error whose quotation was found to be ours. An IPv6 one below 1280 counts as 1280 (RFC 8201 4).
  [[nodiscard]] wire::Drop learn(Instant now, const wire::IpAddress& destination, std::uint32_t mtu) noexcept {
    if (!destination.is_v4() && mtu < wire::kIpv6MtuMin) {
      mtu = wire::kIpv6MtuMin;
    }
    if (mtu < kV4Floor || mtu >= of(now, destination)) {
      return wire::Drop::IcmpMtuRefused;
    }
    ++epoch_;
    entries_[slot_of(destination)] = {
        .destination = destination, .learnt_at = now, .mtu = static_cast<std::uint16_t>(mtu)};
    return wire::Drop::None;
  }

  /// Moves on whenever of() may say less than before.
  [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }

 private:
  static constexpr std::size_t kEntries = 256;
  struct Entry {
    wire::IpAddress destination{};
    Instant learnt_at{};
    std::uint16_t mtu = 0;
  };

  [[nodiscard]] std::size_t slot_of(const wire::IpAddress& destination) const noexcept {
    const std::string_view bytes(reinterpret_cast<const char*>(destination.bytes.data()), destination.bytes.size());
    return hash_key(bytes, seed_).bits % kEntries;
  }

  std::uint16_t link_mtu_;
  std::uint64_t seed_;
  std::uint32_t epoch_ = 0;
  std::array<Entry, kEntries> entries_{};
};

}  // namespace millrace::ip
