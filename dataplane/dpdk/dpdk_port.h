// One queue pair of a DPDK device as a FramePort: mbufs are wrapped into packets and unwrapped, never copied.
//
// Thread: the worker's; the gate and the two counters of the device are the control thread's to write. Ownership:
// borrows the pools, which Device owns and which outlive all packets. A packet's origin is its first rte_mbuf.
// An mbuf's own fields are written when it is sent, and only its first cache line: what lies in the second (next,
// header lengths) is touched for chains and for checksum wishes alone. Not included outside this room: device.h hands
// it out as a FramePort.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "dataplane/dpdk/external.h"
#include "dataplane/dpdk/gate.h"
#include "dataplane/port/frame_port.h"

struct rte_mbuf;
struct rte_mempool;

namespace millrace::dpdk {

struct DpdkPortWiring {
  std::uint16_t ethdev = 0;
  std::uint16_t ethdev_queue = 0;
  std::uint16_t queue = 0;  ///< of the device, for RxFacts
  std::uint16_t segments_max = 1;
  bool has_rx_interrupts = false;
  bool has_physical_addresses = false;  ///< the device knows memory by physical address (IOVA as PA)
  rte_mempool* pool = nullptr;
  rte_mempool* external_pool = nullptr;  ///< mbufs without a buffer, for lent bytes; null: none
  port::PortCapabilities capabilities{};
};

class DpdkPort final : public port::FramePort {
 public:
  explicit DpdkPort(const DpdkPortWiring& wiring);
  DpdkPort(const DpdkPort&) = delete;
  DpdkPort& operator=(const DpdkPort&) = delete;
  ~DpdkPort() override = default;

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override;
  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override;
  std::size_t alloc(std::span<buf::Packet> out) noexcept override;
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override;
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override {
    return external_.take_released(tokens);
  }
  [[nodiscard]] int arm_rx() noexcept override;
  void disarm_rx() noexcept override;
  [[nodiscard]] port::LinkState link() const noexcept override { return gate_.link(); }
  [[nodiscard]] const port::PortCapabilities& capabilities() const noexcept override { return wiring_.capabilities; }
  [[nodiscard]] const port::PortCounters& counters() const noexcept override;
  void release(std::span<void* const> origins) noexcept override;
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override;

  // Control thread.
  Gate& gate() noexcept { return gate_; }
  void set_device_counters(std::uint64_t missed, std::uint64_t errors, std::uint64_t tx_errors) noexcept {
    device_missed_.store(missed, std::memory_order_relaxed);
    device_rx_errors_.store(errors, std::memory_order_relaxed);
    device_tx_errors_.store(tx_errors, std::memory_order_relaxed);
  }

 private:
  static constexpr std::uint16_t kBurst = 128;

  /// What a driver gives to sleep on.
  enum class Bell : std::uint8_t {
    Unknown,  ///< vhost's poll set around the guest's event counter, which only the driver could quieten
    EventCounter,
    Device,  ///< the device itself, readable while frames wait
  };
  static Bell bell_of(int fd) noexcept;

  bool prepare(buf::Packet& packet, rte_mbuf& mbuf, bool& needs_driver) noexcept;
  bool prepare_rare(buf::Packet& packet, rte_mbuf& mbuf) noexcept;
  void apply_wishes(const buf::TxWishes& wishes, rte_mbuf& mbuf) const noexcept;
  bool pad(buf::Packet& packet, rte_mbuf& mbuf) noexcept;
  void drop(buf::Packet& packet) noexcept;
  void collect_sent() noexcept;

  Gate gate_;
  DpdkPortWiring wiring_;
  std::uint32_t frame_bytes_max_;
  bool can_collect_ = true;
  bool can_arm_ = true;  ///< until it failed while the link was up: drivers log each failure
  int bell_fd_ = -1;
  Bell bell_ = Bell::Unknown;
  mutable port::PortCounters counters_;
  std::uint64_t unsendable_ = 0;
  ExternalTable external_;
  std::atomic<std::uint64_t> device_missed_{0};
  std::atomic<std::uint64_t> device_rx_errors_{0};
  std::atomic<std::uint64_t> device_tx_errors_{0};
};

}  // namespace millrace::dpdk
