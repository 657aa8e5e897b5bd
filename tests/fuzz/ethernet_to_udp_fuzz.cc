// Any bytes as frames at a whole HostStack: each is taken, answered or counted under one reason, nothing leaks, and
// what goes out is itself sound. The input is a list of frames, each behind two bytes of length; lengths with the top
// bit set let time pass instead.

#include <algorithm>
#include <cstdint>
#include <string>

#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/vlan.h"
#include "fuzz/check.h"
#include "support/stack_world.h"

namespace {

using namespace millrace;  // NOLINT: a program of one file
using fuzz::require;
using wire::Drop;

constexpr std::size_t kBuffers = 128;

/// A port whose other end is the fuzzer: frames come from it, what is sent is looked at.
void check_sent(const tests::SimWire::Frame& frame) {
  const wire::Bytes bytes(frame);
  auto ethernet = wire::parse_ethernet(bytes);
  require(ethernet.has_value(), "sent a frame without a header");
  require(ethernet->source == tests::mac_of(2), "sent in somebody else's name");
  wire::Bytes rest = bytes.subspan(wire::kEthernetBytes);
  if (ethernet->type == wire::kEtherTypeVlan) {
    ethernet->type = wire::parse_vlan(rest)->type;
    rest = rest.subspan(wire::kVlanTagBytes);
  }
  // The peer that is meant would accept it: parsed by the same rules, from the other side.
  if (ethernet->type == wire::kEtherTypeIpv4) {
    const auto header = wire::parse_ipv4(rest);
    require(header && header->total_bytes <= rest.size() && wire::checksum_of(rest.first(20)) == 0, "sent bad IPv4");
    require(!header->destination.is_multicast() && !header->destination.is_unspecified(), "answered a group");
  } else if (ethernet->type == wire::kEtherTypeIpv6) {
    const auto header = wire::parse_ipv6(rest);
    require(header && header->payload_bytes + 40U <= rest.size(), "sent bad IPv6");
  } else {
    require(ethernet->type == wire::kEtherTypeArp && wire::parse_arp(rest).has_value(), "sent bad ARP");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  tests::SimWire cable({.delay = {}});
  tests::SimPort outside(cable, {.mtu = 9000}, 16);
  port::PortCapabilities capabilities{.mtu = 1500};
  // The first byte chooses what the device offers.
  const std::uint8_t offers = size > 0 ? data[0] : 0;
  capabilities.vlan_strip = (offers & 1) != 0;
  capabilities.rx_scatter = (offers & 2) != 0;
  capabilities.external_max = capabilities.rx_scatter ? 4096 : 0;
  capabilities.tx_segments_max = 64;
  tests::SimHost host(cable, 2,
                      {.port = capabilities,
                       .stack = {.vlan = static_cast<std::uint16_t>(offers >> 7), .reassembly = {.datagrams_max = 2}},
                       .buffers = kBuffers});
  host.port.scatter_bytes = capabilities.rx_scatter ? 64 : 0;
  host.echoes = true;
  require(host.stack.bind_udp(7).has_value(), "no port");

  Instant now = Instant{} + seconds(1);
  host.turn(now);
  cable.keeps_seen = true;
  std::size_t at = 1;
  std::uint64_t frames = 0;
  while (at + 2 <= size) {
    const std::size_t word = std::size_t{data[at]} << 8 | data[at + 1];
    at += 2;
    if ((word & 0x8000) != 0) {
      now = now + milliseconds(static_cast<std::int64_t>(word & 0x7fff));
      host.turn(now);
      continue;
    }
    const std::size_t bytes = std::min(word, std::min<std::size_t>(size - at, 1518));
    tests::SimWire::Frame frame(reinterpret_cast<const std::byte*>(data + at),
                                reinterpret_cast<const std::byte*>(data + at + bytes));
    at += bytes;
    const std::size_t seen_before = cable.seen.size();
    if (bytes > 0) {
      cable.put(now, &outside, std::move(frame));
      ++frames;
    }
    host.turn(now);
    for (std::size_t i = seen_before + (bytes > 0 ? 1 : 0); i < cable.seen.size(); ++i) {
      check_sent(cable.seen[i]);
    }
  }
  const stack::StackCounters& counters = host.stack.counters();
  require(counters.frames_received == frames, "a frame was lost");
  // Whatever is over: no buffer is missing but those that wait for an answer, or were received last.
  for (int i = 0; i < 8; ++i) {
    now = now + seconds(1);
    host.turn(now);
  }
  require(host.port.free_buffers() == kBuffers, "a packet leaked");
  return 0;
}
