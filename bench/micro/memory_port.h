// A port that is memory and does nothing, and the frames a peer puts on it: for benchmarks of what is above a port.
// One thread. Owns its buffers.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "dataplane/ip/output.h"
#include "dataplane/port/frame_port.h"
#include "dataplane/udp/output.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"

namespace millrace::bench {

inline constexpr std::size_t kBurst = 64;
inline constexpr std::uint16_t kServed = 11211;
inline constexpr wire::MacAddress kOurMac = {2, 0, 0, 0, 0, 1};
inline constexpr wire::MacAddress kPeerMac = {2, 0, 0, 0, 0, 2};
inline const wire::IpAddress kOurs = wire::IpAddress::v4(0x0a00'0001);

inline wire::IpAddress peer_of(std::uint32_t n) { return wire::IpAddress::v4(0x0a00'0100 + n); }

/// Hands out frames that are there already, and lets those to be sent vanish.
class MemoryPort final : public port::FramePort {
 public:
  explicit MemoryPort(bool sums)
      : capabilities_{.mac = kOurMac, .headroom_bytes = kHeadroom, .buffer_bytes = kBufferBytes - kHeadroom},
        sent_(kBurst * 4, std::vector<std::byte>(kBufferBytes)) {
    capabilities_.rx_ip_checksum = capabilities_.rx_l4_checksum = sums;
    capabilities_.tx_ip_checksum = capabilities_.tx_udp_checksum = sums;
    for (auto& buffer : sent_) {
      free_.push_back(buffer.data());
    }
  }

  /// A frame that comes each time round.
  void add(std::vector<std::byte> frame) { frames_.push_back(std::move(frame)); }
  void clear() {
    frames_.clear();
    next_ = 0;
  }
  std::uint64_t bytes_sent = 0;

  std::size_t rx_burst(Instant, std::span<buf::Packet> out) noexcept override {
    const std::size_t count = std::min({out.size(), frames_.size(), kBurst});
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<std::byte>& frame = frames_[next_];
      next_ = next_ + 1 == frames_.size() ? 0 : next_ + 1;
      // Each comes in a buffer of its own, as from a ring.
      std::byte* buffer = take_buffer();
      std::memcpy(buffer + kHeadroom, frame.data(), frame.size());
      out[i] = buf::Packet(*this, buffer, {buffer + kHeadroom, frame.size()}, kHeadroom,
                           static_cast<std::uint16_t>(kBufferBytes - kHeadroom - frame.size()));
      if (capabilities_.rx_l4_checksum) {
        out[i].rx.ip_checksum = out[i].rx.l4_checksum = buf::ChecksumState::Good;
      }
    }
    return count;
  }
  std::size_t tx_burst(Instant, std::span<buf::Packet> packets) noexcept override {
    for (buf::Packet& packet : packets) {
      bytes_sent += packet.size();
      free_.push_back(static_cast<std::byte*>(packet.detach()));
    }
    return packets.size();
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override {
    for (buf::Packet& packet : out) {
      std::byte* buffer = take_buffer();
      packet = buf::Packet(*this, buffer, {buffer + kHeadroom, std::size_t{0}}, kHeadroom, kBufferBytes - kHeadroom);
    }
    return out.size();
  }
  Status attach(buf::Packet&, std::span<const std::byte>, std::uint64_t) noexcept override {
    return Status::Unsupported;
  }
  std::size_t take_released(std::span<std::uint64_t>) noexcept override { return 0; }
  port::LinkState link() const noexcept override { return port::LinkState::Up; }
  const port::PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  const port::PortCounters& counters() const noexcept override { return counters_; }
  void release(std::span<void* const> origins) noexcept override {
    for (void* origin : origins) {
      free_.push_back(static_cast<std::byte*>(origin));
    }
  }
  buf::SegmentView next_segment(void*) const noexcept override { return {}; }

 private:
  static constexpr std::uint16_t kBufferBytes = 2048;
  static constexpr std::uint16_t kHeadroom = 128;

  std::byte* take_buffer() noexcept {
    MR_ASSERT(!free_.empty());
    std::byte* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }

  port::PortCapabilities capabilities_;
  port::PortCounters counters_;
  std::vector<std::vector<std::byte>> frames_;
  std::size_t next_ = 0;
  std::vector<std::vector<std::byte>> sent_;
  std::vector<std::byte*> free_;
};

inline std::vector<std::byte> question_from(const wire::IpAddress& peer, std::uint16_t port, std::string_view question,
                                            bool is_summed) {
  std::vector<std::byte> frame(wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes + question.size());
  wire::write_ethernet(frame.data(), {.destination = kOurMac, .source = kPeerMac, .type = wire::kEtherTypeIpv4});
  std::byte* at = frame.data() + wire::kEthernetBytes;
  wire::write_ipv4(at, {.protocol = wire::kProtocolUdp,
                        .dont_fragment = true,
                        .total_bytes = static_cast<std::uint16_t>(frame.size() - wire::kEthernetBytes),
                        .source = peer,
                        .destination = kOurs});
  wire::fill_ipv4_checksum(at);
  const dataplane::Slice slice{question.data(), static_cast<std::uint32_t>(question.size())};
  udp::write_udp_for(at + wire::kIpv4Bytes,
                     {.source = peer, .destination = kOurs, .source_port = port, .destination_port = kServed},
                     static_cast<std::uint16_t>(wire::kUdpBytes + question.size()), {&slice, 1}, false);
  if (!is_summed) {
    wire::store_be16(at + wire::kIpv4Bytes + 6, 0);
  }
  std::memcpy(at + wire::kIpv4Bytes + wire::kUdpBytes, question.data(), question.size());
  return frame;
}

/// ARP from the peer: from a request the stack learns its address, with a reply it believes it.
inline std::vector<std::byte> arp_from(const wire::IpAddress& peer, wire::ArpOperation operation) {
  std::vector<std::byte> frame(wire::kFrameBytesMin);
  wire::write_ethernet(frame.data(), {.destination = kOurMac, .source = kPeerMac, .type = wire::kEtherTypeArp});
  wire::write_arp(
      frame.data() + wire::kEthernetBytes,
      {.operation = operation, .sender_mac = kPeerMac, .sender_ip = peer, .target_mac = kOurMac, .target_ip = kOurs});
  return frame;
}

}  // namespace millrace::bench
