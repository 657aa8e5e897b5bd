// The receive buffers a transport lends to the kernel, which picks one when bytes have arrived: an idle connection
// costs no buffer (IORING_REGISTER_PBUF_RING, Linux 5.19).
//
// Thread: the transport's. Ownership: owns the memory; a buffer belongs to the kernel until a completion names it, then
// to the transport until give_back(). Must be destroyed after the ring it is registered with.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "base/result.h"
#include "dataplane/uring/ring.h"

namespace millrace::uring {

class BufferRing {
 public:
  static constexpr std::uint16_t kGroup = 0;          ///< of streams
  static constexpr std::uint16_t kDatagramGroup = 1;  ///< of datagrams, each whole in one buffer

  /// `count` is a power of two up to 32768.
  static Result<std::unique_ptr<BufferRing>> create(Ring& ring, std::uint32_t count, std::uint32_t buffer_bytes,
                                                    std::uint16_t group = kGroup);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  [[nodiscard]] const char* bytes(std::uint16_t buffer) const noexcept {
    MR_ASSERT(buffer < count_);
    return memory_ + static_cast<std::size_t>(buffer) * buffer_bytes_;
  }

  /// Lends the buffer to the kernel again.
  void give_back(std::uint16_t buffer) noexcept;

 private:
  BufferRing() = default;

  io_uring_buf_ring* entries_ = nullptr;
  char* memory_ = nullptr;
  std::size_t entries_bytes_ = 0;
  std::size_t memory_bytes_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t buffer_bytes_ = 0;
};

}  // namespace millrace::uring
