// MAC and IP addresses as values. Pure; any thread.
//
// An IPv4 address is held as the IPv4-mapped ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so that one neighbour cache, one route
// table and one reassembler serve both families. Input refuses mapped addresses inside IPv6 headers.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr MacAddress kBroadcastMac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

[[nodiscard]] constexpr bool is_group(const MacAddress& mac) noexcept { return (mac[0] & 1) != 0; }
[[nodiscard]] constexpr bool is_zero(const MacAddress& mac) noexcept { return mac == MacAddress{}; }

struct IpAddress {
  /// The bytes 0, 0, 0xff, 0xff.
  static constexpr std::uint32_t kV4Middle = std::endian::native == std::endian::little ? 0xffff'0000 : 0x0000'ffff;

  std::array<std::uint8_t, 16> bytes{};

  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;
  friend constexpr bool operator==(const IpAddress& a, const IpAddress& b) noexcept {
    if !consteval {
      std::uint64_t words[4];
      std::memcpy(words, a.bytes.data(), 16);
      std::memcpy(words + 2, b.bytes.data(), 16);
      return ((words[0] ^ words[2]) | (words[1] ^ words[3])) == 0;
    }
    return a.bytes == b.bytes;
  }

  /// From host order: 0x0a000001 is 10.0.0.1.
  [[nodiscard]] static constexpr IpAddress v4(std::uint32_t host) noexcept {
    return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, static_cast<std::uint8_t>(host >> 24),
             static_cast<std::uint8_t>(host >> 16), static_cast<std::uint8_t>(host >> 8),
             static_cast<std::uint8_t>(host)}};
  }
  [[nodiscard]] static IpAddress v6(const std::byte* sixteen) noexcept {
    IpAddress address;
    std::memcpy(address.bytes.data(), sixteen, 16);
    return address;
  }

  [[nodiscard]] constexpr bool is_v4() const noexcept {
    if !consteval {
      std::uint64_t high;
      std::uint32_t middle;
      std::memcpy(&high, bytes.data(), sizeof high);
      std::memcpy(&middle, bytes.data() + 8, sizeof middle);
      return high == 0 && middle == kV4Middle;
    }
    for (std::size_t i = 0; i < 10; ++i) {
      if (bytes[i] != 0) {
        return false;
      }
    }
    return bytes[10] == 0xff && bytes[11] == 0xff;
  }
  /// As it lies in an IPv4 header; only of an IPv4 address.
  [[nodiscard]] std::uint32_t v4_word() const noexcept {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + 12, sizeof word);
    return word;
  }
  /// Of a v4_word(): the last eight bytes of its address, as they lie in memory; the first eight are zero.
  [[nodiscard]] static constexpr std::uint64_t v4_low(std::uint32_t word) noexcept {
    static_assert(std::endian::native == std::endian::little);
    return std::uint64_t{word} << 32 | kV4Middle;
  }
  [[nodiscard]] static IpAddress v4_of(std::uint32_t word) noexcept {
    const std::uint64_t words[2] = {0, v4_low(word)};
    IpAddress address;
    std::memcpy(address.bytes.data(), words, sizeof words);
    return address;
  }
  /// From four bytes of an IPv4 header.
  [[nodiscard]] static IpAddress v4_at(const std::byte* four) noexcept {
    IpAddress address;
    std::memcpy(address.bytes.data() + 8, &kV4Middle, sizeof kV4Middle);
    std::memcpy(address.bytes.data() + 12, four, 4);
    return address;
  }
  /// In host order; only of an IPv4 address.
  [[nodiscard]] constexpr std::uint32_t v4_host() const noexcept {
    return std::uint32_t{bytes[12]} << 24 | std::uint32_t{bytes[13]} << 16 | std::uint32_t{bytes[14]} << 8 | bytes[15];
  }
  [[nodiscard]] const std::byte* data() const noexcept { return reinterpret_cast<const std::byte*>(bytes.data()); }

  /// 0.0.0.0 or ::
  [[nodiscard]] constexpr bool is_unspecified() const noexcept {
    return is_v4() ? v4_host() == 0 : *this == IpAddress{};
  }
  [[nodiscard]] constexpr bool is_multicast() const noexcept {
    return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
  }
  /// 127.0.0.0/8 or ::1
  [[nodiscard]] constexpr bool is_loopback() const noexcept {
    return is_v4() ? bytes[12] == 127 : *this == IpAddress{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
  }
  /// fe80::/10 (RFC 4291 2.5.6)
  [[nodiscard]] constexpr bool is_link_local_v6() const noexcept {
    return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  }
};

/// Whether the first `bits` of both are the same (0 to 128; an IPv4 prefix counts from bit 96).
[[nodiscard]] constexpr bool shares_prefix(const IpAddress& a, const IpAddress& b, std::uint32_t bits) noexcept {
  if !consteval {
    const std::uint64_t high = load_be64(a.data()) ^ load_be64(b.data());
    const std::uint64_t low = load_be64(a.data() + 8) ^ load_be64(b.data() + 8);
    if (bits <= 64) {
      return bits == 0 || high >> (64 - bits) == 0;
    }
    return high == 0 && low >> (128 - bits) == 0;
  }
  for (std::size_t i = 0; i < 16 && bits > 0; ++i) {
    const std::uint32_t here = bits < 8 ? bits : 8;
    const std::uint8_t mask = static_cast<std::uint8_t>(0xff << (8 - here));
    if (((a.bytes[i] ^ b.bytes[i]) & mask) != 0) {
      return false;
    }
    bits -= here;
  }
  return true;
}

/// ff02::1, every node of the link.
inline constexpr IpAddress kAllNodes = {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

/// ff02::1:ffXX:XXXX (RFC 4291 2.7.1)
[[nodiscard]] constexpr IpAddress solicited_node(const IpAddress& of) noexcept {
  return {{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, of.bytes[13], of.bytes[14], of.bytes[15]}};
}

/// The MAC of an IPv6 group (RFC 2464 7).
[[nodiscard]] constexpr MacAddress group_mac(const IpAddress& group) noexcept {
  return {0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15]};
}

/// fe80:: with the modified EUI-64 of `mac` (RFC 4291 appendix A).
[[nodiscard]] constexpr IpAddress link_local_of(const MacAddress& mac) noexcept {
  return {{0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(mac[0] ^ 0x02), mac[1], mac[2], 0xff, 0xfe, mac[3],
           mac[4], mac[5]}};
}

}  // namespace millrace::wire
