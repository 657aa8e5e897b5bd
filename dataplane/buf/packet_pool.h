// Packets in plain memory, for ports that have none of their own: TAP, the simulated wire.
//
// Thread: the port's core. Ownership: owns all buffers; a packet lends one until it is released; attached bytes are the
// lender's until take_released() names their token.
// Invariants: 1. free_buffers() + buffers in packets = buffers, always. 2. A token comes back once for each attach().
// No allocation after the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "dataplane/buf/packet.h"

namespace millrace::buf {

struct PacketPoolOptions {
  std::uint32_t buffers = 1024;
  std::uint16_t headroom_bytes = 128;
  std::uint16_t buffer_bytes = 2048;  ///< behind the headroom
  std::uint32_t external_max = 0;     ///< attached pieces at once
};

class PacketPool final : public PacketOwner {
 public:
  explicit PacketPool(const PacketPoolOptions& options);
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;
  ~PacketPool() = default;

  /// Fills empty packets with ones of size 0; returns how many there were.
  std::size_t alloc(std::span<Packet> out) noexcept;
  /// As FramePort::attach().
  Status attach(Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept;
  /// As FramePort::take_released().
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept;

  [[nodiscard]] std::size_t free_buffers() const noexcept { return free_buffers_; }

  void release(std::span<void* const> origins) noexcept override;
  [[nodiscard]] SegmentView next_segment(void* origin) const noexcept override;

 private:
  struct Piece {
    Piece* next = nullptr;  ///< in its packet, or in a list of free ones
    std::byte* data = nullptr;
    std::uint32_t size = 0;  ///< of an attached one
    bool is_attached = false;
    std::uint64_t token = 0;
  };

  PacketPoolOptions options_;
  std::vector<std::byte> memory_;
  std::vector<Piece> pieces_;
  Piece* free_ = nullptr;
  Piece* free_attached_ = nullptr;
  std::size_t free_buffers_ = 0;
  std::vector<std::uint64_t>
      released_;  ///< never more than external_max: a piece is free only when its token was taken
  std::size_t released_count_ = 0;
  std::size_t attached_free_ = 0;  ///< pieces free and their tokens taken
};

}  // namespace millrace::buf
