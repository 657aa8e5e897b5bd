#include "dataplane/dpdk/device.h"

#include <rte_alarm.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_lcore.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/assert.h"
#include "base/stale_socket.h"
#include "dataplane/dpdk/device_parts.h"

namespace millrace::dpdk {
namespace {

constexpr std::uint32_t kPoolCache = 256;
constexpr std::uint32_t kBuffersMin = 512;
/// af_xdp fills its two rings of 2048 whatever it is told.
constexpr std::uint32_t kAfXdpBuffersMin = 8192;
constexpr std::uint64_t kMbufOverheadBytes = 256;  // rte_mbuf, the pool's header and its share of the ring

std::uint32_t buffers_of(const DeviceOptions& options, PortKind kind) {
  const std::uint32_t rings = std::uint32_t{options.rx_descriptors} + options.tx_descriptors;
  // The ring of af_packet is the kernel's and holds none of our buffers, which are large.
  const std::uint32_t wanted = options.buffers != 0 ? options.buffers : kind == PortKind::AfPacket ? rings : 2 * rings;
  return std::max(wanted, kind == PortKind::AfXdp ? kAfXdpBuffersMin : kBuffersMin);
}

/// What the calling thread holds in reserve, back to where the workers can have it. (Theirs are theirs: a worker may
/// allocate and release while the device is reset.)
void flush_own_cache(rte_mempool* pool) {
  rte_mempool_cache* cache = pool == nullptr ? nullptr : rte_mempool_default_cache(pool, rte_lcore_id());
  if (cache != nullptr) {
    rte_mempool_cache_flush(cache, pool);
  }
}

/// Why a device is not there is known to drivers alone, and they only log it.
std::string what_dpdk_said() {
  const std::string said = last_dpdk_error();
  return said.empty() ? "" : "; DPDK said: " + said;
}

std::atomic<std::uint64_t> alarms_passed = 0;

/// Returns when DPDK's interrupt thread has done what it was at. Drivers see there that a peer went away, and memif's
/// then frees what closing frees as well, without asking.
void let_interrupts_finish() {
  constexpr int kTries = 1000;
  const std::uint64_t before = alarms_passed.load(std::memory_order_acquire);
  const auto on_alarm = [](void*) { alarms_passed.fetch_add(1, std::memory_order_release); };
  if (rte_eal_alarm_set(1, on_alarm, nullptr) != 0) {
    return;
  }
  for (int i = 0; i < kTries && alarms_passed.load(std::memory_order_acquire) == before; ++i) {
    ::usleep(1000);
  }
}

}  // namespace

Device::Device(Eal& eal, PortSpec spec, std::uint16_t queues, DeviceOptions options)
    : eal_(eal), spec_(std::move(spec)), options_(std::move(options)) {
  facts_.name = spec_.text;
  facts_.queues = queues;
  facts_.buffers = buffers_of(options_, spec_.kind);
}

Device::~Device() { shut_down(); }

std::uint64_t Device::memory_bytes(const PortSpec& spec, std::uint16_t queues, const DeviceOptions& options) {
  const std::uint64_t buffer = kMbufOverheadBytes + RTE_PKTMBUF_HEADROOM + buffer_bytes(spec.kind, options.mtu);
  const std::uint64_t lent = std::max(options.external_max, kBuffersMin) * kMbufOverheadBytes;
  return queues * (buffers_of(options, spec.kind) * buffer + lent + (4ULL << 20));
}

Result<std::unique_ptr<Device>> Device::open(Eal& eal, const PortSpec& spec, std::uint16_t queues,
                                             const DeviceOptions& options) {
  if (queues == 0) {
    return fail("port " + spec.text + ": it takes at least one queue");
  }
  auto device = std::unique_ptr<Device>(new Device(eal, spec, queues, options));
  if (auto plugged = device->plug(); !plugged) {
    return std::unexpected(plugged.error());
  }
  if (auto made = device->make_queues(); !made) {
    return std::unexpected(made.error());
  }
  for (auto& ethdev : device->ethdevs_) {
    if (auto configured = device->configure(*ethdev); !configured) {
      return std::unexpected(configured.error());
    }
  }
  for (auto& ethdev : device->ethdevs_) {
    if (auto started = device->start(*ethdev); !started) {
      return std::unexpected(started.error());
    }
  }
  return device;
}

void Device::note(std::string text) {
  if (std::ranges::find(facts_.notes, text) == facts_.notes.end()) {
    facts_.notes.push_back(std::move(text));
  }
}

Result<void> Device::plug() {
  const std::vector<VirtualDevice> wanted = virtual_devices(spec_, eal_.next_instance(), facts_.queues);
  const auto add = [&](const std::string& name, std::uint16_t first, std::uint16_t count) -> Result<Ethdev*> {
    auto ethdev = std::make_unique<Ethdev>();
    ethdev->device = this;
    ethdev->name = name;
    ethdev->first_queue = first;
    ethdev->queue_count = count;
    ethdev->is_virtual = spec_.kind != PortKind::Pci;
    if (rte_eth_dev_get_port_by_name(name.c_str(), &ethdev->id) != 0) {
      return fail("port " + spec_.text + ": there is no such device" +
                  (spec_.kind == PortKind::Pci
                       ? ", or no driver of DPDK's has it (is it bound to vfio-pci?)" + what_dpdk_said()
                       : ""));
    }
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(ethdev->id, &info); code != 0) {
      return fail("port " + spec_.text + ": it does not say what it can: " + reason(code));
    }
    ethdev->device_handle = info.device;
    ethdevs_.push_back(std::move(ethdev));
    if (count > info.max_rx_queues || count > info.max_tx_queues) {
      return fail("port " + spec_.text + ": it has " +
                  std::to_string(std::min(info.max_rx_queues, info.max_tx_queues)) + " queue pairs, and " +
                  std::to_string(count) + " workers want one each");
    }
    return ethdevs_.back().get();
  };
  if (wanted.empty()) {
    if (auto there = add(spec_.target, 0, facts_.queues); !there) {
      return std::unexpected(there.error());
    }
    return {};
  }
  // Drivers leave the socket of a process that was killed in the way of the next.
  if (spec_.is_server && !spec_.target.empty()) {
    if (auto removed = remove_stale_socket(spec_.target); !removed) {
      return fail("port " + spec_.text + ": " + removed.error().what);
    }
  }
  // A memif client whose first attempt fails tries again whenever its link is looked at, and does not survive it
  // (22.11).
  if (spec_.kind == PortKind::Memif && !spec_.is_server && !spec_.target.empty() &&
      spec_.arguments.find("socket-abstract") == std::string::npos && !has_owner(spec_.target)) {
    return fail("port " + spec_.text + ": nobody listens on " + spec_.target + "; start the other end first");
  }
  const auto queues_each = static_cast<std::uint16_t>(facts_.queues / wanted.size());
  for (const VirtualDevice& one : wanted) {
    if (const int code = rte_eal_hotplug_add("vdev", one.name.c_str(), one.arguments.c_str()); code != 0) {
      return fail("port " + spec_.text + ": its driver refuses it (" + one.name + "," + one.arguments +
                  "): " + reason(code) + what_dpdk_said());
    }
    const std::size_t before = ethdevs_.size();
    auto there = add(one.name, static_cast<std::uint16_t>(before * queues_each), queues_each);
    if (ethdevs_.size() == before) {
      (void)rte_eal_hotplug_remove("vdev", one.name.c_str());
    } else {
      ethdevs_.back()->is_plugged = true;
    }
    if (!there) {
      return std::unexpected(there.error());
    }
  }
  return {};
}

Result<void> Device::make_queues() {
  const int node = rte_eth_dev_socket_id(ethdevs_.front()->id);
  if (node >= 0) {
    facts_.node = static_cast<std::uint32_t>(node);
  }
  const std::uint32_t instance = eal_.next_instance();
  for (std::uint16_t q = 0; q < facts_.queues; ++q) {
    auto queue = std::make_unique<Queue>();
    int pool_node = node;
    if (q < options_.worker_nodes.size()) {
      const auto worker_node = static_cast<int>(options_.worker_nodes[q]);
      if (node >= 0 && node != worker_node) {
        note("queue " + std::to_string(q) + ": its worker is on NUMA node " + std::to_string(worker_node) +
             ", the device on node " + std::to_string(node) + ": each frame crosses between them");
      }
      pool_node = node >= 0 ? node : worker_node;
    }
    const auto make = [&](const char* kind, std::uint32_t count, unsigned bytes) {
      const std::string name = "mr_" + std::string(kind) + std::to_string(instance) + "_" + std::to_string(q);
      const std::uint32_t cache = count >= 2 * kPoolCache ? kPoolCache : 0;
      rte_mempool* pool =
          rte_pktmbuf_pool_create(name.c_str(), count, cache, 0, static_cast<std::uint16_t>(bytes), pool_node);
      if (pool == nullptr && pool_node >= 0) {
        pool = rte_pktmbuf_pool_create(name.c_str(), count, cache, 0, static_cast<std::uint16_t>(bytes), SOCKET_ID_ANY);
        if (pool != nullptr) {
          note("NUMA node " + std::to_string(pool_node) + " has too little memory for packets: they are elsewhere");
        }
      }
      return pool;
    };
    const unsigned data_room = unsigned{RTE_PKTMBUF_HEADROOM} + buffer_bytes(spec_.kind, options_.mtu);
    if (data_room > UINT16_MAX) {
      return fail("port " + spec_.text + ": no MTU of " + std::to_string(options_.mtu));
    }
    queue->pool = make("pool", facts_.buffers, data_room);
    bool is_made = queue->pool != nullptr;
    if (is_made && options_.external_max > 0) {
      // A little more than can be lent at once: some lie in other threads' reserves after a reset.
      queue->external_pool = make("lent", std::max(options_.external_max, kBuffersMin), 0);
      is_made = queue->external_pool != nullptr;
    }
    if (!is_made) {
      return fail("port " + spec_.text + ": DPDK has no memory for " + std::to_string(facts_.buffers) +
                  " packets of queue " + std::to_string(q) + " (" + reason(rte_errno) + "); it takes " +
                  std::to_string(memory_bytes(spec_, facts_.queues, options_) >> 20) + " MiB in all");
    }
    queues_.push_back(std::move(queue));
  }
  return {};
}

port::FramePort& Device::port(std::uint16_t queue) {
  MR_ASSERT(queue < queues_.size());
  return *queues_[queue]->port;
}

void Device::read_link(Ethdev& ethdev) {
  rte_eth_link link{};
  const bool is_removed = ethdev.is_removed.load(std::memory_order_acquire);
  const bool is_up =
      !is_removed && rte_eth_link_get_nowait(ethdev.id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
  for (std::uint16_t q = 0; q < ethdev.queue_count; ++q) {
    queues_[ethdev.first_queue + q]->port->gate().set_link(is_removed ? port::LinkState::Removed
                                                           : is_up    ? port::LinkState::Up
                                                                      : port::LinkState::Down);
  }
}

void Device::read_counters(Ethdev& ethdev) {
  if (rte_eth_stats_get(ethdev.id, &ethdev.last) != 0) {
    return;
  }
  const rte_eth_stats& now = ethdev.last;
  const rte_eth_stats& before = ethdev.before_reset;
  // The device does not say which queue it was; queue 0 of it tells for all.
  queues_[ethdev.first_queue]->port->set_device_counters(
      before.imissed + now.imissed + before.rx_nombuf + now.rx_nombuf, before.ierrors + now.ierrors,
      before.oerrors + now.oerrors);
}

Result<void> Device::tick() {
  if (is_shut_down_) {
    return {};
  }
  if (is_resetting_) {
    const bool is_free =
        std::ranges::all_of(queues_, [](const auto& queue) { return queue->port->gate().is_acknowledged(); });
    return is_free ? finish_reset() : Result<void>{};
  }
  for (auto& ethdev : ethdevs_) {
    read_link(*ethdev);
    read_counters(*ethdev);
  }
  if (is_reset_wanted_.exchange(false, std::memory_order_acquire)) {
    is_resetting_ = true;
    for (auto& queue : queues_) {
      queue->port->gate().shut();
    }
  }
  return {};
}

Result<void> Device::finish_reset() {
  is_resetting_ = false;
  ++resets_;
  for (auto& ethdev : ethdevs_) {
    Result<void> done;
    if (ethdev->is_removed.load(std::memory_order_acquire)) {
      read_link(*ethdev);
      continue;
    }
    read_counters(*ethdev);
    remove_rules(*ethdev);
    (void)rte_eth_dev_stop(ethdev->id);
    const int code = rte_eth_dev_reset(ethdev->id);
    if (code == 0) {
      ethdev->before_reset.imissed += ethdev->last.imissed;
      ethdev->before_reset.rx_nombuf += ethdev->last.rx_nombuf;
      ethdev->before_reset.ierrors += ethdev->last.ierrors;
      ethdev->before_reset.oerrors += ethdev->last.oerrors;
    } else if (code != -ENOTSUP) {
      done = fail("port " + spec_.text + ": it does not come back from a reset: " + reason(code));
    }
    // A driver without a reset of its own is stopped and started.
    done = done ? configure(*ethdev) : done;
    for (std::uint16_t q = 0; q < ethdev->queue_count; ++q) {
      flush_own_cache(queues_[ethdev->first_queue + q]->pool);
      flush_own_cache(queues_[ethdev->first_queue + q]->external_pool);
    }
    done = done ? start(*ethdev) : done;
    if (!done) {
      ethdev->is_removed.store(true, std::memory_order_release);
      read_link(*ethdev);
      return done;
    }
  }
  return {};
}

std::size_t Device::mbufs_outstanding() const {
  std::size_t count = 0;
  for (const auto& queue : queues_) {
    for (const rte_mempool* pool : {queue->pool, queue->external_pool}) {
      count += pool == nullptr ? 0 : rte_mempool_in_use_count(pool);
    }
  }
  return count;
}

void Device::shut_down() {
  if (std::exchange(is_shut_down_, true)) {
    return;
  }
  for (auto& queue : queues_) {
    if (queue->port != nullptr) {
      queue->port->gate().set_link(port::LinkState::Removed);
    }
  }
  let_interrupts_finish();
  for (auto& ethdev : ethdevs_) {
    if (ethdev->is_configured) {
      read_counters(*ethdev);
      for (const auto event : {RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV}) {
        (void)rte_eth_dev_callback_unregister(ethdev->id, event, &Ethdev::on_event, ethdev.get());
      }
      remove_rules(*ethdev);
      (void)rte_eth_dev_stop(ethdev->id);
    }
    (void)rte_eth_dev_close(ethdev->id);
    ethdev->is_configured = false;
  }
  while (!regions_.empty()) {
    (void)unregister_memory(std::span<std::byte>(regions_.back()));
  }
  for (auto& ethdev : ethdevs_) {
    if (ethdev->is_plugged) {
      (void)rte_eal_hotplug_remove("vdev", ethdev->name.c_str());
    }
  }
  for (auto& queue : queues_) {
    flush_own_cache(queue->pool);
    flush_own_cache(queue->external_pool);
  }
}

}  // namespace millrace::dpdk
