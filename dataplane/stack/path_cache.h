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
#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/attributes.h"
#include "base/time.h"
#include "dataplane/wire/address.h"

namespace millrace::stack {

/// A MAC address in the low 48 bits, as its bytes lie in memory: so headers are compared and written in whole words.
[[nodiscard]] inline std::uint64_t mac_word(const wire::MacAddress& mac) noexcept {
  static_assert(std::endian::native == std::endian::little);
  std::uint64_t word = 0;
  std::memcpy(&word, mac.data(), mac.size());
  return word;
}

struct alignas(kCacheLineBytes) Path {
  wire::IpAddress peer{};
  // To it.
  Instant usable_until{};
  std::uint64_t mac = 0;  ///< mac_word()
  // From it.
  Instant seen_until{};
  std::uint64_t seen_mac = 0;  ///< mac_word()
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

  PathCache() : entries_(kEntries) {}

  /// The entry where `peer` is or would be.
  [[nodiscard]] Path& of(const wire::IpAddress& peer) noexcept {
    std::uint64_t words[2];
    std::memcpy(words, peer.bytes.data(), sizeof words);
    return entries_[index_of(words[0] ^ words[1])];
  }
  /// The same, from four bytes of an IPv4 header.
  [[nodiscard]] const Path& of_v4(std::uint32_t word) const noexcept {
    return entries_[index_of(wire::IpAddress::v4_low(word))];
  }
  [[nodiscard]] bool is_seen(const Path& path, Instant now, const wire::IpAddress& peer,
                             const wire::MacAddress& mac) const noexcept {
    return path.peer == peer && path.seen_mac == mac_word(mac) && now < path.seen_until;
  }
  void note_seen(Instant now, const wire::IpAddress& peer, const wire::MacAddress& mac) noexcept {
    Path& path = take(peer);
    path.seen_mac = mac_word(mac);
    path.seen_until = now + kLifetime;
  }
  void note_way(Instant now, const wire::IpAddress& peer, const wire::MacAddress& mac, std::uint16_t mtu,
                Instant known_until, std::uint32_t epoch) noexcept {
    Path& path = take(peer);
    path.mac = mac_word(mac);
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
  Path& take(const wire::IpAddress& peer) noexcept {
    Path& path = of(peer);
    if (path.peer != peer) {
      path = Path{};
      path.peer = peer;
    }
    return path;
  }

  std::vector<Path> entries_;
};

}  // namespace millrace::stack
