// The lower seam: bursts of Ethernet frames, received and sent. A device queue pair, a TAP device, the simulated wire.
//
// Thread: one core owns a port (of a device with several queues: its own pair of them); every call comes from there.
// Ownership: packets that rx_burst() and alloc() give belong to the caller until given to tx_burst() of the same port
// or released; the port outlives them. Bytes lent by attach() belong to the lender until take_released() names their
// token. Nothing here blocks, allocates, throws, or fails with more than a count. Virtual, because called once a burst.
// Frames begin with the Ethernet destination and have no preamble and no frame check sequence. Received ones may carry
// padding behind the datagram; to be sent they may be shorter than 60 bytes: the port or the device pads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/status.h"
#include "base/time.h"
#include "dataplane/buf/packet.h"

namespace millrace::port {

/// IEEE 802 address, as on the wire.
using MacBytes = std::array<std::uint8_t, 6>;

/// Facts, fixed when the port was made. Whoever sends asks only for what is true here.
struct PortCapabilities {
  MacBytes mac{};
  std::uint16_t mtu = 1500;            ///< bytes of the IP datagram that fits one frame, both ways
  std::uint16_t headroom_bytes = 128;  ///< of alloc()'s packets, at least: every header stack fits
  std::uint16_t buffer_bytes = 2048;   ///< alloc()'s tailroom: at least mtu, so a whole datagram can be copied
  std::uint16_t burst_max = 64;        ///< more in one call is allowed and may be taken in part
  std::uint16_t tx_segments_max = 1;   ///< segments of one packet to be sent; > 1: attach() works
  std::uint32_t external_max = 0;      ///< attached slices that may be unreleased at once
  bool rx_scatter = false;             ///< received packets may be chains
  bool rx_ip_checksum = false;         ///< RxFacts may say Good or Bad; packet by packet it may still say Unknown
  bool rx_l4_checksum = false;
  bool tx_ip_checksum = false;
  bool tx_udp_checksum = false;
  bool tx_tcp_checksum = false;
  bool vlan_strip = false;  ///< tags arrive in RxFacts
  bool vlan_insert = false;
  bool rss_hash = false;
};

enum class LinkState : std::uint8_t {
  Up,
  Down,     ///< frames are neither received nor taken; may come up again
  Removed,  ///< for good
};

struct PortCounters {
  std::uint64_t rx_frames = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_missed = 0;  ///< arrived and lost before rx_burst: no buffer, full queue
  std::uint64_t rx_errors = 0;  ///< arrived broken (too long for a buffer, device's own error)
  std::uint64_t tx_frames = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_refused = 0;    ///< not taken by a call of tx_burst (the caller tries again)
  std::uint64_t tx_errors = 0;     ///< taken and not sent
  std::uint64_t alloc_failed = 0;  ///< alloc() or attach() found nothing free
};

/// Calls `visit(name, value)` for every counter.
template <typename Visit>
void for_each_counter(const PortCounters& counters, Visit&& visit) {
  visit("rx_frames", counters.rx_frames);
  visit("rx_bytes", counters.rx_bytes);
  visit("rx_missed", counters.rx_missed);
  visit("rx_errors", counters.rx_errors);
  visit("tx_frames", counters.tx_frames);
  visit("tx_bytes", counters.tx_bytes);
  visit("tx_refused", counters.tx_refused);
  visit("tx_errors", counters.tx_errors);
  visit("alloc_failed", counters.alloc_failed);
}

class FramePort : public buf::PacketOwner {
 public:
  virtual ~FramePort() = default;

  /// Fills `out` (empty packets) from the front with what has arrived; returns the count.
  virtual std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept = 0;

  /// Takes packets from the front, in order, as many as there is room for; returns how many. Taken ones are empty
  /// afterwards; the caller keeps the rest. A packet nobody can send (too long, too many segments) is taken, counted
  /// in tx_errors and released, so that it never stands in the way of those behind it.
  virtual std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept = 0;

  /// Fills `out` (empty packets) with packets of size 0 to write into; returns how many there were.
  virtual std::size_t alloc(std::span<buf::Packet> out) noexcept = 0;

  /// Chains foreign bytes behind `packet` (an alloc()ed one of this port) without copying. They must stay as they are
  /// until take_released() gives `token`, exactly once, also when the packet was dropped instead of sent. Exhausted or
  /// Unsupported: nothing was attached and no token will come; copy instead.
  virtual Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept = 0;

  /// Fills `tokens` from the front with those whose bytes are no longer read; returns the count.
  virtual std::size_t take_released(std::span<std::uint64_t> tokens) noexcept = 0;

  /// To sleep until a frame comes: a descriptor that becomes readable then, from here until disarm_rx(); -1: there is
  /// none, nap. It may be another one each time. Look once more with rx_burst() before the sleep, and bound it: a link
  /// that comes up makes nothing readable.
  [[nodiscard]] virtual int arm_rx() noexcept { return -1; }
  virtual void disarm_rx() noexcept {}

  /// Cheap: asked every turn.
  [[nodiscard]] virtual LinkState link() const noexcept = 0;
  [[nodiscard]] virtual const PortCapabilities& capabilities() const noexcept = 0;
  [[nodiscard]] virtual const PortCounters& counters() const noexcept = 0;
};

}  // namespace millrace::port
