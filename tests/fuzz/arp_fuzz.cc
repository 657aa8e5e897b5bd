// Any bytes as ARP packets, one after the other: no neighbour is learnt that was not asked for or did not ask us, a
// known one changes only when its old MAC is silent, every packet that is sound is written back as it was.

#include <cstdint>
#include <cstring>

#include "dataplane/ip/arp_input.h"
#include "fuzz/check.h"
#include "support/stack_world.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;  // NOLINT: a program of one file
  using fuzz::require;
  const ip::HostAddresses host = tests::addresses_of(2);
  ip::NeighborCache neighbors(1);
  Instant now = Instant{} + seconds(1);
  for (std::size_t at = 0; at < size; at += wire::kArpBytes) {
    const wire::Bytes bytes(reinterpret_cast<const std::byte*>(data + at), std::min(size - at, wire::kArpBytes));
    const auto arp = wire::parse_arp(bytes);
    const bool was_known = arp && neighbors.is_known(arp->sender_ip);
    const ip::ArpOutcome outcome = ip::input_arp(now, bytes, host, neighbors);
    if (!arp) {
      require(outcome.drop == wire::Drop::ArpMalformed && !outcome.reply, "took what is no ARP packet");
      continue;
    }
    std::byte written[wire::kArpBytes];
    wire::write_arp(written, *arp);
    require(std::memcmp(written, bytes.data(), wire::kArpBytes) == 0, "was not written as it was read");
    const bool asks_us = arp->operation == wire::ArpOperation::Request && host.is_ours(arp->target_ip);
    require(was_known || asks_us || !neighbors.is_known(arp->sender_ip), "learnt from what was not asked for");
    require(!host.is_broadcast(arp->sender_ip) || !neighbors.is_known(arp->sender_ip), "learnt a broadcast address");
    require(!outcome.reply || (asks_us && outcome.reply->sender_mac == host.mac() &&
                               outcome.reply->target_mac == arp->sender_mac && !wire::is_group(arp->sender_mac)),
            "answered wrongly");
    ip::Solicitation wanted;
    while (neighbors.next_due(now, wanted)) {
      require(host.is_on_link(wanted.target), "asks for somebody who is not on the link");
    }
    now = now + milliseconds(100);
  }
  require(neighbors.counters().changes == 0 || size >= 3 * wire::kArpBytes, "changed without being asked");
  return 0;
}
