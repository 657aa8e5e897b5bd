#include "dataplane/dpdk/dpdk_port.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace millrace::dpdk {
namespace {

using buf::ChecksumState;
using buf::Packet;

constexpr std::uint16_t kFrameHeadersMax = 18;  // Ethernet and one tag
constexpr std::uint16_t kFrameBytesMin = 60;    // without the frame check sequence
constexpr std::uint16_t kLentBytesMax = 65'535;
constexpr std::uint16_t kPrefetchAhead = 4;

rte_mbuf* mbuf_of(const Packet& packet) noexcept { return static_cast<rte_mbuf*>(packet.origin()); }

std::byte* data_of(const rte_mbuf& mbuf) noexcept { return static_cast<std::byte*>(mbuf.buf_addr) + mbuf.data_off; }

/// From "bad" and "good" bits, of which both together say that someone other than the checksum vouches for it.
ChecksumState checksum_state(std::uint64_t flags, unsigned bad_bit, unsigned good_bit) noexcept {
  constexpr unsigned kStates =
      static_cast<unsigned>(ChecksumState::Unknown) | static_cast<unsigned>(ChecksumState::Bad) << 2 |
      static_cast<unsigned>(ChecksumState::Good) << 4 | static_cast<unsigned>(ChecksumState::Good) << 6;
  const auto index = static_cast<unsigned>((flags >> bad_bit & 1) | (flags >> good_bit & 1) << 1);
  return static_cast<ChecksumState>(kStates >> (2 * index) & 3);
}
static_assert(RTE_MBUF_F_RX_IP_CKSUM_BAD == 1U << 4 && RTE_MBUF_F_RX_IP_CKSUM_GOOD == 1U << 7);
static_assert(RTE_MBUF_F_RX_L4_CKSUM_BAD == 1U << 3 && RTE_MBUF_F_RX_L4_CKSUM_GOOD == 1U << 8);

void describe(const rte_mbuf& mbuf, buf::RxFacts& facts, std::uint16_t queue) noexcept {
  const std::uint64_t flags = mbuf.ol_flags;
  facts.queue = queue;
  facts.rss_hash = mbuf.hash.rss;
  facts.vlan_tci = mbuf.vlan_tci;
  facts.has_rss_hash = (flags & RTE_MBUF_F_RX_RSS_HASH) != 0;
  facts.has_vlan = (flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0;
  facts.ip_checksum = checksum_state(flags, 4, 7);
  facts.l4_checksum = checksum_state(flags, 3, 8);
}

}  // namespace

DpdkPort::DpdkPort(const DpdkPortWiring& wiring)
    : wiring_(wiring),
      frame_bytes_max_(std::uint32_t{wiring.capabilities.mtu} + kFrameHeadersMax),
      external_(wiring.capabilities.external_max) {}

std::size_t DpdkPort::rx_burst(Instant, std::span<Packet> out) noexcept {
  if (MR_UNLIKELY(!gate_.passes())) {
    return 0;
  }
  rte_mbuf* got[kBurst];
  const auto wanted = static_cast<std::uint16_t>(std::min<std::size_t>(out.size(), kBurst));
  const std::uint16_t count = rte_eth_rx_burst(wiring_.ethdev, wiring_.ethdev_queue, got, wanted);
  for (std::uint16_t i = 0; i < std::min(count, kPrefetchAhead); ++i) {
    rte_prefetch0(data_of(*got[i]));
  }
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      rte_prefetch0(data_of(*got[i + kPrefetchAhead]));
    }
    const rte_mbuf& mbuf = *got[i];
    MR_DCHECK(out[i].is_empty());
    // In place: an empty packet has nothing to give back.
    Packet* packet = std::construct_at(
        &out[i], *this, got[i], std::span<std::byte>(data_of(mbuf), mbuf.data_len), mbuf.data_off,
        static_cast<std::uint16_t>(mbuf.buf_len - mbuf.data_off - mbuf.data_len), mbuf.pkt_len - mbuf.data_len);
    describe(mbuf, packet->rx, wiring_.queue);
    bytes += mbuf.pkt_len;
  }
  counters_.rx_frames += count;
  counters_.rx_bytes += bytes;
  return count;
}

void DpdkPort::apply_wishes(const buf::TxWishes& wishes, rte_mbuf& mbuf) const noexcept {
  if (wishes.insert_vlan) {
    mbuf.ol_flags |= RTE_MBUF_F_TX_VLAN;
    mbuf.vlan_tci = wishes.vlan_tci;
  }
  if (wishes.fill_ip_checksum || wishes.fill_udp_checksum || wishes.fill_tcp_checksum) {
    mbuf.ol_flags |= (wishes.is_ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
                     (wishes.fill_ip_checksum ? RTE_MBUF_F_TX_IP_CKSUM : 0) |
                     (wishes.fill_udp_checksum ? RTE_MBUF_F_TX_UDP_CKSUM : 0) |
                     (wishes.fill_tcp_checksum ? RTE_MBUF_F_TX_TCP_CKSUM : 0);
    mbuf.tx_offload = rte_mbuf_tx_offload(wishes.l2_bytes, wishes.l3_bytes, 0, 0, 0, 0, 0);
  }
}

/// Zeros behind a frame that is too short for Ethernet. A short chain is copied together first, and the packet is then
/// what is left of it: the device may refuse it now and be offered it again.
bool DpdkPort::pad(Packet& packet, rte_mbuf& mbuf) noexcept {
  if (mbuf.nb_segs > 1) {
    if (rte_pktmbuf_linearize(&mbuf) != 0) {
      return false;
    }
    const buf::TxWishes wishes = packet.tx;
    (void)packet.detach();
    packet = Packet(*this, &mbuf, {data_of(mbuf), mbuf.data_len}, mbuf.data_off,
                    static_cast<std::uint16_t>(mbuf.buf_len - mbuf.data_off - mbuf.data_len));
    packet.tx = wishes;
  }
  const std::uint32_t missing = kFrameBytesMin - mbuf.pkt_len;
  if (missing > packet.tailroom()) {
    return false;
  }
  std::memset(data_of(mbuf) + mbuf.data_len, 0, missing);
  mbuf.data_len = static_cast<std::uint16_t>(mbuf.data_len + missing);
  mbuf.pkt_len += missing;
  return true;
}

/// Writes into the mbuf what became of its packet. False: nobody can send it.
bool DpdkPort::prepare(Packet& packet, rte_mbuf& mbuf, bool& needs_driver) noexcept {
  const std::span<const std::byte> first = packet.first();
  mbuf.data_off = static_cast<std::uint16_t>(first.data() - static_cast<const std::byte*>(mbuf.buf_addr));
  mbuf.data_len = static_cast<std::uint16_t>(first.size());
  mbuf.pkt_len = packet.size();
  mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
  const buf::TxWishes& wishes = packet.tx;
  const bool wishes_anything =
      static_cast<unsigned>(wishes.insert_vlan) | static_cast<unsigned>(wishes.fill_ip_checksum) |
      static_cast<unsigned>(wishes.fill_udp_checksum) | static_cast<unsigned>(wishes.fill_tcp_checksum);
  if (wishes_anything) {
    apply_wishes(wishes, mbuf);
    needs_driver = true;
  }
  if (MR_UNLIKELY(mbuf.nb_segs > 1)) {
    needs_driver = true;
    if (mbuf.nb_segs > wiring_.segments_max) {
      return false;
    }
  }
  if (MR_UNLIKELY(packet.size() < kFrameBytesMin)) {
    return pad(packet, mbuf);
  }
  return packet.size() <= frame_bytes_max_;
}

void DpdkPort::drop(Packet& packet) noexcept {
  packet = Packet{};
  ++unsendable_;
}

std::size_t DpdkPort::tx_burst(Instant, std::span<Packet> packets) noexcept {
  if (MR_UNLIKELY(!gate_.passes())) {
    counters_.tx_refused += packets.size();
    return 0;
  }
  if (packets.empty()) {
    collect_sent();
    return 0;
  }
  std::size_t taken = 0;
  std::uint64_t dropped = 0;
  while (taken < packets.size()) {
    rte_mbuf* batch[kBurst];
    std::uint16_t count = 0;
    bool needs_driver = false;
    bool is_sendable = true;
    for (std::span<Packet> rest = packets.subspan(taken); count < kBurst && count < rest.size(); ++count) {
      MR_DCHECK(rest[count].owner() == this);
      batch[count] = mbuf_of(rest[count]);
      is_sendable = prepare(rest[count], *batch[count], needs_driver);
      if (MR_UNLIKELY(!is_sendable)) {
        break;
      }
    }
    std::uint16_t offered = count;
    if (needs_driver) {
      // Checksums and chains are asked for in each driver's own way; it may find that it cannot.
      offered = rte_eth_tx_prepare(wiring_.ethdev, wiring_.ethdev_queue, batch, count);
      is_sendable = is_sendable && offered == count;
    }
    const std::uint16_t sent =
        offered > 0 ? rte_eth_tx_burst(wiring_.ethdev, wiring_.ethdev_queue, batch, offered) : std::uint16_t{0};
    for (std::uint16_t i = 0; i < sent; ++i) {
      counters_.tx_bytes += packets[taken + i].size();
      (void)packets[taken + i].detach();
    }
    taken += sent;
    if (sent < offered) {
      break;
    }
    if (MR_UNLIKELY(!is_sendable)) {
      drop(packets[taken++]);
      ++dropped;
    }
  }
  counters_.tx_frames += taken - dropped;
  counters_.tx_refused += packets.size() - taken;
  return taken;
}

/// A device gives back what it has sent when it gets more; when there is no more, it has to be asked.
void DpdkPort::collect_sent() noexcept {
  if (external_.lent() > 0 && can_collect_) {
    can_collect_ = rte_eth_tx_done_cleanup(wiring_.ethdev, wiring_.ethdev_queue, 0) != -ENOTSUP;
  }
}

std::size_t DpdkPort::alloc(std::span<Packet> out) noexcept {
  std::size_t done = 0;
  bool is_dry = false;
  while (done < out.size() && !is_dry) {
    void* got[kBurst];
    auto count = static_cast<unsigned>(std::min<std::size_t>(out.size() - done, kBurst));
    if (MR_UNLIKELY(rte_mempool_get_bulk(wiring_.pool, got, count) != 0)) {
      // Fewer than that are left: one by one.
      is_dry = true;
      const unsigned wanted = count;
      for (count = 0; count < wanted && rte_mempool_get(wiring_.pool, &got[count]) == 0;) {
        ++count;
      }
    }
    for (unsigned i = 0; i < count; ++i) {
      // As it lies in the pool, an mbuf is one segment with nothing behind it; lengths are written when it is sent.
      auto* mbuf = static_cast<rte_mbuf*>(got[i]);
      MR_DCHECK(out[done + i].is_empty());
      std::construct_at(
          &out[done + i], *this, mbuf,
          std::span<std::byte>(static_cast<std::byte*>(mbuf->buf_addr) + RTE_PKTMBUF_HEADROOM, std::size_t{0}),
          std::uint16_t{RTE_PKTMBUF_HEADROOM}, static_cast<std::uint16_t>(mbuf->buf_len - RTE_PKTMBUF_HEADROOM));
    }
    done += count;
  }
  counters_.alloc_failed += out.size() - done;
  return done;
}

Status DpdkPort::attach(Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept {
  if (wiring_.external_pool == nullptr) {
    return Status::Unsupported;
  }
  MR_ASSERT(packet.owner() == this && !bytes.empty() && bytes.size() <= kLentBytesMax);
  ExternalSlot* slot = external_.take(token);
  void* object = nullptr;
  if (slot == nullptr || rte_mempool_get(wiring_.external_pool, &object) != 0) {
    if (slot != nullptr) {
      external_.put_back(slot);
    }
    ++counters_.alloc_failed;
    return Status::Exhausted;
  }
  auto* piece = static_cast<rte_mbuf*>(object);
  void* start = const_cast<std::byte*>(bytes.data());  // devices only read it
  const auto size = static_cast<std::uint16_t>(bytes.size());
  piece->ol_flags = 0;
  rte_pktmbuf_attach_extbuf(piece, start, reinterpret_cast<rte_iova_t>(start), size, &slot->info);
  piece->data_len = size;
  piece->pkt_len = size;
  rte_mbuf* first = mbuf_of(packet);
  rte_mbuf* last = first;
  while (last->next != nullptr) {
    last = last->next;
  }
  last->next = piece;
  ++first->nb_segs;
  packet.grow_rest(size);
  return Status::Ok;
}

void DpdkPort::release(std::span<void* const> origins) noexcept {
  // The array is only read.
  rte_pktmbuf_free_bulk(reinterpret_cast<rte_mbuf**>(const_cast<void**>(origins.data())),
                        static_cast<unsigned>(origins.size()));
}

buf::SegmentView DpdkPort::next_segment(void* origin) const noexcept {
  rte_mbuf* mbuf = static_cast<rte_mbuf*>(origin)->next;
  return mbuf == nullptr ? buf::SegmentView{}
                         : buf::SegmentView{.data = data_of(*mbuf), .size = mbuf->data_len, .origin = mbuf};
}

const port::PortCounters& DpdkPort::counters() const noexcept {
  counters_.rx_missed = device_missed_.load(std::memory_order_relaxed);
  counters_.rx_errors = device_rx_errors_.load(std::memory_order_relaxed);
  counters_.tx_errors = unsendable_ + device_tx_errors_.load(std::memory_order_relaxed);
  return counters_;
}

}  // namespace millrace::dpdk
