// A network: an address and how many of its bits count. Plain value; any thread.
//
// Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d; `bits` counts in those, so that 10.0.0.0/8 has 104. The families stay
// apart nevertheless: ::/0 is every IPv6 address and no IPv4 address.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataplane/api/datagram.h"

namespace millrace::dataplane {

[[nodiscard]] constexpr bool is_v4(const IpBytes& address) noexcept {
  for (std::size_t i = 0; i < 10; ++i) {
    if (address[i] != 0) {
      return false;
    }
  }
  return address[10] == 0xff && address[11] == 0xff;
}

struct IpPrefix {
  static constexpr std::uint32_t kV4Bits = 96;  ///< those before the first of an IPv4 address

  IpBytes address{};      ///< bits behind the prefix are 0
  std::uint8_t bits = 0;  ///< 0 to 128; an IPv4 prefix has 96 or more

  [[nodiscard]] constexpr bool is_v4_prefix() const noexcept { return bits >= kV4Bits && is_v4(address); }

  [[nodiscard]] constexpr bool contains(const IpBytes& other) const noexcept {
    if (is_v4(other) != is_v4_prefix()) {
      return false;
    }
    std::uint32_t left = bits;
    for (std::size_t i = 0; i < other.size() && left > 0; ++i) {
      const std::uint32_t here = left < 8 ? left : 8;
      if (((other[i] ^ address[i]) & static_cast<std::uint8_t>(0xff00U >> here)) != 0) {
        return false;
      }
      left -= here;
    }
    return true;
  }

  /// `10.0.0.0/8`, `fc00::/7`.
  [[nodiscard]] std::string text() const;

  /// The same back; an address alone is that one host. The error is a sentence with what would work.
  static Result<IpPrefix> parse(std::string_view text);

  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

}  // namespace millrace::dataplane
