// The Internet checksum: RFC 1071 (computing), RFC 1624 (changing a word), RFC 768 / 8200 8.1 (pseudo headers).
// Pure; any thread.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "dataplane/wire/address.h"
#include "dataplane/wire/big_endian.h"

namespace millrace::wire {

/// a + b in one's complement: the carry comes round.
[[nodiscard]] constexpr std::uint64_t add_ones(std::uint64_t a, std::uint64_t b) noexcept {
  const std::uint64_t sum = a + b;
  return sum + (sum < a ? 1 : 0);
}

/// 64 bits of a sum to 16. A half is added to the other and its carry comes round: of a number and the same with its
/// halves exchanged, the upper half of the sum is that.
[[nodiscard]] constexpr std::uint16_t fold_ones(std::uint64_t sum) noexcept {
  const auto half = static_cast<std::uint32_t>((sum + std::rotr(sum, 32)) >> 32);
  return static_cast<std::uint16_t>((half + std::rotr(half, 16)) >> 16);
}

/// The bytes' words as they lie in memory, summed, as if zeros followed (RFC 1071 2.B: byte order does not matter until
/// the end); with `kCopies` also copied to `to`, so that each byte is loaded once. Two sums, because each addition
/// waits for the carry of the one before.
template <bool kCopies>
[[nodiscard]] inline std::uint64_t sum_words_to(std::byte* to, const std::byte* at, std::size_t bytes) noexcept {
  std::uint64_t even = 0;
  std::uint64_t odd = 0;
  const auto take = [&]<typename Word>(Word, std::size_t offset) {
    Word word;
    std::memcpy(&word, at + offset, sizeof word);
    if constexpr (kCopies) {
      std::memcpy(to + offset, &word, sizeof word);
    }
    return std::uint64_t{word};
  };
  const auto step = [&](std::size_t taken) {
    at += taken;
    if constexpr (kCopies) {
      to += taken;
    }
  };
  for (; bytes >= 16; bytes -= 16, step(16)) {
    even = add_ones(even, take(std::uint64_t{}, 0));
    odd = add_ones(odd, take(std::uint64_t{}, 8));
  }
  if ((bytes & 8) != 0) {
    even = add_ones(even, take(std::uint64_t{}, 0));
    step(8);
  }
  std::uint64_t rest = 0;
  if ((bytes & 4) != 0) {
    rest += take(std::uint32_t{}, 0);
    step(4);
  }
  if ((bytes & 2) != 0) {
    rest += take(std::uint16_t{}, 0);
    step(2);
  }
  if ((bytes & 1) != 0) {
    const auto last = static_cast<std::uint16_t>(take(std::uint8_t{}, 0));
    rest += std::endian::native == std::endian::little ? last : last << 8;
  }
  return add_ones(add_ones(even, odd), rest);
}
[[nodiscard]] inline std::uint64_t sum_words(const std::byte* at, std::size_t bytes) noexcept {
  return sum_words_to<false>(nullptr, at, bytes);
}
[[nodiscard]] inline std::uint64_t copy_and_sum(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  return sum_words_to<true>(to, from, bytes);
}

/// Adds up 16-bit words in one's complement, over pieces of any length: what ends on an odd byte goes on with the next.
class ChecksumSum {
 public:
  void add(Bytes bytes) noexcept { add_sum(sum_words(bytes.data(), bytes.size()), bytes.size()); }
  /// What sum_words() found for the next `bytes`.
  void add_sum(std::uint64_t sum, std::size_t bytes) noexcept {
    // Behind an odd number of bytes every word is shifted by one byte, and so is its folded sum (RFC 1071 2.B).
    sum_ = add_ones(sum_, is_odd_ ? __builtin_bswap16(fold_ones(sum)) : sum);
    is_odd_ ^= bytes % 2 != 0;
  }
  void add_be16(std::uint16_t value) noexcept {
    std::byte bytes[2];
    store_be16(bytes, value);
    add(bytes);
  }
  void add_be32(std::uint32_t value) noexcept {
    std::byte bytes[4];
    store_be32(bytes, value);
    add(bytes);
  }
  /// Addresses, length, protocol: what UDP, TCP and ICMPv6 sum besides their own bytes.
  void add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                         std::uint32_t bytes) noexcept {
    const std::size_t skip = source.is_v4() ? 12 : 0;
    add({source.data() + skip, 16 - skip});
    add({destination.data() + skip, 16 - skip});
    add_be32(bytes);  // IPv4 has 16 bits of it: the upper ones are then zero, and zero words add nothing
    add_be32(protocol);
  }

  /// The sum folded to 16 bits, not complemented. 0xffff over bytes whose checksum is right.
  [[nodiscard]] std::uint16_t folded() const noexcept {
    const std::uint16_t sum = fold_ones(sum_);
    return std::endian::native == std::endian::little ? __builtin_bswap16(sum) : sum;
  }
  /// What goes into the header.
  [[nodiscard]] std::uint16_t checksum() const noexcept { return static_cast<std::uint16_t>(~folded()); }

 private:
  std::uint64_t sum_ = 0;  ///< of words as they lie in memory
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
