// What a turn says by datagrams, until the transport has taken it: bytes and slices in two fixed places, so that an
// answer is written once and nothing is allocated.
//
// Thread: one worker. Ownership: owns bytes and slices; the transport reads them during submit(), after which clear()
// makes them free again. Whoever writes makes sure that there is room: has_room(), else submit first.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/assert.h"
#include "dataplane/api/tx.h"
#include "protocol/udp_frame.h"
#include "worker/limits.h"

namespace millrace::worker {

inline void write_udp_header(char* at, protocol::UdpHeader header) noexcept {
  const auto bytes = protocol::udp_header_bytes(header);
  std::memcpy(at, bytes.data(), bytes.size());
}

class DatagramOut {
 public:
  /// Room for one more datagram, however it is made up.
  [[nodiscard]] bool has_room() const noexcept {
    return bytes_used_ + protocol::kUdpDatagramBytesMax <= kDatagramScratchBytes &&
           slices_used_ + kSlicesPerDatagramMax <= slices_.size();
  }
  /// kUdpDatagramBytesMax of room; what is used is said with keep().
  [[nodiscard]] char* room() noexcept { return bytes_.get() + bytes_used_; }
  /// The first `bytes` of room() are a slice of the datagram that is being made up.
  void keep(std::uint32_t bytes) noexcept {
    add({.data = bytes_.get() + bytes_used_, .size = bytes, .must_copy = true});
    bytes_used_ += bytes;
  }
  /// So are bytes elsewhere.
  void add(dataplane::Slice slice) noexcept {
    MR_DCHECK(slices_used_ < slices_.size());
    slices_[slices_used_++] = slice;
  }
  /// The slices since the last call.
  [[nodiscard]] std::span<const dataplane::Slice> take_datagram() noexcept {
    const std::span<const dataplane::Slice> taken(slices_.data() + slices_told_, slices_used_ - slices_told_);
    slices_told_ = slices_used_;
    return taken;
  }
  void clear() noexcept { bytes_used_ = slices_used_ = slices_told_ = 0; }

 private:
  std::unique_ptr<char[]> bytes_ = std::make_unique<char[]>(kDatagramScratchBytes);
  std::array<dataplane::Slice, kDatagramSlicesMax> slices_;
  std::uint32_t bytes_used_ = 0;
  std::uint32_t slices_used_ = 0;
  std::uint32_t slices_told_ = 0;
};

}  // namespace millrace::worker
