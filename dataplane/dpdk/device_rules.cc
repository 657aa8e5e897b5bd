// Rules of a device that bring UDP ports of workers to their queues, where its driver takes such rules. Control thread.
#include <rte_flow.h>

#include "base/assert.h"
#include "dataplane/dpdk/device_parts.h"

namespace millrace::dpdk {
namespace {

/// Ethernet, IP of one family, UDP to `port`: to `queue`.
rte_flow* make_rule(std::uint16_t ethdev, rte_flow_item_type family, std::uint16_t port, std::uint16_t queue,
                    rte_flow_error& error) {
  rte_flow_item_udp udp{};
  udp.hdr.dst_port = rte_cpu_to_be_16(port);
  rte_flow_item_udp mask{};
  mask.hdr.dst_port = RTE_BE16(0xffff);
  const rte_flow_item pattern[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH, .spec = nullptr, .last = nullptr, .mask = nullptr},
                                   {.type = family, .spec = nullptr, .last = nullptr, .mask = nullptr},
                                   {.type = RTE_FLOW_ITEM_TYPE_UDP, .spec = &udp, .last = nullptr, .mask = &mask},
                                   {.type = RTE_FLOW_ITEM_TYPE_END, .spec = nullptr, .last = nullptr, .mask = nullptr}};
  const rte_flow_action_queue to{.index = queue};
  const rte_flow_action actions[] = {{.type = RTE_FLOW_ACTION_TYPE_QUEUE, .conf = &to},
                                     {.type = RTE_FLOW_ACTION_TYPE_END, .conf = nullptr}};
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  // Asked first: drivers log an error when what they cannot do is made.
  return rte_flow_validate(ethdev, &attributes, pattern, actions, &error) == 0
             ? rte_flow_create(ethdev, &attributes, pattern, actions, &error)
             : nullptr;
}

}  // namespace

/// All queues of a family or none: half of them would be nobody's idea of it.
bool Device::aim(Ethdev& ethdev, bool is_v4) {
  const std::size_t before = ethdev.rules.size();
  const rte_flow_item_type family = is_v4 ? RTE_FLOW_ITEM_TYPE_IPV4 : RTE_FLOW_ITEM_TYPE_IPV6;
  for (std::uint16_t q = 0; q < ethdev.queue_count; ++q) {
    rte_flow_error error{};
    rte_flow* rule = make_rule(ethdev.id, family, static_cast<std::uint16_t>(options_.aim_port + q), q, error);
    if (rule == nullptr) {
      const std::string said = error.message != nullptr ? error.message : reason(rte_errno);
      note(std::string("no rules for UDP ports over ") + (is_v4 ? "IPv4" : "IPv6") + " (" + said +
           "): a request that was aimed at a worker comes where the card brings it, and is sent on");
      remove_rules(ethdev, before);
      return false;
    }
    ethdev.rules.push_back(rule);
  }
  return true;
}

void Device::set_rules(Ethdev& ethdev) {
  facts_.aims_v4 = facts_.aims_v6 = false;
  if (options_.aim_port == 0 || ethdev.queue_count == 1 || ethdevs_.size() > 1) {
    return;
  }
  MR_ASSERT(ethdev.rules.empty());
  facts_.aims_v4 = aim(ethdev, true);
  facts_.aims_v6 = aim(ethdev, false);
}

void Device::remove_rules(Ethdev& ethdev, std::size_t from) {
  while (ethdev.rules.size() > from) {
    rte_flow_error error{};
    (void)rte_flow_destroy(ethdev.id, ethdev.rules.back(), &error);
    ethdev.rules.pop_back();
  }
}

}  // namespace millrace::dpdk
