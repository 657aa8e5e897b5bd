// One core's host on one link: frames from a port become UDP datagrams, datagrams become frames. ARP, neighbour
// discovery, ICMP and fragments are dealt with inside. The composition of wire, ip and udp; it adds order, buffers and
// counters.
//
// Thread: the port's core. Ownership: borrows the port, which outlives it. Bytes of datagrams are lent until the next
// poll(). Slices given to send() are the caller's again when send() returns Copied, else when take_released() tells the
// token. Nothing allocates after the constructor, nothing reads a clock: `now` is an argument.
// Every frame that goes no further is counted by its reason (wire/drops.def).
// TCP will be another branch of take_datagram() beside UDP and ICMP, with transmit_payload() for its segments.
// The verbs: fast_path.cc the plain datagram of a peer that is known, both ways; receive.cc frames up to IP,
// receive_icmp.cc ICMP and neighbour discovery, send.cc datagrams to frames, tx_queue.cc frames to the port, timers.cc
// what happens without a frame.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/time.h"
#include "dataplane/api/datagram.h"
#include "dataplane/api/tx.h"
#include "dataplane/ip/host_addresses.h"
#include "dataplane/ip/icmp_input.h"
#include "dataplane/ip/ndp_input.h"
#include "dataplane/ip/neighbor.h"
#include "dataplane/ip/output.h"
#include "dataplane/ip/path_mtu.h"
#include "dataplane/ip/reassembly.h"
#include "dataplane/ip/token_bucket.h"
#include "dataplane/port/frame_port.h"
#include "dataplane/stack/counters.h"
#include "dataplane/stack/fragment_exchange.h"
#include "dataplane/stack/lent_table.h"
#include "dataplane/stack/link_news.h"
#include "dataplane/stack/path_cache.h"
#include "dataplane/stack/spread_watch.h"
#include "dataplane/udp/port_table.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ipv4.h"
#include "dataplane/wire/udp.h"

namespace millrace::stack {

struct StackOptions {
  std::uint64_t seed = 0;  ///< secret: hash tables, identifications, timer jitter
  std::uint16_t vlan = 0;  ///< 802.1Q identifier of our frames; 0: untagged
  /// Slices from here on are attached to the frame where the port can; 0: all are copied.
  std::uint32_t zero_copy_bytes_min = 0;
  std::uint32_t echo_per_second = 1000;
  std::uint32_t echo_burst = 100;
  std::uint32_t icmp_errors_per_second = 100;
  std::uint32_t icmp_errors_burst = 20;
  ip::ReassemblyOptions reassembly{};
  /// Of a device with several queues: what its cores tell each other, and which of them this is. The first announces
  /// their addresses for all.
  LinkNews* news = nullptr;
  std::uint16_t core = 0;
  /// Of a device with several queues: where fragments go to the core that puts them together; null: each keeps its own.
  FragmentExchange* fragments = nullptr;
  /// Of a device with several queues that says how it spreads flows over queues; null: it does not.
  SpreadWatch* watch = nullptr;
};

/// A UDP datagram that came.
struct Datagram {
  dataplane::DatagramFlow flow{};  ///< as the worker is told it; its socket is what bind() returned
  bool was_summed = false;         ///< it came with a checksum
  std::uint16_t frame = 0;         ///< which of the poll's frames it came in
  std::uint16_t path = 0;          ///< of those with room: where the peer is in the stack's PathCache
  std::span<const std::byte> bytes{};
  std::span<std::byte> room{};  ///< behind it in its packet, for answer(); none of those that came the long way

  /// The same flow as in its headers: the source is the peer.
  [[nodiscard]] wire::FlowKey key() const noexcept {
    return {.source = {flow.peer},
            .destination = {flow.local},
            .source_port = flow.peer_port,
            .destination_port = flow.local_port};
  }
};

/// A UDP datagram to go.
struct OutDatagram {
  wire::FlowKey flow{};  ///< source: ours (unspecified: chosen by the route); destination: the peer
  std::span<const dataplane::Slice> slices{};
  std::uint64_t token = 0;  ///< told by take_released() when the slices were lent
  bool may_lend = true;     ///< false: the slices are copied whatever their size
};

/// A datagram of ours that found nobody: the peer's host has no such port, or no UDP.
struct Refusal {
  std::uint16_t socket = 0;  ///< what bind() returned for the port it came from
  wire::FlowKey flow{};      ///< as it was sent
};

enum class Sent : std::uint8_t {
  Copied,   ///< on its way (or waiting for a neighbour's address); the slices are the caller's again
  Lent,     ///< the same, but slices are still read: take_released() will tell the token
  Dropped,  ///< counted by its reason; the slices are the caller's again
};

/// Addresses and ports of an IPv4 datagram, as they lie in its headers.
struct PlainFlow {
  std::uint64_t addresses = 0;  ///< source, destination
  std::uint32_t ports = 0;      ///< the same

  [[nodiscard]] std::uint32_t destination() const noexcept { return static_cast<std::uint32_t>(addresses >> 32); }
};

class HostStack {
 public:
  /// Frames a poll takes at most.
  static constexpr std::size_t kBurst = 128;

  HostStack(port::FramePort& port, const ip::HostAddresses& addresses, const StackOptions& options);
  HostStack(const HostStack&) = delete;
  HostStack& operator=(const HostStack&) = delete;

  /// The number that datagrams to `port` carry; nothing: port 0, taken, or too many.
  std::optional<std::uint16_t> bind_udp(std::uint16_t port) noexcept { return udp_ports_.bind(port); }
  void unbind_udp(std::uint16_t port) noexcept { udp_ports_.unbind(port); }

  /// Takes in a burst, answers what the host itself answers, runs timers, sends. Fills `out` from the front.
  std::size_t poll(Instant now, std::span<Datagram> out) noexcept;
  /// Sends are gathered; flush() or the next poll() hands them to the port.
  Sent send(Instant now, const OutDatagram& datagram) noexcept;
  /// The same with the first `bytes` of the room of a datagram of the last poll() as the answer to it: it leaves in its
  /// packet, so that is done once. Without a checksum if the question had none.
  Sent answer(Instant now, const Datagram& question, std::uint32_t bytes) noexcept;
  void flush(Instant now) noexcept;
  /// A token whose slices are no longer read. Call until false.
  [[nodiscard]] bool take_released(std::uint64_t& token) noexcept { return lent_.take_told(token); }

  /// What the last poll() heard of datagrams that found nobody. Some may be missing: it is a hint from the network.
  [[nodiscard]] std::span<const Refusal> refusals() const noexcept { return {refusals_.data(), refusals_count_}; }

  [[nodiscard]] const StackCounters& counters() const noexcept { return counters_; }
  [[nodiscard]] const ip::NeighborCache& neighbors() const noexcept { return neighbors_; }
  [[nodiscard]] const ip::HostAddresses& addresses() const noexcept { return host_; }
  /// Frames that the port did not take yet: the next poll() offers them again.
  [[nodiscard]] bool has_unsent() const noexcept { return tx_begin_ != tx_end_ || answers_begin_ != answers_end_; }
  /// Whether a datagram to `destination` would leave at once; if not, its next hop is asked for from here on.
  [[nodiscard]] ip::NeighborCache::Reach reach(Instant now, const wire::IpAddress& destination) noexcept;
  /// Of a path: what a UDP payload may have to go in one frame.
  [[nodiscard]] std::uint32_t payload_bytes_max(Instant now, const wire::IpAddress& destination) const noexcept;

 private:
  static constexpr std::size_t kTxQueue = 256;
  static constexpr std::size_t kAllocBurst = 32;
  static constexpr std::size_t kRefusalsMax = 16;
  static constexpr std::uint32_t kPlainHeadersBytes = wire::kEthernetBytes + wire::kIpv4Bytes + wire::kUdpBytes;
  static constexpr std::size_t kTakeOverMax = 32;  ///< fragments of other cores in a turn

  /// What the layers above want sent as one IP datagram's payload: their header and the caller's slices.
  struct Payload {
    ip::OutHeader ip{};
    wire::Bytes header{};
    std::span<const dataplane::Slice> slices{};
    std::uint32_t bytes = 0;  ///< both
    std::optional<std::uint32_t> lent{};
    bool device_sums_udp = false;
  };

  // fast_path.cc
  [[nodiscard]] std::size_t take_burst(Instant now, std::span<Datagram> out) noexcept;
  [[nodiscard]] bool take_plain(Instant now, const buf::Packet& packet, Datagram& out) noexcept;
  template <bool kSums>
  Sent answer_as(Instant now, const Datagram& question, std::uint32_t bytes) noexcept;
  Sent enqueue_answer(Instant now, std::size_t frame, std::uint32_t bytes) noexcept;
  Sent answer_long_way(Instant now, const Datagram& question, std::uint32_t bytes) noexcept;
  [[nodiscard]] bool send_plain(Instant now, const OutDatagram& datagram, std::uint32_t payload_bytes) noexcept;
  /// What send_plain() and answer() ask of their peer's path: that datagrams of so many bytes go through it at once.
  [[nodiscard]] bool is_open(const Path& path, Instant now, std::size_t ip_bytes) const noexcept {
    return now < path.usable_until && path.epoch == epoch() && ip_bytes <= path.mtu;
  }
  /// Almost always it is the first.
  [[nodiscard]] bool is_own_v4(std::uint32_t word) const noexcept {
    return MR_LIKELY(own_v4_[0] == word) ? own_v4_count_ > 0 : is_other_own_v4(word);
  }
  [[nodiscard]] MR_COLD bool is_other_own_v4(std::uint32_t word) const noexcept;
  [[nodiscard]] std::uint64_t plain_word1() const noexcept;
  void write_headers(buf::Packet& packet, const Path& path, const PlainFlow& flow, std::uint32_t udp_bytes,
                     std::uint16_t udp_sum) const noexcept;
  [[nodiscard]] std::uint32_t epoch() const noexcept { return neighbors_.epoch() + path_mtu_.epoch(); }

  // receive.cc
  void take_frame(Instant now, buf::Packet& packet, std::span<Datagram> out, std::size_t& count) noexcept;
  [[nodiscard]] wire::Bytes whole_frame(const buf::Packet& packet) noexcept;
  [[nodiscard]] bool strip_vlan(const buf::Packet& packet, wire::EthernetHeader& ethernet,
                                wire::Bytes& bytes) const noexcept;
  void take_arp(Instant now, wire::Bytes bytes) noexcept;
  void take_ip(Instant now, ip::Arrived arrived, const buf::RxFacts& facts, const wire::EthernetHeader& ethernet,
               std::span<Datagram> out, std::size_t& count) noexcept;
  /// What is left of a datagram when it is whole: UDP or ICMP.
  void take_whole(Instant now, const ip::Arrived& arrived, buf::ChecksumState l4_checksum,
                  const wire::EthernetHeader& ethernet, std::span<Datagram> out, std::size_t& count) noexcept;
  void take_fragment(Instant now, ip::Arrived arrived, const wire::EthernetHeader& ethernet, std::span<Datagram> out,
                     std::size_t& count) noexcept;
  [[nodiscard]] bool hand_over(const ip::Arrived& arrived, const wire::MacAddress& from) noexcept;
  /// Fragments that other cores got, and that are this one's.
  void take_over(Instant now, std::span<Datagram> out, std::size_t& count) noexcept;
  [[nodiscard]] wire::Drop reassemble(Instant now, ip::Arrived& arrived) noexcept;
  void take_udp(Instant now, const ip::Arrived& arrived, buf::ChecksumState checksum,
                const wire::EthernetHeader& ethernet, std::span<Datagram> out, std::size_t& count) noexcept;
  /// `out`: what this poll() has taken in from frames of its own.
  void watch_spread(Instant now, std::span<const Datagram> out) noexcept;
  void watch_gateway(Instant now, const wire::IpAddress& source, const wire::MacAddress& mac) noexcept;

  // receive_icmp.cc
  [[nodiscard]] wire::Drop take_icmp(Instant now, const ip::Arrived& arrived,
                                     const wire::EthernetHeader& ethernet) noexcept;
  [[nodiscard]] wire::Drop take_icmp_message(Instant now, const ip::Arrived& arrived,
                                             const ip::IcmpArrived& message) noexcept;
  [[nodiscard]] wire::Drop answer_echo(Instant now, const ip::Arrived& arrived,
                                       const ip::IcmpArrived& message) noexcept;
  void refuse_port(Instant now, const ip::Arrived& arrived) noexcept;
  bool send_icmp(Instant now, const wire::IpAddress& source, const wire::IpAddress& destination, std::uint8_t type,
                 std::uint8_t code, std::uint32_t rest, wire::Bytes body) noexcept;

  // send.cc
  [[nodiscard]] bool lends(const OutDatagram& datagram) const noexcept {
    return lend_bytes_min_ > 0 && datagram.may_lend &&
           std::ranges::any_of(datagram.slices,
                               [this](const dataplane::Slice& slice) { return slice.size >= lend_bytes_min_; });
  }
  /// Cuts the payload for its path and sends the pieces; false: dropped, and counted.
  [[nodiscard]] bool transmit_payload(Instant now, const Payload& payload) noexcept;
  [[nodiscard]] bool fill_packet(Instant now, buf::Packet& packet, const Payload& payload,
                                 const ip::FragmentRange& range) noexcept;
  [[nodiscard]] bool attach_from(buf::Packet& packet, const Payload& payload, const ip::FragmentRange& range) noexcept;
  [[nodiscard]] bool transmit_ip(Instant now, const wire::IpAddress& next_hop, buf::Packet& packet,
                                 ip::NeighborCache::Resolution& resolution) noexcept;
  /// This and what is below: false: it was dropped, and counted.
  bool transmit_frame(Instant now, buf::Packet& packet, const wire::MacAddress& to, std::uint16_t type) noexcept;
  bool send_arp(Instant now, const wire::ArpPacket& arp, const wire::MacAddress& to) noexcept;
  bool send_neighbor(Instant now, const ip::NeighborReply& reply) noexcept;

  // tx_queue.cc
  [[nodiscard]] bool alloc(Instant now, buf::Packet& packet) noexcept;
  /// Whether tx_[tx_end_] is a fresh packet to write into; then ++tx_end_ queues it.
  [[nodiscard]] bool has_fresh(Instant now) noexcept { return MR_LIKELY(tx_end_ < tx_ready_) || make_fresh(now); }
  bool make_fresh(Instant now) noexcept;
  bool enqueue(Instant now, buf::Packet& packet) noexcept;
  /// An answer leaves from the packet its question came in. Almost always the questions of a burst are answered in
  /// order, and then none of them is moved; nor is any put before what the port did not take.
  [[nodiscard]] bool joins_answers(std::size_t frame) noexcept {
    if (answers_begin_ == answers_end_) {
      answers_begin_ = answers_end_ = frame;
    }
    if (MR_UNLIKELY(frame != answers_end_ || tx_begin_ != tx_end_)) {
      return false;
    }
    ++answers_end_;
    return true;
  }
  void flush_answers(Instant now) noexcept;
  void make_room(Instant now) noexcept;
  void release_fresh() noexcept;

  // timers.cc
  void tell_news(const std::optional<ip::Heard>& heard) noexcept;
  void take_news(Instant now) noexcept;
  void run_timers(Instant now) noexcept;
  void ask_neighbors(Instant now) noexcept;
  void announce(Instant now) noexcept;
  void collect_released() noexcept;

  port::FramePort& port_;
  const port::PortCapabilities capabilities_;
  const StackOptions options_;
  const std::uint32_t lend_bytes_min_;  ///< 0: never
  ip::HostAddresses host_;
  StackCounters counters_;
  udp::PortTable udp_ports_;
  ip::NeighborCache neighbors_;
  ip::PathMtu path_mtu_;
  ip::Identifications identifications_;
  ip::Reassembler reassembler_;
  ip::TokenBucket echo_limit_;
  ip::TokenBucket error_limit_;
  LentTable lent_;
  PathCache paths_;
  std::array<std::uint32_t, ip::HostAddresses::kAddressesMax> own_v4_{};  ///< our addresses, as in a header
  std::size_t own_v4_count_ = 0;
  buf::TxWishes plain_wishes_{};  ///< of an IPv4 datagram, but for its UDP checksum
  const std::uint64_t own_mac_;   ///< mac_word()
  const std::uint32_t
      headers_bytes_;                ///< of an IPv4 datagram as we write it: with the tag unless the device inserts it
  const std::uint64_t plain_word1_;  ///< bytes 8 to 15 of a frame with such a datagram

  std::array<buf::Packet, kBurst> rx_{};
  std::size_t rx_count_ = 0;
  /// Of rx_, [begin, end): answers, to be sent from where they are.
  std::size_t answers_begin_ = 0;
  std::size_t answers_end_ = 0;
  std::vector<std::byte> joined_;  ///< frames that came in several segments, joined until the next poll()
  std::size_t joined_used_ = 0;
  /// [begin, end): to be sent. [end, ready): fresh, to be written to.
  std::vector<buf::Packet> tx_;
  std::size_t tx_begin_ = 0;
  std::size_t tx_end_ = 0;
  std::size_t tx_ready_ = 0;

  std::uint64_t news_seen_ = 0;
  LinkNews::Cursor news_cursor_;

  std::array<Refusal, kRefusalsMax> refusals_{};
  std::size_t refusals_count_ = 0;

  port::LinkState link_ = port::LinkState::Down;
  std::uint32_t announcements_left_ = 0;
  Instant announce_at_{};
  Instant watch_at_{};  ///< when a datagram's queue is looked at next; never without a watch
};

}  // namespace millrace::stack
