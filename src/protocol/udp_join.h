// A client's side of udp_frame.h: the datagrams of one response put together, in whatever order they come.
//
// Thread: its user's. Owns the response's bytes; they are reserved once, for the longest response it is told to take,
// and reused by begin(). Nothing is sent or waited for here: parts that never come are its user's timeout.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "protocol/udp_frame.h"

namespace millrace::protocol {

class UdpJoin {
 public:
  enum class Taken : std::uint8_t {
    Part,       ///< more to come
    Complete,   ///< response() is whole
    Duplicate,  ///< this part was there already
    Foreign,    ///< another request's: a late answer to one given up
    Malformed   ///< no part of a response as memcached cuts it, of another `total`, or too long a response
  };

  /// Room for responses up to `response_bytes_max`, which is rounded up to whole datagrams.
  explicit UdpJoin(std::size_t response_bytes_max)
      : have_(UdpSplit(0, std::min(response_bytes_max, kUdpResponseBytesMax)).count()) {
    response_.resize(have_.size() * kUdpBodyBytesMax);
  }

  /// Forgets the response before; takes parts of this request from now on.
  void begin(std::uint16_t request_id) noexcept {
    request_id_ = request_id;
    have_.assign(have_.size(), false);
    total_ = 0;
    taken_ = 0;
    response_bytes_ = 0;
  }

  [[nodiscard]] Taken take(std::span<const std::byte> datagram) noexcept {
    if (datagram.size() <= kUdpHeaderBytes || datagram.size() > kUdpDatagramBytesMax) {
      return Taken::Malformed;
    }
    const UdpHeader header = load_udp_header(datagram);
    const std::span<const std::byte> body = datagram.subspan(kUdpHeaderBytes);
    if (header.request_id != request_id_) {
      return Taken::Foreign;
    }
    if (header.sequence >= header.total || header.total > have_.size()) {
      return Taken::Malformed;
    }
    if (total_ != 0 && header.total != total_) {
      return Taken::Malformed;
    }
    const bool last = header.sequence + 1 == header.total;
    if (!last && body.size() != kUdpBodyBytesMax) {
      return Taken::Malformed;
    }
    if (have_[header.sequence]) {
      return Taken::Duplicate;
    }

    have_[header.sequence] = true;
    total_ = header.total;
    std::memcpy(response_.data() + header.sequence * kUdpBodyBytesMax, body.data(), body.size());
    response_bytes_ += body.size();
    return ++taken_ == total_ ? Taken::Complete : Taken::Part;
  }

  /// After Complete, until begin().
  [[nodiscard]] std::span<const std::byte> response() const noexcept { return {response_.data(), response_bytes_}; }

 private:
  std::vector<std::byte> response_;
  std::vector<bool> have_;
  std::size_t response_bytes_ = 0;
  std::uint32_t taken_ = 0;
  std::uint16_t total_ = 0;
  std::uint16_t request_id_ = 0;
};

}  // namespace millrace::protocol
