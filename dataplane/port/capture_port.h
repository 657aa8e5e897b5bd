// Any port, with what passes copied for a capture when there is one (capture.h writes it down).
//
// Thread: the port's; CaptureTap says what is the control thread's. Ownership: borrows the port and the tap, which
// outlive it. Packets and tokens are the inner port's.
// Off, it costs a load and a branch a burst. On, each frame's bytes are copied into the tap's ring; a full ring loses
// the copy and counts it, and the frame goes its way. Received frames are as the device gave them: without tags that it
// stripped. Sent ones are copied when the port takes them: without checksums that the device fills, and without
// padding. Stamps are the turn's.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/attributes.h"
#include "dataplane/port/frame_port.h"
#include "dataplane/port/frame_ring.h"

namespace millrace::port {

/// Where a worker leaves copies of frames. The worker calls copy_*; the control thread the rest.
class CaptureTap {
 public:
  explicit CaptureTap(std::size_t ring_bytes) : ring_bytes_(ring_bytes) {}
  CaptureTap(const CaptureTap&) = delete;
  CaptureTap& operator=(const CaptureTap&) = delete;

  // --- worker
  /// Of the capture that is going on; 0: none.
  [[nodiscard]] std::uint32_t session() const noexcept { return session_.load(std::memory_order_acquire); }
  void copy_received(Instant now, std::uint32_t session, std::span<const buf::Packet> packets) noexcept;
  /// Offers packets to `inner` and copies those that it takes. As tx_burst().
  std::size_t copy_sent(Instant now, std::uint32_t session, FramePort& inner, std::span<buf::Packet> packets) noexcept;

  // --- control thread
  /// `session` is not 0 and was not had before. The first one makes the ring, which stays: a worker may still be in it.
  void begin(std::uint32_t session, std::uint32_t snap_bytes);
  void end() noexcept { session_.store(0, std::memory_order_release); }
  /// Frames that passed while a capture went on, since the beginning of time; those of them that found the ring full.
  [[nodiscard]] std::uint64_t passed() const noexcept { return passed_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }
  /// After the first begin().
  [[nodiscard]] FrameRing& ring() noexcept { return *ring_; }

 private:
  bool push(Instant now, std::uint32_t session, Direction direction, const buf::Packet& packet) noexcept;
  void count(std::uint64_t passed, std::uint64_t dropped) noexcept;

  const std::size_t ring_bytes_;
  std::atomic<std::uint32_t> session_{0};
  std::atomic<std::uint32_t> snap_bytes_{0};
  std::unique_ptr<FrameRing> ring_;
  // The worker's to write.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> passed_{0};
  std::atomic<std::uint64_t> dropped_{0};
};

class CapturePort final : public FramePort {
 public:
  CapturePort(FramePort& inner, CaptureTap& tap) : inner_(inner), tap_(tap) {}
  CapturePort(const CapturePort&) = delete;
  CapturePort& operator=(const CapturePort&) = delete;
  ~CapturePort() override = default;

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override {
    const std::size_t count = inner_.rx_burst(now, out);
    if (const std::uint32_t session = tap_.session(); MR_UNLIKELY(session != 0)) {
      tap_.copy_received(now, session, out.first(count));
    }
    return count;
  }
  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override {
    if (const std::uint32_t session = tap_.session(); MR_UNLIKELY(session != 0)) {
      return tap_.copy_sent(now, session, inner_, packets);
    }
    return inner_.tx_burst(now, packets);
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override { return inner_.alloc(out); }
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override {
    return inner_.attach(packet, bytes, token);
  }
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override { return inner_.take_released(tokens); }
  [[nodiscard]] int arm_rx() noexcept override { return inner_.arm_rx(); }
  void disarm_rx() noexcept override { inner_.disarm_rx(); }
  [[nodiscard]] LinkState link() const noexcept override { return inner_.link(); }
  [[nodiscard]] const PortCapabilities& capabilities() const noexcept override { return inner_.capabilities(); }
  [[nodiscard]] const PortCounters& counters() const noexcept override { return inner_.counters(); }
  void release(std::span<void* const> origins) noexcept override { inner_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return inner_.next_segment(origin);
  }

 private:
  FramePort& inner_;
  CaptureTap& tap_;
};

}  // namespace millrace::port
