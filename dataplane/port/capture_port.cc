#include "dataplane/port/capture_port.h"

#include <algorithm>
#include <array>

namespace millrace::port {

void CaptureTap::begin(std::uint32_t session, std::uint32_t snap_bytes) {
  if (ring_ == nullptr) {
    ring_ = std::make_unique<FrameRing>(ring_bytes_);
  }
  snap_bytes_.store(snap_bytes, std::memory_order_relaxed);
  session_.store(session, std::memory_order_release);
}

bool CaptureTap::push(Instant now, std::uint32_t session, Direction direction, const buf::Packet& packet) noexcept {
  return ring_->push({.kept_bytes = std::min(packet.size(), snap_bytes_.load(std::memory_order_relaxed)),
                      .direction = direction,
                      .at_ns = now.ns,
                      .frame_bytes = packet.size(),
                      .session = session},
                     packet);
}

void CaptureTap::count(std::uint64_t passed, std::uint64_t dropped) noexcept {
  // One writer: no locked addition.
  passed_.store(passed_.load(std::memory_order_relaxed) + passed, std::memory_order_relaxed);
  dropped_.store(dropped_.load(std::memory_order_relaxed) + dropped, std::memory_order_relaxed);
}

MR_COLD void CaptureTap::copy_received(Instant now, std::uint32_t session,
                                       std::span<const buf::Packet> packets) noexcept {
  std::uint64_t dropped = 0;
  for (const buf::Packet& packet : packets) {
    dropped += push(now, session, Direction::Received, packet) ? 0 : 1;
  }
  ring_->publish();
  count(packets.size(), dropped);
}

MR_COLD std::size_t CaptureTap::copy_sent(Instant now, std::uint32_t session, FramePort& inner,
                                          std::span<buf::Packet> packets) noexcept {
  // Taken packets are gone, so all are copied before they are offered, and what was not taken is copied another time.
  constexpr std::size_t kRun = 64;
  struct After {
    std::size_t mark;
    std::uint64_t dropped;
  };
  std::array<After, kRun + 1> after;
  std::size_t taken = 0;
  while (true) {
    const std::span<buf::Packet> run = packets.subspan(taken, std::min(packets.size() - taken, kRun));
    after[0] = {.mark = ring_->mark(), .dropped = 0};
    for (std::size_t i = 0; i < run.size(); ++i) {
      const bool is_kept = push(now, session, Direction::Sent, run[i]);
      after[i + 1] = {.mark = ring_->mark(), .dropped = after[i].dropped + (is_kept ? 0 : 1)};
    }
    const std::size_t count_taken = inner.tx_burst(now, run);  // of none as well: that lets a device tidy up
    ring_->rewind(after[count_taken].mark);
    ring_->publish();
    count(count_taken, after[count_taken].dropped);
    taken += count_taken;
    if (count_taken < run.size() || taken == packets.size()) {
      return taken;
    }
  }
}

}  // namespace millrace::port
