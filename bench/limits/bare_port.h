// A DPDK port with one queue each way and nothing between the driver and whoever measures: for frame_echo and
// frame_gets. One thread. Cold but for what its users call of rte_ethdev themselves.
#pragma once

#include <poll.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/affinity.h"
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

/// A port for the calling thread, which is pinned, and what it stands on. Once in a process.
struct OwnPort {
  std::unique_ptr<dpdk::Eal> eal;
  Port port;
};

inline Result<OwnPort> open_own_port(const char* text, std::uint32_t cpu) {
  const auto spec = dpdk::parse_port_spec(text);
  if (!spec) {
    return std::unexpected(spec.error());
  }
  auto eal = dpdk::Eal::start({.ports = {*spec}, .worker_cpus = {cpu}, .memory_bytes = 64U << 20});
  if (!eal) {
    return std::unexpected(eal.error());
  }
  auto port = open_port(*spec);
  if (!port) {
    return std::unexpected(port.error());
  }
  if (const auto pinned = pin_this_thread(cpu); !pinned) {
    return std::unexpected(pinned.error());
  }
  return OwnPort{.eal = std::move(*eal), .port = std::move(*port)};
}

/// What a server here runs until.
inline bool input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0;
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

/// Keeps a window of requests in flight: asks in bursts, and gives up what is not answered for a twentieth of a second.
/// `fill(mbuf, i, now)` makes the i-th frame of a burst; `take(mbuf, now)` says whether a frame is an answer.
class ClosedLoop {
 public:
  ClosedLoop(const Port& port, unsigned window) : port_(port), window_(window) {}

  template <typename Fill, typename Take>
  void go_on_until(std::uint64_t end, const Fill& fill, const Take& take) {
    const std::uint64_t patience = rte_get_tsc_hz() / 20;
    std::uint64_t heard_at = rte_rdtsc();
    for (std::uint64_t now = heard_at; now < end; now = rte_rdtsc()) {
      sent_ += ask(now, fill);
      if (receive(take)) {
        heard_at = now;
      } else if (now - heard_at > patience) {
        lost_ += in_flight_;
        in_flight_ = 0;
        heard_at = now;
      }
    }
  }
  /// False: there was no frame.
  template <typename Take>
  bool receive(const Take& take) {
    rte_mbuf* frames[kBurst];
    const std::uint16_t got = rte_eth_rx_burst(port_.id, 0, frames, kBurst);
    const std::uint64_t now = rte_rdtsc();
    for (std::uint16_t i = 0; i < got; ++i) {
      if (take(*frames[i], now) && in_flight_ > 0) {
        --in_flight_;
      }
    }
    rte_pktmbuf_free_bulk(frames, got);
    return got > 0;
  }
  void forget_losses() { lost_ = 0; }

  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }

 private:
  template <typename Fill>
  std::uint16_t ask(std::uint64_t now, const Fill& fill) {
    const unsigned room = std::min<unsigned>(window_ - in_flight_, kBurst);
    rte_mbuf* frames[kBurst];
    // Half a burst at least, unless the window is smaller or all is answered.
    if (room == 0 || (room < kBurst / 2 && in_flight_ > 0 && window_ >= kBurst) ||
        rte_pktmbuf_alloc_bulk(port_.pool, frames, room) != 0) {
      return 0;
    }
    for (unsigned i = 0; i < room; ++i) {
      fill(*frames[i], i, now);
    }
    const std::uint16_t sent = rte_eth_tx_burst(port_.id, 0, frames, static_cast<std::uint16_t>(room));
    in_flight_ += sent;
    rte_pktmbuf_free_bulk(frames + sent, room - sent);
    return sent;
  }

  const Port port_;
  const unsigned window_;
  unsigned in_flight_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
};

/// Of samples in ticks, in microseconds; 0 of none.
inline double percentile_us(const std::vector<std::uint64_t>& sorted, double share) {
  const auto at = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted.empty() ? 0.0 : static_cast<double>(sorted[at]) * 1e6 / static_cast<double>(rte_get_tsc_hz());
}

}  // namespace millrace
