// What was found out about peers lately, so that the next datagram from or to one of them need not ask again: that its
// address and MAC are in order, and through which MAC and in which size datagrams go to it.
//
// One core. No allocation after the constructor. Direct-mapped: peers that collide take the long way, which is always
// right; so nothing here has to be secret or fair.
// Invariants: 1. An entry is believed for kLifetime at most, and never past the time that the neighbour's own entry is:
// so timers and eviction there see a peer that is in use. 2. What is known of the way is void as soon as the epoch
// moves on: whoever changes a neighbour's MAC or a path's MTU moves it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/attributes.h"
#include "base/time.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/ethernet.h"

namespace millrace::stack {

/// A MAC address in the low 48 bits, as its bytes lie in memory: so headers are compared and written in whole words.
[[nodiscard]] inline std::uint64_t mac_word(const wire::MacAddress& mac) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word = 0;
  std::memcpy(&word, mac.data(), mac.size());
  return word;
}

/// Bytes 12 to 15 of a plain frame: IPv4, 20 bytes of header; the type of service is 0.
inline constexpr std::uint32_t kTypeAndVersion = std::uint32_t{__builtin_bswap16(wire::kEtherTypeIpv4)} | 0x45U << 16;

struct alignas(kCacheLineBytes) Path {
  wire::IpAddress peer{};
  // To it.
  Instant usable_until{};
  std::uint64_t way = 0;  ///< how a frame to it begins: its MAC address, two bytes of ours
  // From it.
  Instant seen_until{};
  std::array<std::uint64_t, 2> seen{};  ///< how a plain frame from it begins: both MAC addresses, kTypeAndVersion
  // To it.
  std::uint32_t epoch = 0;
  std::uint16_t mtu = 0;  ///< of the IP datagram

  /// The same as `peer ==` the address of these four bytes of an IPv4 header.
  [[nodiscard]] bool is_of_v4(std::uint32_t word) const noexcept {
    std::uint64_t words[2];
    std::memcpy(words, peer.bytes.data(), sizeof words);
    return words[0] == 0 && words[1] == wire::IpAddress::v4_low(word);
  }
};
static_assert(sizeof(Path) == kCacheLineBytes);

class PathCache {
 public:
  static constexpr std::size_t kEntries = 2048;
  static constexpr Duration kLifetime = seconds(1);

  /// Between these peers and the host with this mac_word().
  explicit PathCache(std::uint64_t own_mac) : own_mac_(own_mac), entries_(kEntries) {}

  /// The entry where `peer` is or would be.
  [[nodiscard]] Path& of(const wire::IpAddress& peer) noexcept {
    std::uint64_t words[2];
    std::memcpy(words, peer.bytes.data(), sizeof words);
    return entries_[index_of(words[0] ^ words[1])];
  }
  /// The same, from four bytes of an IPv4 header; by its number.
  [[nodiscard]] std::uint16_t number_of_v4(std::uint32_t word) const noexcept {
    return static_cast<std::uint16_t>(index_of(wire::IpAddress::v4_low(word)));
  }
  [[nodiscard]] const Path& operator[](std::uint16_t number) const noexcept { return entries_[number]; }
  [[nodiscard]] bool is_seen(const Path& path, Instant now, const wire::IpAddress& peer,
                             const wire::MacAddress& mac) const noexcept {
    return path.peer == peer && path.seen == seen_from(mac) && now < path.seen_until;
  }
  void note_seen(Instant now, const wire::IpAddress& peer, const wire::MacAddress& mac) noexcept {
    Path& path = take(peer);
    path.seen = seen_from(mac);
    path.seen_until = now + kLifetime;
  }
  void note_way(Instant now, const wire::IpAddress& peer, const wire::MacAddress& mac, std::uint16_t mtu,
                Instant known_until, std::uint32_t epoch) noexcept {
    Path& path = take(peer);
    path.way = mac_word(mac) | own_mac_ << 48;
    path.mtu = mtu;
    path.epoch = epoch;
    path.usable_until = std::min(known_until, now + kLifetime);
  }

 private:
  static constexpr unsigned kIndexBits = 11;
  static_assert(kEntries == 1U << kIndexBits);

  [[nodiscard]] static std::size_t index_of(std::uint64_t words) noexcept {
    return (words * 0x9e37'79b9'7f4a'7c15ULL) >> (64 - kIndexBits);
  }
  [[nodiscard]] std::array<std::uint64_t, 2> seen_from(const wire::MacAddress& mac) const noexcept {
    return {own_mac_ | mac_word(mac) << 48, mac_word(mac) >> 16 | std::uint64_t{kTypeAndVersion} << 32};
  }
  Path& take(const wire::IpAddress& peer) noexcept {
    Path& path = of(peer);
    if (path.peer != peer) {
      path = Path{};
      path.peer = peer;
    }
    return path;
  }

  const std::uint64_t own_mac_;
  std::vector<Path> entries_;
};

}  // namespace millrace::stack
