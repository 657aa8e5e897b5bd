// An Ethernet device, physical or virtual, with a queue pair for each worker; each pair is a FramePort.
//
// Threads: open(), tick(), register_memory(), shut_down() and the end on one control thread (which may be a worker,
// when there is but one). port(q) is worker q's alone. DPDK's interrupt thread only leaves notes in atomics. Ownership:
// owns the ethdev(s), pools and ports. All packets go back, and all lent bytes stay, until shut_down(). Reset: a device
// that asks for one is first closed to its workers: tick() shuts a gate in each port, each worker's next rx_burst or
// tx_burst acknowledges it, and a later tick(), seeing all acknowledgements, stops, resets, configures and starts. No
// one waits; packets that workers hold stay good, because pools are not touched. Why more than one ethdev may be behind
// a device: af_xdp takes one socket a queue where the interface has no channels.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port_spec.h"
#include "dataplane/port/frame_port.h"

namespace millrace::dpdk {

struct DeviceOptions {
  std::uint16_t mtu = 1500;
  std::uint16_t rx_descriptors = 1024;  ///< clamped to what the device takes
  std::uint16_t tx_descriptors = 1024;
  std::uint32_t buffers = 0;                  ///< packets of each queue; 0: both rings full and as many again
  std::uint32_t external_max = 1024;          ///< lent slices of each queue; 0: no attach()
  std::optional<port::MacBytes> mac{};        ///< instead of the device's own
  bool has_offloads = true;                   ///< checksums and tags by the device where it can
  bool has_rx_interrupts = false;             ///< ask for FramePort::arm_rx(), where the kind of port has it
  std::uint16_t aim_port = 0;                 ///< UDP ports from here on are to lead to queue 0, 1, ...; 0: none is
  std::vector<std::uint32_t> worker_nodes{};  ///< NUMA node of each queue's worker; empty: not known
};

/// How the device spreads flows over queues.
struct RssFacts {
  std::vector<std::uint16_t> table;  ///< queue of each entry, as read back; empty: the device has none
  std::vector<std::uint8_t> key;     ///< Toeplitz key; empty: the device does not say
  bool udp4_by_ports = true;         ///< ports of UDP are hashed too; else addresses alone
  bool udp6_by_ports = true;
};

struct DeviceFacts {
  std::string name;    ///< as the operator called it
  std::string driver;  ///< net_memif, net_ixgbe, ...
  std::optional<std::uint32_t> node;
  std::uint16_t queues = 0;
  std::uint16_t rx_descriptors = 0;
  std::uint16_t tx_descriptors = 0;
  std::uint32_t buffers = 0;  ///< of each queue
  RssFacts rss;
  bool aims_v4 = false;  ///< there are rules for DeviceOptions::aim_port, over IPv4
  bool aims_v6 = false;
  std::vector<std::string> notes;  ///< what the operator should know: nodes that differ, no spreading, refused wishes
};

class DpdkPort;

class Device {
 public:
  /// Plugs, configures and starts it. The link may come up later.
  static Result<std::unique_ptr<Device>> open(Eal& eal, const PortSpec& spec, std::uint16_t queues,
                                              const DeviceOptions& options);
  /// Memory that open() will take, for EalOptions::memory_bytes.
  static std::uint64_t memory_bytes(const PortSpec& spec, std::uint16_t queues, const DeviceOptions& options);

  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  [[nodiscard]] port::FramePort& port(std::uint16_t queue);
  [[nodiscard]] const DeviceFacts& facts() const noexcept { return facts_; }

  /// Every 10 to 100 ms: link, counters of the device, a step of a reset. Never waits for a worker. An error: the
  /// device did not come back from a reset and is Removed.
  Result<void> tick();
  /// As though the device had asked. Any thread.
  void request_reset() noexcept { is_reset_wanted_.store(true, std::memory_order_release); }
  [[nodiscard]] std::uint64_t resets() const noexcept { return resets_; }

  /// Lets the device read these bytes (page-aligned, whole pages of `page_bytes`): needed before attach() of them by
  /// PCI devices, harmless for others. They stay until unregister_memory().
  Result<void> register_memory(std::span<std::byte> bytes, std::size_t page_bytes);
  Result<void> unregister_memory(std::span<std::byte> bytes);

  /// Packets and lent slices that are not back in their pools: in workers' hands and in the device's rings. Exact when
  /// no worker runs.
  [[nodiscard]] std::size_t mbufs_outstanding() const;
  /// Stops the device and gives up its rings: lent bytes are no longer read, take_released() tells the last of them.
  /// Workers have ended or will call no more than alloc(), release() and take_released(). Ports say Removed.
  void shut_down();

 private:
  struct Ethdev;
  struct Queue;
  Device(Eal& eal, PortSpec spec, std::uint16_t queues, DeviceOptions options);
  Result<void> plug();
  Result<void> make_queues();
  Result<void> configure(Ethdev& ethdev);
  Result<void> start(Ethdev& ethdev);
  void set_filters(Ethdev& ethdev);
  void read_rss(Ethdev& ethdev);
  void set_rules(Ethdev& ethdev);
  bool aim(Ethdev& ethdev, bool is_v4);
  static void remove_rules(Ethdev& ethdev, std::size_t from = 0);
  void make_ports(const Ethdev& ethdev);
  Result<void> finish_reset();
  void read_link(Ethdev& ethdev);
  void read_counters(Ethdev& ethdev);
  void note(std::string text);

  Eal& eal_;
  PortSpec spec_;
  DeviceOptions options_;
  DeviceFacts facts_;
  std::vector<std::unique_ptr<Ethdev>> ethdevs_;
  std::vector<std::unique_ptr<Queue>> queues_;  ///< queue q: its ethdev, pools and port
  std::vector<std::span<std::byte>> regions_;   ///< registered
  std::atomic<bool> is_reset_wanted_{false};
  bool is_resetting_ = false;
  bool is_shut_down_ = false;
  std::uint64_t resets_ = 0;
};

}  // namespace millrace::dpdk
