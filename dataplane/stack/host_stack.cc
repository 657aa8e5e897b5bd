#include "dataplane/stack/host_stack.h"

#include <algorithm>

#include "base/assert.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {
namespace {

/// A hash in software takes some 100 ns: so often it is nothing, and a device that lies is found out within a second.
constexpr Duration kWatchEvery = milliseconds(1);

}  // namespace

HostStack::HostStack(port::FramePort& port, const ip::HostAddresses& addresses, const StackOptions& options)
    : port_(port),
      capabilities_(port.capabilities()),
      options_(options),
      lend_bytes_min_(capabilities_.tx_segments_max > 1 ? options.zero_copy_bytes_min : 0),
      host_(addresses),
      neighbors_(options.seed ^ 0x6e65'6967),
      path_mtu_(capabilities_.mtu, options.seed ^ 0x7061'7468),
      identifications_(options.seed ^ 0x6964'656e),
      reassembler_(options.reassembly),
      echo_limit_(options.echo_per_second, options.echo_burst),
      error_limit_(options.icmp_errors_per_second, options.icmp_errors_burst),
      lent_(capabilities_.external_max),
      paths_(mac_word(host_.mac())),
      own_mac_(mac_word(host_.mac())),
      headers_bytes_(kPlainHeadersBytes +
                     (options.vlan != 0 && !capabilities_.vlan_insert ? std::uint32_t{wire::kVlanTagBytes} : 0)),
      plain_word1_(plain_word1()),
      joined_(capabilities_.rx_scatter ? kBurst * (capabilities_.mtu + wire::kEthernetBytes + wire::kVlanTagBytes) : 0),
      tx_(kTxQueue),
      news_cursor_(options.news == nullptr ? 0 : options.news->cores()),
      watch_at_(options.watch != nullptr ? Instant{} : Instant{INT64_MAX}) {
  for (const ip::HostAddress& own : host_.all()) {
    if (own.address.is_v4()) {
      own_v4_[own_v4_count_++] = own.address.v4_word();
    }
  }
  plain_wishes_ = {
      .vlan_tci = options.vlan,
      .l2_bytes = static_cast<std::uint8_t>(headers_bytes_ - wire::kIpv4Bytes - wire::kUdpBytes),
      .l3_bytes = wire::kIpv4Bytes,
      .insert_vlan = options.vlan != 0 && capabilities_.vlan_insert,
      .fill_ip_checksum = capabilities_.tx_ip_checksum,
  };
  MR_ASSERT(capabilities_.buffer_bytes >= capabilities_.mtu);  // a whole datagram can be copied into a packet
  MR_ASSERT(capabilities_.mtu >= ip::PathMtu::kV4Floor && options.vlan <= wire::kVlanIdMax);
}

std::size_t HostStack::poll(Instant now, std::span<Datagram> out) noexcept {
  if (answers_begin_ != answers_end_) {
    flush_answers(now);
  }
  buf::release_burst(std::span(rx_).first(rx_count_));
  reassembler_.release_whole();
  joined_used_ = 0;
  refusals_count_ = 0;
  // A frame makes one datagram at most, so what is taken always finds its place.
  rx_count_ = port_.rx_burst(now, std::span(rx_).first(std::min(kBurst, out.size())));
  counters_.frames_received += rx_count_;
  const std::uint64_t reassembled = counters_.datagrams_reassembled;
  std::size_t count = take_burst(now, out);
  if (MR_UNLIKELY(now >= watch_at_ && count > 0 && counters_.datagrams_reassembled == reassembled)) {
    watch_spread(now, out.first(count));  // fragments are spread in another way: without ports
  }
  if (options_.fragments != nullptr) {
    take_over(now, out, count);
  }
  if (options_.news != nullptr) {
    take_news(now);
  }
  run_timers(now);
  flush(now);
  if (rx_count_ == 0) {
    release_fresh();  // an idle host holds nothing
  }
  collect_released();
  return count;
}

MR_COLD void HostStack::watch_spread(Instant now, std::span<const Datagram> out) noexcept {
  watch_at_ = now + kWatchEvery;
  ++(options_.watch->note(options_.core, out.back().key()) ? counters_.queue_as_told : counters_.queue_not_as_told);
}

ip::NeighborCache::Reach HostStack::reach(Instant now, const wire::IpAddress& destination) noexcept {
  const auto next_hop = host_.next_hop(destination);
  return next_hop ? neighbors_.reach(now, *next_hop, host_.is_gateway(*next_hop)) : ip::NeighborCache::Reach::Nobody;
}

std::uint32_t HostStack::payload_bytes_max(Instant now, const wire::IpAddress& destination) const noexcept {
  return path_mtu_.of(now, destination) - ip::ip_header_bytes(destination.is_v4(), false) -
         static_cast<std::uint32_t>(wire::kUdpBytes);
}

}  // namespace millrace::stack
