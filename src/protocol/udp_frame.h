// The eight bytes in front of every memcached datagram, and where a response is cut into datagrams.
//
//   request id | sequence | total | reserved      16 bits each, in network order (memcached's protocol.txt, "UDP
//   protocol")
//
// Pure; any thread; owns nothing. Bytes of the wire are never trusted: what is no request gets a reason, no answer.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace millrace::protocol {

inline constexpr std::size_t kUdpHeaderBytes = 8;

/// Longest datagram sent, header included: memcached's, which passes any Ethernet path unfragmented.
inline constexpr std::size_t kUdpDatagramBytesMax = 1400;
inline constexpr std::size_t kUdpBodyBytesMax = kUdpDatagramBytesMax - kUdpHeaderBytes;

/// `total` has 16 bits: no response is longer.
inline constexpr std::size_t kUdpDatagramsMax = 0xffff;
inline constexpr std::size_t kUdpResponseBytesMax = kUdpDatagramsMax * kUdpBodyBytesMax;

struct UdpHeader {
  std::uint16_t request_id = 0;  ///< the client's; every datagram of the answer repeats it
  std::uint16_t sequence = 0;    ///< from 0
  std::uint16_t total = 1;
};

/// The reserved word is passed over, as by memcached. `datagram` has at least kUdpHeaderBytes.
[[nodiscard]] inline UdpHeader load_udp_header(std::span<const std::byte> datagram) noexcept {
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(datagram[at]) << 8U |
                                      std::to_integer<unsigned>(datagram[at + 1]));
  };
  return {.request_id = word(0), .sequence = word(2), .total = word(4)};
}

[[nodiscard]] inline std::array<std::byte, kUdpHeaderBytes> udp_header_bytes(UdpHeader header) noexcept {
  std::uint64_t word = std::uint64_t{header.request_id} << 48U | std::uint64_t{header.sequence} << 32U |
                       std::uint64_t{header.total} << 16U;
  if constexpr (std::endian::native == std::endian::little) {
    word = __builtin_bswap64(word);
  }
  return std::bit_cast<std::array<std::byte, kUdpHeaderBytes>>(word);
}

/// Why a datagram is no request. Dropped without a word: an answer would go to whoever forged the source.
enum class UdpDrop : std::uint8_t {
  None,
  NoHeader,       ///< shorter than a header
  NotOneDatagram  ///< `total` is not 1: requests of several datagrams are not put together
};

struct UdpRequest {
  UdpDrop drop = UdpDrop::None;
  std::uint16_t request_id = 0;
  std::span<const std::byte> commands;  ///< what follows the header; may be empty
};

/// A request's sequence is not looked at, as by memcached.
[[nodiscard]] inline UdpRequest read_udp_request(std::span<const std::byte> datagram) noexcept {
  if (datagram.size() < kUdpHeaderBytes) {
    return {.drop = UdpDrop::NoHeader, .commands = {}};
  }
  const UdpHeader header = load_udp_header(datagram);
  if (header.total != 1) {
    return {.drop = UdpDrop::NotOneDatagram, .request_id = header.request_id, .commands = {}};
  }
  return {.request_id = header.request_id, .commands = datagram.subspan(kUdpHeaderBytes)};
}

/// One response cut into datagrams: all full but the last. An empty one, or one over kUdpResponseBytesMax, is none.
class UdpSplit {
 public:
  UdpSplit(std::uint16_t request_id, std::size_t response_bytes) noexcept
      : response_bytes_(response_bytes <= kUdpResponseBytesMax ? response_bytes : 0), request_id_(request_id) {}

  struct Part {
    UdpHeader header;
    std::size_t offset = 0;  ///< into the response
    std::size_t bytes = 0;
  };

  [[nodiscard]] std::size_t count() const noexcept {
    return (response_bytes_ + kUdpBodyBytesMax - 1) / kUdpBodyBytesMax;
  }

  /// `index` < count().
  [[nodiscard]] Part part(std::size_t index) const noexcept {
    const std::size_t offset = index * kUdpBodyBytesMax;
    return {.header = {.request_id = request_id_,
                       .sequence = static_cast<std::uint16_t>(index),
                       .total = static_cast<std::uint16_t>(count())},
            .offset = offset,
            .bytes = std::min(kUdpBodyBytesMax, response_bytes_ - offset)};
  }

 private:
  std::size_t response_bytes_;
  std::uint16_t request_id_;
};

}  // namespace millrace::protocol
