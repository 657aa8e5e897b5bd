#include "dataplane/wire/checksum.h"

#include <bit>
#include <cstring>

namespace millrace::wire {
namespace {

std::uint16_t fold(std::uint64_t sum) noexcept {
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

/// 32-bit words into 64 bits: no carry is lost before 16 GiB, and compilers make vectors of it.
std::uint64_t sum_words(Bytes bytes) noexcept {
  std::uint64_t sum = 0;
  std::size_t at = 0;
  for (; at + sizeof(std::uint32_t) <= bytes.size(); at += sizeof(std::uint32_t)) {
    std::uint32_t word;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  if (at < bytes.size()) {
    std::uint32_t word = 0;  // the tail, as if zeros followed
    std::memcpy(&word, bytes.data() + at, bytes.size() - at);
    sum += word;
  }
  return sum;
}

std::uint16_t to_network(std::uint16_t value) noexcept {
  return std::endian::native == std::endian::little ? __builtin_bswap16(value) : value;
}

}  // namespace

void ChecksumSum::add(Bytes bytes) noexcept {
  const std::uint64_t sum = sum_words(bytes);
  // Behind an odd number of bytes every word is shifted by one byte, and so is its folded sum (RFC 1071 2.B).
  sum_ += is_odd_ ? __builtin_bswap16(fold(sum)) : fold(sum);
  is_odd_ ^= bytes.size() % 2 != 0;
}

void ChecksumSum::add_be16(std::uint16_t value) noexcept {
  std::byte bytes[2];
  store_be16(bytes, value);
  add(bytes);
}

void ChecksumSum::add_be32(std::uint32_t value) noexcept {
  std::byte bytes[4];
  store_be32(bytes, value);
  add(bytes);
}

void ChecksumSum::add_pseudo_header(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                    std::uint32_t bytes) noexcept {
  const std::size_t skip = source.is_v4() ? 12 : 0;
  add({source.data() + skip, 16 - skip});
  add({destination.data() + skip, 16 - skip});
  add_be32(bytes);  // IPv4 has 16 bits of it: the upper ones are then zero, and zero words add nothing
  add_be32(protocol);
}

std::uint16_t ChecksumSum::folded() const noexcept { return to_network(fold(sum_)); }

}  // namespace millrace::wire
