// The Internet checksum: RFC 1071 (computing), RFC 1624 (changing a word), RFC 768 / 8200 8.1 (pseudo headers).
// Pure; any thread.
#pragma once

#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

/// Adds up 16-bit words in one's complement, over pieces of any length: what ends on an odd byte goes on with the next.
class ChecksumSum {
 public:
  void add(Bytes bytes) noexcept;
  void add_be16(std::uint16_t value) noexcept;
  void add_be32(std::uint32_t value) noexcept;
  /// Addresses, length, protocol: what UDP, TCP and ICMPv6 sum besides their own bytes.
  void add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t bytes) noexcept;

  /// The sum folded to 16 bits, not complemented. 0xffff over bytes whose checksum is right.
  [[nodiscard]] std::uint16_t folded() const noexcept;
  /// What goes into the header.
  [[nodiscard]] std::uint16_t checksum() const noexcept { return static_cast<std::uint16_t>(~folded()); }

 private:
  std::uint64_t sum_ = 0;  ///< of words as they lie in memory (RFC 1071 2.B: byte order does not matter until the end)
  bool is_odd_ = false;
};

[[nodiscard]] inline std::uint16_t checksum_of(Bytes bytes) noexcept {
  ChecksumSum sum;
  sum.add(bytes);
  return sum.checksum();
}

/// The checksum after one 16-bit word it covers changed (RFC 1624 3, equation 3). A field holding 0 for "none" is the
/// caller's affair.
[[nodiscard]] constexpr std::uint16_t update_checksum(std::uint16_t checksum, std::uint16_t was,
                                                      std::uint16_t is) noexcept {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~was);
  sum += is;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace millrace::wire
