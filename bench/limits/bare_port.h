// A DPDK port with one queue each way and nothing between the driver and whoever measures: for frame_echo and
// frame_gets. One thread. Cold but for what its users call of rte_ethdev themselves.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/result.h"
#include "dataplane/dpdk/eal.h"

namespace millrace {

inline constexpr std::uint16_t kBurst = 32;
inline constexpr std::uint16_t kDescriptors = 1024;
inline constexpr unsigned kBuffers = 8191;

struct Port {
  std::uint16_t id = 0;
  rte_mempool* pool = nullptr;
  std::string driver;
};

inline Result<Port> open_port(const dpdk::PortSpec& spec) {
  Port port;
  std::string name = spec.target;
  for (const dpdk::VirtualDevice& device : dpdk::virtual_devices(spec, 0, 1)) {
    name = device.name;
    if (rte_eal_hotplug_add("vdev", device.name.c_str(), device.arguments.c_str()) != 0) {
      return fail("the driver refuses " + device.name + "," + device.arguments);
    }
  }
  rte_eth_dev_info info{};
  if (rte_eth_dev_get_port_by_name(name.c_str(), &port.id) != 0 || rte_eth_dev_info_get(port.id, &info) != 0) {
    return fail("there is no port " + name);
  }
  port.driver = info.driver_name;
  port.pool = rte_pktmbuf_pool_create("frames", kBuffers, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  const rte_eth_conf conf{};
  const auto node = static_cast<unsigned>(rte_eth_dev_socket_id(port.id));
  if (port.pool == nullptr || rte_eth_dev_configure(port.id, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port.id, 0, kDescriptors, node, nullptr, port.pool) != 0 ||
      rte_eth_tx_queue_setup(port.id, 0, kDescriptors, node, nullptr) != 0 || rte_eth_dev_start(port.id) != 0) {
    return fail("the port does not start");
  }
  return port;
}

inline bool await_link(const Port& port) {
  for (int i = 0; i < 500; ++i) {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(port.id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP) {
      return true;
    }
    ::usleep(20'000);
  }
  return false;
}

inline void close_port(const Port& port) {
  (void)rte_eth_dev_stop(port.id);
  (void)rte_eth_dev_close(port.id);
}

}  // namespace millrace
