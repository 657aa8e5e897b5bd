// What a Device is made of, for the files that implement it. Not included outside this room, nor by its public headers.
// Threads and ownership as device.h says.
#pragma once

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <algorithm>
#include <string>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/dpdk_port.h"

struct rte_flow;

namespace millrace::dpdk {

constexpr std::uint16_t kFrameExtraBytes = 26;  // Ethernet, two tags, frame check sequence
constexpr unsigned kBufferBytesMin = 2048;

inline std::string reason(int code) { return rte_strerror(code < 0 ? -code : code); }

/// Room for one frame in one buffer: a copied datagram needs it, and scattering is then nobody's need.
inline std::uint16_t buffer_bytes(PortKind kind, std::uint16_t mtu) {
  const unsigned frame = (unsigned{mtu} + kFrameExtraBytes + 63) / 64 * 64;
  const unsigned least = kind == PortKind::AfPacket ? unsigned{kAfPacketSlotBytes} : kBufferBytesMin;
  return static_cast<std::uint16_t>(std::max(frame, least));
}

struct Device::Ethdev {
  std::uint16_t id = 0;
  std::string name;
  rte_device* device_handle = nullptr;
  bool is_plugged = false;     ///< by us: to be unplugged
  bool is_configured = false;  ///< callbacks are registered, queues are set up
  bool is_virtual = true;
  std::uint16_t first_queue = 0;
  std::uint16_t queue_count = 0;
  port::MacBytes mac{};
  std::uint64_t rx_offloads = 0;
  std::uint64_t tx_offloads = 0;
  std::uint16_t segments_max = 1;
  bool has_rx_interrupts = false;
  std::vector<rte_flow*> rules;  ///< device_rules.cc
  rte_eth_stats before_reset{};  ///< counters that a reset set to zero
  rte_eth_stats last{};
  Device* device = nullptr;
  std::atomic<bool> is_removed{false};

  static int on_event(std::uint16_t, rte_eth_event_type event, void* self, void*) {
    auto& ethdev = *static_cast<Ethdev*>(self);
    if (event == RTE_ETH_EVENT_INTR_RESET) {
      ethdev.device->request_reset();
    } else if (event == RTE_ETH_EVENT_INTR_RMV) {
      ethdev.is_removed.store(true, std::memory_order_release);
    }
    return 0;
  }
};

struct Device::Queue {
  rte_mempool* pool = nullptr;
  rte_mempool* external_pool = nullptr;
  std::unique_ptr<DpdkPort> port;

  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() {
    port.reset();
    for (rte_mempool* one : {pool, external_pool}) {
      // A pool that somebody still has a packet of is left where it is: lost memory, and not used after it was freed.
      if (one != nullptr && rte_mempool_in_use_count(one) == 0) {
        rte_mempool_free(one);
      }
    }
  }
};

}  // namespace millrace::dpdk
