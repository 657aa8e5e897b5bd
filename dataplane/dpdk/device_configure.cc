#include <rte_eal.h>
#include <rte_ether.h>
#include <unistd.h>

#include "dataplane/dpdk/device_parts.h"

namespace millrace::dpdk {
namespace {

constexpr const char* kNoInterrupts =
    "it has no receive interrupts: a worker with nothing to do naps, and the next datagram may wait for 1 ms";
constexpr std::uint16_t kSegmentsMax = 8;
constexpr std::uint64_t kRxOffloads = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                                      RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
constexpr std::uint64_t kTxOffloads = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
                                      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
constexpr std::uint64_t kRssHash = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |
                                   RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 |
                                   RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP |
                                   RTE_ETH_RSS_NONFRAG_IPV6_OTHER | RTE_ETH_RSS_IPV6_EX | RTE_ETH_RSS_IPV6_TCP_EX |
                                   RTE_ETH_RSS_IPV6_UDP_EX;

}  // namespace

Result<void> Device::configure(Ethdev& ethdev) {
  const auto refuse = [&](const std::string& what) { return fail("port " + spec_.text + ": " + what); };
  rte_eth_dev_info info{};
  if (const int code = rte_eth_dev_info_get(ethdev.id, &info); code != 0) {
    return refuse("it does not say what it can: " + reason(code));
  }
  facts_.driver = info.driver_name;
  if (options_.mtu < info.min_mtu || options_.mtu > info.max_mtu) {
    return refuse("it takes an MTU from " + std::to_string(info.min_mtu) + " to " + std::to_string(info.max_mtu) +
                  ", not " + std::to_string(options_.mtu));
  }

  rte_eth_conf conf{};
  // Drivers of sockets say 1514 bytes and count 18 of headers: they would refuse what they say.
  const bool says_frame = info.max_rx_pktlen >= unsigned{options_.mtu} + RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  conf.rxmode.mtu = says_frame ? options_.mtu : 0;
  const std::uint64_t wanted_rx = options_.has_offloads ? kRxOffloads : 0;
  const std::uint64_t wanted_tx = options_.has_offloads ? kTxOffloads : 0;
  ethdev.rx_offloads = info.rx_offload_capa & (wanted_rx | RTE_ETH_RX_OFFLOAD_SCATTER);
  ethdev.tx_offloads = info.tx_offload_capa & (wanted_tx | RTE_ETH_TX_OFFLOAD_MULTI_SEGS);
  const bool can_rss = ethdev.queue_count > 1 && (info.reta_size > 0 || !ethdev.is_virtual) &&
                       (info.flow_type_rss_offloads & kRssHash) != 0;
  if (can_rss) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = info.flow_type_rss_offloads & kRssHash;
    ethdev.rx_offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
  }
  conf.rxmode.offloads = ethdev.rx_offloads;
  conf.txmode.offloads = ethdev.tx_offloads;
  conf.intr_conf.lsc = (*info.dev_flags & RTE_ETH_DEV_INTR_LSC) != 0 ? 1 : 0;
  conf.intr_conf.rmv = (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0 ? 1 : 0;
  // The others (22.11) take the wish, have nothing to sleep on, and say so in an error each time they are asked.
  const bool kind_has_interrupts =
      spec_.kind == PortKind::Pci || spec_.kind == PortKind::Tap || spec_.kind == PortKind::VirtioUser;
  conf.intr_conf.rxq = options_.has_rx_interrupts && kind_has_interrupts ? 1 : 0;
  int code = rte_eth_dev_configure(ethdev.id, ethdev.queue_count, ethdev.queue_count, &conf);
  if (code != 0 && conf.intr_conf.rxq != 0) {
    note(kNoInterrupts);
    conf.intr_conf.rxq = 0;
    code = rte_eth_dev_configure(ethdev.id, ethdev.queue_count, ethdev.queue_count, &conf);
  }
  if (code != 0) {
    return refuse("its driver does not take " + std::to_string(ethdev.queue_count) + " queues and an MTU of " +
                  std::to_string(options_.mtu) + ": " + reason(code));
  }
  ethdev.has_rx_interrupts = conf.intr_conf.rxq != 0;
  facts_.rx_descriptors = options_.rx_descriptors;
  facts_.tx_descriptors = options_.tx_descriptors;
  code = rte_eth_dev_adjust_nb_rx_tx_desc(ethdev.id, &facts_.rx_descriptors, &facts_.tx_descriptors);
  rte_eth_rxconf rx_conf = info.default_rxconf;
  rte_eth_txconf tx_conf = info.default_txconf;
  rx_conf.offloads = conf.rxmode.offloads;
  tx_conf.offloads = conf.txmode.offloads;
  const auto node = static_cast<unsigned>(rte_eth_dev_socket_id(ethdev.id));
  for (std::uint16_t q = 0; q < ethdev.queue_count && code == 0; ++q) {
    Queue& queue = *queues_[ethdev.first_queue + q];
    code = rte_eth_rx_queue_setup(ethdev.id, q, facts_.rx_descriptors, node, &rx_conf, queue.pool);
    if (code == 0) {
      code = rte_eth_tx_queue_setup(ethdev.id, q, facts_.tx_descriptors, node, &tx_conf);
    }
  }
  if (code != 0) {
    return refuse("its rings cannot be set up: " + reason(code));
  }
  ethdev.segments_max = 1;
  if ((ethdev.tx_offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0) {
    const std::uint16_t most = info.tx_desc_lim.nb_mtu_seg_max;
    ethdev.segments_max = most == 0 ? kSegmentsMax : std::min(most, kSegmentsMax);
  }
  if (!ethdev.is_configured) {
    ethdev.is_configured = true;
    for (const auto event : {RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV}) {
      (void)rte_eth_dev_callback_register(ethdev.id, event, &Ethdev::on_event, &ethdev);
    }
  }
  return {};
}

Result<void> Device::start(Ethdev& ethdev) {
  int code = rte_eth_dev_start(ethdev.id);
  if (code != 0 && ethdev.has_rx_interrupts) {
    // A card with fewer interrupts than queues says so only now.
    options_.has_rx_interrupts = false;
    note(kNoInterrupts);
    if (auto again = configure(ethdev); !again) {
      return again;
    }
    code = rte_eth_dev_start(ethdev.id);
  }
  if (code != 0) {
    return fail("port " + spec_.text + ": its driver does not start it: " + reason(code));
  }
  set_filters(ethdev);
  read_rss(ethdev);
  set_rules(ethdev);
  make_ports(ethdev);
  read_link(ethdev);
  return {};
}

/// Neighbour discovery is sent to groups. Virtual devices mostly have no filters, and where they do, it is the kernel
/// that has them and our own address may not be the one it knows.
void Device::set_filters(Ethdev& ethdev) {
  rte_ether_addr address{};
  (void)rte_eth_macaddr_get(ethdev.id, &address);
  std::copy_n(address.addr_bytes, ethdev.mac.size(), ethdev.mac.begin());
  if (options_.mac) {
    std::copy_n(options_.mac->begin(), ethdev.mac.size(), address.addr_bytes);
    if (!ethdev.is_virtual && rte_eth_dev_default_mac_addr_set(ethdev.id, &address) != 0) {
      note("it keeps its own MAC address");
    } else {
      ethdev.mac = *options_.mac;
    }
  } else if (spec_.kind == PortKind::Tap) {
    ethdev.mac[5] ^= 1;  // the driver gives both ends the same
  } else if (rte_is_zero_ether_addr(&address)) {
    const auto id = static_cast<std::uint32_t>(::getpid());
    ethdev.mac = {0x02,
                  'M',
                  static_cast<std::uint8_t>(id >> 16),
                  static_cast<std::uint8_t>(id >> 8),
                  static_cast<std::uint8_t>(id),
                  static_cast<std::uint8_t>(ethdev.id)};
  }
  const bool takes_all = ethdev.is_virtual && rte_eth_promiscuous_enable(ethdev.id) == 0;
  if (!takes_all && rte_eth_allmulticast_enable(ethdev.id) != 0 && !ethdev.is_virtual &&
      rte_eth_promiscuous_enable(ethdev.id) != 0) {
    note("it takes no multicast frames: IPv6 neighbours cannot find us");
  }
}

void Device::read_rss(Ethdev& ethdev) {
  facts_.rss = {};
  if (ethdev.queue_count == 1) {
    return;
  }
  rte_eth_dev_info info{};
  (void)rte_eth_dev_info_get(ethdev.id, &info);
  const std::uint16_t entries = info.reta_size;
  std::vector<rte_eth_rss_reta_entry64> table((entries + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  const auto query = [&] {
    for (auto& group : table) {
      group.mask = ~0ULL;
    }
    return entries > 0 && rte_eth_dev_rss_reta_query(ethdev.id, table.data(), entries) == 0;
  };
  const auto entry = [&](std::uint16_t i) -> std::uint16_t& {
    return table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
  };
  if (!query()) {
    note("it has no table of flows and queues: whoever sends to it, or its driver, chooses the queue");
    return;
  }
  for (std::uint16_t i = 0; i < entries; ++i) {
    entry(i) = static_cast<std::uint16_t>(i % ethdev.queue_count);
  }
  const bool is_taken = rte_eth_dev_rss_reta_update(ethdev.id, table.data(), entries) == 0;
  if (!query()) {
    note("its table of flows and queues cannot be read back");
    return;
  }
  std::vector<std::uint32_t> shares(ethdev.queue_count);
  std::uint32_t astray = 0;
  bool is_ours = is_taken;
  for (std::uint16_t i = 0; i < entries; ++i) {
    facts_.rss.table.push_back(entry(i));
    is_ours = is_ours && entry(i) == i % ethdev.queue_count;
    if (entry(i) < shares.size()) {
      ++shares[entry(i)];
    } else {
      ++astray;
    }
  }
  if (astray > 0) {
    note(std::to_string(astray) + " of the " + std::to_string(entries) +
         " entries of its table of flows name queues that it was not given: frames of those flows are lost");
  }
  if (!is_ours) {
    note("it keeps a table of flows and queues of its own");
  }
  for (std::size_t q = 0; q < shares.size(); ++q) {
    if (shares[q] == 0) {
      note("no flow leads to queue " + std::to_string(q) + ": its worker will get frames from no one");
    }
  }
  std::uint8_t key[UINT8_MAX];
  rte_eth_rss_conf conf{};
  conf.rss_key = key;
  conf.rss_key_len = info.hash_key_size;
  if (info.hash_key_size > 0 && rte_eth_dev_rss_hash_conf_get(ethdev.id, &conf) == 0) {
    facts_.rss.key.assign(key, key + info.hash_key_size);
    if (conf.rss_hf != 0) {
      facts_.rss.udp4_by_ports = (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_UDP) != 0;
      facts_.rss.udp6_by_ports = (conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_UDP) != 0;
    }
  }
}

void Device::make_ports(const Ethdev& ethdev) {
  // The guest's end of virtio shares DPDK's own memory with the host's end and no other; a device that knows memory by
  // physical addresses knows none of ours.
  const bool has_physical_addresses = !ethdev.is_virtual && rte_eal_iova_mode() == RTE_IOVA_PA;
  const bool can_lend = ethdev.segments_max > 1 && options_.external_max > 0 && !has_physical_addresses &&
                        facts_.driver.find("virtio") == std::string::npos &&
                        spec_.arguments.find("zero-copy=yes") == std::string::npos;
  const auto rx_has = [&](std::uint64_t flag) { return (ethdev.rx_offloads & flag) != 0; };
  const auto tx_has = [&](std::uint64_t flag) { return (ethdev.tx_offloads & flag) != 0; };
  for (std::uint16_t q = 0; q < ethdev.queue_count; ++q) {
    Queue& queue = *queues_[ethdev.first_queue + q];
    if (queue.port != nullptr) {
      continue;  // after a reset: what was promised stays
    }
    queue.port = std::make_unique<DpdkPort>(
        DpdkPortWiring{.ethdev = ethdev.id,
                       .ethdev_queue = q,
                       .queue = static_cast<std::uint16_t>(ethdev.first_queue + q),
                       .segments_max = ethdev.segments_max,
                       .has_rx_interrupts = ethdev.has_rx_interrupts,
                       .pool = queue.pool,
                       .external_pool = can_lend ? queue.external_pool : nullptr,
                       .capabilities = {.mac = ethdev.mac,
                                        .mtu = options_.mtu,
                                        .headroom_bytes = RTE_PKTMBUF_HEADROOM,
                                        .buffer_bytes = buffer_bytes(spec_.kind, options_.mtu),
                                        .tx_segments_max = can_lend ? ethdev.segments_max : std::uint16_t{1},
                                        .external_max = can_lend ? options_.external_max : 0,
                                        .rx_scatter = true,  // a driver may chain without having been asked
                                        .rx_ip_checksum = rx_has(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM),
                                        .rx_l4_checksum = rx_has(RTE_ETH_RX_OFFLOAD_UDP_CKSUM),
                                        .tx_ip_checksum = tx_has(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM),
                                        .tx_udp_checksum = tx_has(RTE_ETH_TX_OFFLOAD_UDP_CKSUM),
                                        .tx_tcp_checksum = tx_has(RTE_ETH_TX_OFFLOAD_TCP_CKSUM),
                                        .vlan_strip = rx_has(RTE_ETH_RX_OFFLOAD_VLAN_STRIP),
                                        .vlan_insert = tx_has(RTE_ETH_TX_OFFLOAD_VLAN_INSERT),
                                        .rss_hash = rx_has(RTE_ETH_RX_OFFLOAD_RSS_HASH)}});
  }
}

}  // namespace millrace::dpdk
