#include "dataplane/stack/host_stack.h"

#include <algorithm>

#include "base/assert.h"
#include "dataplane/wire/udp.h"
#include "dataplane/wire/vlan.h"

namespace millrace::stack {

HostStack::HostStack(port::FramePort& port, const ip::HostAddresses& addresses, const StackOptions& options)
    : port_(port),
      capabilities_(port.capabilities()),
      options_(options),
      host_(addresses),
      neighbors_(options.seed ^ 0x6e65'6967),
      path_mtu_(capabilities_.mtu, options.seed ^ 0x7061'7468),
      identifications_(options.seed ^ 0x6964'656e),
      reassembler_(options.reassembly),
      echo_limit_(options.echo_per_second, options.echo_burst),
      error_limit_(options.icmp_errors_per_second, options.icmp_errors_burst),
      lent_(capabilities_.external_max),
      joined_(capabilities_.rx_scatter ? kBurst * (capabilities_.mtu + wire::kEthernetBytes + wire::kVlanTagBytes) : 0),
      tx_(kTxQueue) {
  MR_ASSERT(capabilities_.buffer_bytes >= capabilities_.mtu);  // a whole datagram can be copied into a packet
  MR_ASSERT(capabilities_.mtu >= ip::PathMtu::kV4Floor && options.vlan <= wire::kVlanIdMax);
}

std::size_t HostStack::poll(Instant now, std::span<Datagram> out) noexcept {
  buf::release_burst(std::span(rx_).first(rx_count_));
  reassembler_.release_whole();
  joined_used_ = 0;
  refusals_count_ = 0;
  // A frame makes one datagram at most, so what is taken always finds its place.
  rx_count_ = port_.rx_burst(now, std::span(rx_).first(std::min(kBurst, out.size())));
  counters_.frames_received += rx_count_;
  std::size_t count = 0;
  for (std::size_t i = 0; i < rx_count_; ++i) {
    if (i + 2 < rx_count_) {
      prefetch(rx_[i + 2].first().data());
    }
    take_frame(now, rx_[i], out, count);
  }
  run_timers(now);
  flush(now);
  collect_released();
  return count;
}

std::uint32_t HostStack::payload_bytes_max(Instant now, const wire::IpAddress& destination) const noexcept {
  return path_mtu_.of(now, destination) - ip::ip_header_bytes(destination.is_v4(), false) -
         static_cast<std::uint32_t>(wire::kUdpBytes);
}

}  // namespace millrace::stack
