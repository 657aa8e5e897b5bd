// One producer, one consumer, a ring of bytes: copies of frames on their way from a worker to whoever writes them down.
//
// Thread: push/mark/rewind/publish on the worker's, front/pop/release on the writer's. Ownership: owns its memory; what
// front() shows is the writer's until release(). Never blocks: a frame that does not fit is refused.
// A record lies in one piece and begins at a multiple of 8; where it would wrap, a Skip stands before it. Both sides
// keep a copy of the other's index, so that a line changes cores once a burst.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "base/assert.h"
#include "base/attributes.h"
#include "dataplane/buf/packet.h"

namespace millrace::port {

enum class Direction : std::uint32_t {
  Received = 1,  ///< as in the flags of pcapng
  Sent = 2,
};

struct FrameRecord {
  std::uint32_t kept_bytes = 0;
  Direction direction = Direction::Received;
  std::int64_t at_ns = 0;         ///< Instant
  std::uint32_t frame_bytes = 0;  ///< before it was cut
  std::uint32_t session = 0;      ///< of the capture it was copied for
};

class FrameRing {
 public:
  /// `bytes` is a power of two.
  explicit FrameRing(std::size_t bytes)
      : capacity_(bytes), memory_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {
    MR_ASSERT(std::has_single_bit(bytes) && bytes >= kSkipBytes);
  }
  FrameRing(const FrameRing&) = delete;
  FrameRing& operator=(const FrameRing&) = delete;

  // --- producer
  /// Copies the packet's first record.kept_bytes behind the record. False: there is no room.
  [[nodiscard]] bool push(const FrameRecord& record, const buf::Packet& packet) noexcept {
    const std::size_t needed = bytes_of(record.kept_bytes);
    const std::size_t to_end = capacity_ - (producer_.tail & (capacity_ - 1));
    const std::size_t skipped = needed <= to_end ? 0 : to_end;
    if (!has_room(skipped + needed)) {
      return false;
    }
    if (skipped > 0) {
      const std::uint64_t skip = kSkip;
      std::memcpy(at(producer_.tail), &skip, sizeof skip);
      producer_.tail += skipped;
    }
    std::byte* to = at(producer_.tail);
    std::memcpy(to, &record, sizeof record);
    to += sizeof record;
    std::size_t left = record.kept_bytes;
    packet.for_each_segment([&](std::span<const std::byte> segment) {
      const std::size_t size = segment.size() < left ? segment.size() : left;
      if (size > 0) {
        std::memcpy(to, segment.data(), size);
      }
      to += size;
      left -= size;
    });
    producer_.tail += needed;
    return true;
  }
  /// Where the next record will stand: rewind() to it takes back what was pushed since and not published.
  [[nodiscard]] std::size_t mark() const noexcept { return producer_.tail; }
  void rewind(std::size_t mark) noexcept { producer_.tail = mark; }
  void publish() noexcept { tail_.store(producer_.tail, std::memory_order_release); }

  // --- consumer
  /// The oldest record and its bytes; false: there is none.
  [[nodiscard]] bool front(FrameRecord& record, std::span<const std::byte>& bytes) noexcept {
    while (true) {
      if (consumer_.head == consumer_.tail_seen) {
        consumer_.tail_seen = tail_.load(std::memory_order_acquire);
        if (consumer_.head == consumer_.tail_seen) {
          return false;
        }
      }
      const std::byte* from = at(consumer_.head);
      std::uint64_t first = 0;
      std::memcpy(&first, from, sizeof first);
      if (first != kSkip) {
        std::memcpy(&record, from, sizeof record);
        bytes = {from + sizeof record, record.kept_bytes};
        return true;
      }
      consumer_.head += capacity_ - (consumer_.head & (capacity_ - 1));
    }
  }
  void pop(const FrameRecord& record) noexcept { consumer_.head += bytes_of(record.kept_bytes); }
  void release() noexcept { head_.store(consumer_.head, std::memory_order_release); }

  [[nodiscard]] static constexpr std::size_t bytes_of(std::uint32_t kept_bytes) noexcept {
    return (sizeof(FrameRecord) + kept_bytes + 7) / 8 * 8;
  }

 private:
  static constexpr std::uint64_t kSkip = UINT64_MAX;
  static constexpr std::size_t kSkipBytes = sizeof(kSkip);
  static_assert(sizeof(FrameRecord) % kSkipBytes == 0);

  [[nodiscard]] bool has_room(std::size_t bytes) noexcept {
    if (capacity_ - (producer_.tail - producer_.head_seen) >= bytes) {
      return true;
    }
    producer_.head_seen = head_.load(std::memory_order_acquire);
    return capacity_ - (producer_.tail - producer_.head_seen) >= bytes;
  }
  [[nodiscard]] std::byte* at(std::size_t index) const noexcept { return memory_.get() + (index & (capacity_ - 1)); }

  const std::size_t capacity_;
  const std::unique_ptr<std::byte[]> memory_;

  struct alignas(2 * kCacheLineBytes) {
    std::size_t tail = 0;
    std::size_t head_seen = 0;
  } producer_;
  struct alignas(2 * kCacheLineBytes) {
    std::size_t head = 0;
    std::size_t tail_seen = 0;
  } consumer_;
  alignas(2 * kCacheLineBytes) std::atomic<std::size_t> tail_{0};
  alignas(2 * kCacheLineBytes) std::atomic<std::size_t> head_{0};
};

}  // namespace millrace::port
