// One frame in memory, owned: a view of its bytes with room before and behind, what the receiver was told about it,
// what the sender has to do for it. The only thing that travels between a port and the protocols above.
//
// Thread: the core that owns the port it came from. Ownership: move-only; whoever holds a Packet that is not empty owns
// the memory behind it and gives it back by sending it, by release_burst() or by destroying it.
// Invariants: 1. A packet is empty or has an owner. 2. headroom() + first().size() + tailroom() never grows. 3. Bytes
// beyond the first segment belong to the owner's own chain: they are read by for_each_segment() and not moved.
// Why by value and not a pointer to a header beside the buffer: a port fills a hot array of these, 64 bytes each, from
// what its driver just read; wrapping a driver's own buffer (an rte_mbuf, say, as `origin`) writes no other memory,
// allocates nothing and copies nothing.
//
//         headroom          first segment                tailroom          the owner's chain, if any
//      |------------|==============================|-----------------|   ->  |=======| -> |====|
//                    ^ first().data()                                          rest_bytes() in all
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "base/assert.h"
#include "base/attributes.h"

namespace millrace::buf {

class Packet;

/// One piece of a packet as its owner describes it. `origin` names it there; null: there is no such piece.
struct SegmentView {
  std::byte* data = nullptr;
  std::uint32_t size = 0;
  void* origin = nullptr;
};

/// Where packets come from and go back to: a port, or the pool of one. Outlives all its packets.
class PacketOwner {
 public:
  /// Takes back whole packets (each `origin` with everything chained to it). Bursts where the caller can.
  virtual void release(std::span<void* const> origins) noexcept = 0;
  /// What follows the segment `origin`. Asked only of packets with rest_bytes() > 0.
  [[nodiscard]] virtual SegmentView next_segment(void* origin) const noexcept = 0;

 protected:
  PacketOwner() = default;
  PacketOwner(const PacketOwner&) = default;
  PacketOwner& operator=(const PacketOwner&) = default;
  ~PacketOwner() = default;  // never destroyed through this
};

enum class ChecksumState : std::uint8_t {
  Unknown,  ///< nobody looked: software has to
  Good,
  Bad,
};

/// What the device said of a frame it received.
struct RxFacts {
  std::uint32_t rss_hash = 0;
  std::uint16_t vlan_tci = 0;  ///< the tag control information the device stripped
  std::uint16_t queue = 0;
  ChecksumState ip_checksum = ChecksumState::Unknown;  ///< of the IPv4 header
  ChecksumState l4_checksum = ChecksumState::Unknown;  ///< of UDP, TCP: of the whole datagram or segment
  bool has_rss_hash = false;
  bool has_vlan = false;  ///< vlan_tci was stripped from the frame
};

/// What the device shall do to a frame before it leaves. Only what PortCapabilities says it can.
struct TxWishes {
  std::uint16_t vlan_tci = 0;
  std::uint8_t l2_bytes = 0;  ///< header lengths, for the checksum wishes
  std::uint8_t l3_bytes = 0;
  bool insert_vlan = false;
  bool is_ipv6 = false;           ///< with l4 wishes: which pseudo header
  bool fill_ip_checksum = false;  ///< the header's checksum field holds 0
  /// The datagram's checksum field holds the pseudo header's sum, not complemented (wire/checksum.h makes it).
  bool fill_udp_checksum = false;
  bool fill_tcp_checksum = false;
};

class Packet {
 public:
  Packet() = default;
  /// For owners: wraps what `origin` names. `rest_bytes` is the sum of the chain behind the first segment.
  Packet(PacketOwner& owner, void* origin, std::span<std::byte> first, std::uint16_t headroom, std::uint16_t tailroom,
         std::uint32_t rest_bytes = 0) noexcept
      : data_(first.data()),
        origin_(origin),
        owner_(&owner),
        first_bytes_(static_cast<std::uint32_t>(first.size())),
        rest_bytes_(rest_bytes),
        headroom_(headroom),
        tailroom_(tailroom) {}
  Packet(Packet&& other) noexcept { take(other); }
  Packet& operator=(Packet&& other) noexcept {
    if (this != &other) {
      reset();
      take(other);
    }
    return *this;
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;
  ~Packet() { reset(); }

  [[nodiscard]] bool is_empty() const noexcept { return owner_ == nullptr; }
  /// Bytes of the first segment. Headers are read and written here.
  [[nodiscard]] std::span<std::byte> first() const noexcept { return {data_, first_bytes_}; }
  /// Bytes in the owner's chain behind the first segment; 0 for almost every packet.
  [[nodiscard]] std::uint32_t rest_bytes() const noexcept { return rest_bytes_; }
  [[nodiscard]] std::uint32_t size() const noexcept { return first_bytes_ + rest_bytes_; }
  [[nodiscard]] bool is_chain() const noexcept { return rest_bytes_ != 0; }
  [[nodiscard]] std::uint16_t headroom() const noexcept { return headroom_; }
  [[nodiscard]] std::uint16_t tailroom() const noexcept { return tailroom_; }

  /// Makes room for a header; returns it. Asserts headroom: whoever allocates knows what it will prepend.
  std::span<std::byte> prepend(std::uint16_t bytes) noexcept {
    MR_ASSERT(bytes <= headroom_);
    headroom_ = static_cast<std::uint16_t>(headroom_ - bytes);
    data_ -= bytes;
    first_bytes_ += bytes;
    return {data_, bytes};
  }
  /// Adds bytes at the end of the first segment of a packet without a chain; returns them.
  std::span<std::byte> append(std::uint16_t bytes) noexcept {
    MR_ASSERT(bytes <= tailroom_ && rest_bytes_ == 0);
    tailroom_ = static_cast<std::uint16_t>(tailroom_ - bytes);
    first_bytes_ += bytes;
    return {data_ + first_bytes_ - bytes, bytes};
  }
  void trim_front(std::uint16_t bytes) noexcept {
    MR_ASSERT(bytes <= first_bytes_);
    headroom_ = static_cast<std::uint16_t>(headroom_ + bytes);
    data_ += bytes;
    first_bytes_ -= bytes;
  }
  /// Drops what lies behind the first `bytes` of the first segment of a packet without a chain.
  void truncate(std::uint32_t bytes) noexcept {
    MR_ASSERT(bytes <= first_bytes_ && rest_bytes_ == 0);
    tailroom_ = static_cast<std::uint16_t>(tailroom_ + (first_bytes_ - bytes));
    first_bytes_ = bytes;
  }

  /// The first segment is from here on the `bytes` behind it. Of a packet without a chain.
  void move_behind(std::uint32_t bytes) noexcept {
    MR_ASSERT(bytes <= tailroom_ && rest_bytes_ == 0);
    headroom_ = static_cast<std::uint16_t>(headroom_ + first_bytes_);
    tailroom_ = static_cast<std::uint16_t>(tailroom_ - bytes);
    data_ += first_bytes_;
    first_bytes_ = bytes;
  }

  /// Calls `visit(std::span<const std::byte>)` for the first segment and each of the chain, in order.
  template <typename Visit>
  void for_each_segment(Visit&& visit) const {
    visit(std::span<const std::byte>(data_, first_bytes_));
    if (rest_bytes_ == 0) {
      return;
    }
    for (SegmentView view = owner_->next_segment(origin_); view.origin != nullptr;
         view = owner_->next_segment(view.origin)) {
      visit(std::span<const std::byte>(view.data, view.size));
    }
  }

  // For owners.
  [[nodiscard]] PacketOwner* owner() const noexcept { return owner_; }
  [[nodiscard]] void* origin() const noexcept { return origin_; }
  /// The packet is no longer ours: the owner has taken `origin` (to send it).
  void* detach() noexcept {
    owner_ = nullptr;
    return std::exchange(origin_, nullptr);
  }
  /// The owner has chained `bytes` more behind it.
  void grow_rest(std::uint32_t bytes) noexcept { rest_bytes_ += bytes; }

  RxFacts rx{};
  TxWishes tx{};

 private:
  void take(Packet& other) noexcept {
    rx = other.rx;
    tx = other.tx;
    data_ = other.data_;
    origin_ = other.origin_;
    owner_ = std::exchange(other.owner_, nullptr);
    first_bytes_ = other.first_bytes_;
    rest_bytes_ = other.rest_bytes_;
    headroom_ = other.headroom_;
    tailroom_ = other.tailroom_;
  }
  void reset() noexcept {
    if (owner_ != nullptr) {
      void* origin = origin_;
      std::exchange(owner_, nullptr)->release({&origin, 1});
    }
  }

  std::byte* data_ = nullptr;
  void* origin_ = nullptr;
  PacketOwner* owner_ = nullptr;
  std::uint32_t first_bytes_ = 0;
  std::uint32_t rest_bytes_ = 0;
  std::uint16_t headroom_ = 0;
  std::uint16_t tailroom_ = 0;
};

static_assert(sizeof(Packet) <= kCacheLineBytes);

/// Gives back many packets with one call per run of one owner. They are empty afterwards; empty ones are skipped.
inline void release_burst(std::span<Packet> packets) noexcept {
  constexpr std::size_t kRunMax = 64;
  void* origins[kRunMax];
  std::size_t run = 0;
  PacketOwner* owner = nullptr;
  for (Packet& packet : packets) {
    if (packet.is_empty()) {
      continue;
    }
    if (run == kRunMax || (run > 0 && packet.owner() != owner)) {
      owner->release({origins, run});
      run = 0;
    }
    owner = packet.owner();
    origins[run++] = packet.detach();
  }
  if (run > 0) {
    owner->release({origins, run});
  }
}

}  // namespace millrace::buf
