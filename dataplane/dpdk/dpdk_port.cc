#include "dataplane/dpdk/dpdk_port.h"

#include <poll.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_prefetch.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

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

constexpr unsigned kIpBad = 4;
constexpr unsigned kIpGood = 7;
constexpr unsigned kL4Bad = 3;
constexpr unsigned kL4Good = 8;
static_assert(RTE_MBUF_F_RX_IP_CKSUM_BAD == 1U << kIpBad && RTE_MBUF_F_RX_IP_CKSUM_GOOD == 1U << kIpGood);
static_assert(RTE_MBUF_F_RX_L4_CKSUM_BAD == 1U << kL4Bad && RTE_MBUF_F_RX_L4_CKSUM_GOOD == 1U << kL4Good);

constexpr ChecksumState checksum_state(bool is_bad, bool is_good) {
  // Both at once: the checksum in the frame is not right and somebody vouches for the bytes (a virtual machine's host).
  return is_good ? ChecksumState::Good : is_bad ? ChecksumState::Bad : ChecksumState::Unknown;
}

/// What the four flag bits (L4 bad, IP bad, IP good, L4 good) say, as the two bytes of RxFacts.
constexpr auto kChecksumStates = [] {
  std::array<std::uint16_t, 16> table{};
  for (unsigned bits = 0; bits < table.size(); ++bits) {
    const auto ip = static_cast<unsigned>(checksum_state((bits & 2) != 0, (bits & 4) != 0));
    const auto l4 = static_cast<unsigned>(checksum_state((bits & 1) != 0, (bits & 8) != 0));
    table[bits] = static_cast<std::uint16_t>(ip | l4 << 8);
  }
  return table;
}();

/// RxFacts in two words, written at once: this is done for every frame. (An object of it, made field by field and then
/// copied, is read back in other pieces than it was written in, for which a processor waits.)
struct FactWords {
  std::uint64_t low;
  std::uint32_t high;

  FactWords(std::uint64_t flags, std::uint32_t rss_hash, std::uint16_t vlan_tci, std::uint16_t queue) noexcept
      : low(rss_hash | std::uint64_t{vlan_tci} << 32 | std::uint64_t{queue} << 48) {
    static_assert(RTE_MBUF_F_RX_RSS_HASH == 1U << 1 && RTE_MBUF_F_RX_VLAN_STRIPPED == 1U << 6);
    const auto bits = static_cast<std::uint32_t>(flags);
    const std::uint32_t checksums = kChecksumStates[(bits >> kL4Bad & 3) | (bits >> kIpGood & 3) << 2];
    high = checksums | (bits >> 1 & 1) << 16 | (bits >> 6 & 1) << 24;
  }
  void write(buf::RxFacts& facts) const noexcept {
    static_assert(sizeof(buf::RxFacts) == 12 && offsetof(buf::RxFacts, vlan_tci) == 4 &&
                  offsetof(buf::RxFacts, queue) == 6 && offsetof(buf::RxFacts, ip_checksum) == 8 &&
                  offsetof(buf::RxFacts, l4_checksum) == 9 && offsetof(buf::RxFacts, has_rss_hash) == 10 &&
                  offsetof(buf::RxFacts, has_vlan) == 11 && std::endian::native == std::endian::little);
    auto* bytes = reinterpret_cast<std::byte*>(&facts);
    std::memcpy(bytes, &low, sizeof low);
    std::memcpy(bytes + sizeof low, &high, sizeof high);
  }
};

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
  const std::uint16_t queue = wiring_.queue;
  std::uint64_t bytes = 0;
  for (std::uint16_t i = 0; i < count; ++i) {
    if (i + kPrefetchAhead < count) {
      rte_prefetch0(data_of(*got[i + kPrefetchAhead]));
    }
    // Everything is read before anything is written: the compiler cannot know that they are not the same memory.
    const rte_mbuf& mbuf = *got[i];
    const std::uint32_t frame_bytes = mbuf.pkt_len;
    const std::uint16_t first_bytes = mbuf.data_len;
    const std::uint16_t headroom = mbuf.data_off;
    // Only what no other mbuf shares is there to be written to.
    const bool is_whole =
        (mbuf.ol_flags & (RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT)) == 0 && rte_mbuf_refcnt_read(&mbuf) == 1;
    const auto tailroom = static_cast<std::uint16_t>(is_whole ? mbuf.buf_len - headroom - first_bytes : 0);
    const FactWords facts(mbuf.ol_flags, mbuf.hash.rss, mbuf.vlan_tci, queue);
    const std::span<std::byte> first(data_of(mbuf), first_bytes);
    MR_DCHECK(out[i].is_empty());
    // In place: an empty packet has nothing to give back.
    Packet* packet = std::construct_at(&out[i], *this, got[i], first, headroom, tailroom, frame_bytes - first_bytes);
    facts.write(packet->rx);
    bytes += frame_bytes;
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

/// The packet that is a chain, too short, or wants something of the device. False: nobody can send it.
MR_COLD bool DpdkPort::prepare_rare(Packet& packet, rte_mbuf& mbuf) noexcept {
  apply_wishes(packet.tx, mbuf);
  if (mbuf.nb_segs > wiring_.segments_max) {
    return false;
  }
  return packet.size() < kFrameBytesMin ? pad(packet, mbuf) : packet.size() <= frame_bytes_max_;
}

/// Writes into the mbuf what became of its packet. False: nobody can send it.
inline bool DpdkPort::prepare(Packet& packet, rte_mbuf& mbuf, bool& needs_driver) noexcept {
  const std::span<const std::byte> first = packet.first();
  const std::uint32_t size = packet.size();
  const buf::TxWishes& wishes = packet.tx;
  const bool is_wishing = static_cast<bool>(
      static_cast<unsigned>(wishes.insert_vlan) | static_cast<unsigned>(wishes.fill_ip_checksum) |
      static_cast<unsigned>(wishes.fill_udp_checksum) | static_cast<unsigned>(wishes.fill_tcp_checksum));
  const bool is_chain = mbuf.nb_segs > 1;
  const bool is_short = size < kFrameBytesMin;
  const auto offset = static_cast<std::uint16_t>(first.data() - static_cast<const std::byte*>(mbuf.buf_addr));
  mbuf.ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
  mbuf.data_off = offset;
  mbuf.data_len = static_cast<std::uint16_t>(first.size());
  mbuf.pkt_len = size;
  if (MR_UNLIKELY(is_wishing || is_chain || is_short)) {
    needs_driver = needs_driver || is_wishing || is_chain;
    return prepare_rare(packet, mbuf);
  }
  return size <= frame_bytes_max_;
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
      if (std::size_t{count} + kPrefetchAhead < rest.size()) {
        rte_prefetch0(rest[count + kPrefetchAhead].origin());
      }
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

DpdkPort::Bell DpdkPort::bell_of(int fd) noexcept {
  char path[32];
  (void)std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  char target[32];
  const ssize_t length = ::readlink(path, target, sizeof target);
  const std::string_view name(target, length > 0 ? static_cast<std::size_t>(length) : 0);
  return name == "anon_inode:[eventfd]" ? Bell::EventCounter : name.starts_with("/dev/") ? Bell::Device : Bell::Unknown;
}

int DpdkPort::arm_rx() noexcept {
  if (!wiring_.has_rx_interrupts || !gate_.passes()) {
    can_arm_ = true;  // the peer that comes may have what the one that went had not
    return -1;
  }
  if (!can_arm_) {
    return -1;
  }
  const int fd = rte_eth_dev_rx_intr_ctl_q_get_fd(wiring_.ethdev, wiring_.ethdev_queue);
  if (fd != bell_fd_) {
    bell_fd_ = fd;
    bell_ = fd < 0 ? Bell::Unknown : bell_of(fd);
  }
  can_arm_ = bell_ == Bell::Device ||
             (bell_ == Bell::EventCounter && rte_eth_dev_rx_intr_enable(wiring_.ethdev, wiring_.ethdev_queue) == 0);
  return can_arm_ ? fd : -1;
}

/// Takes what made the descriptor readable. While the device is being reset, or gone, there is nothing to take: the
/// gate says so, and does not shut before this worker has asked it.
void DpdkPort::disarm_rx() noexcept {
  if (bell_ != Bell::EventCounter || !gate_.passes()) {
    return;
  }
  (void)rte_eth_dev_rx_intr_disable(wiring_.ethdev, wiring_.ethdev_queue);
  pollfd counter{.fd = bell_fd_, .events = POLLIN, .revents = 0};
  if (::poll(&counter, 1, 0) > 0) {
    std::uint64_t count = 0;
    (void)!::read(bell_fd_, &count, sizeof count);
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
