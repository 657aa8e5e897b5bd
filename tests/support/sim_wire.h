// A cable, or a hub, without a network: frames put on one port arrive at every other after a delay; some are lost,
// doubled, late or damaged as the seed says. Single-threaded, deterministic; time is what the test says.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/assert.h"
#include "dataplane/buf/packet_pool.h"
#include "dataplane/port/frame_port.h"

namespace millrace::tests {

struct SimWireOptions {
  std::uint64_t seed = 1;
  Duration delay = microseconds(20);
  Duration jitter{};  ///< of frames that are late: they overtake or are overtaken
  unsigned loss_percent = 0;
  unsigned duplicate_percent = 0;
  unsigned late_percent = 0;
  unsigned corrupt_percent = 0;  ///< one bit turned over
};

class SimPort;

class SimWire {
 public:
  using Frame = std::vector<std::byte>;

  explicit SimWire(const SimWireOptions& wanted) : options(wanted), random_(wanted.seed) {}

  SimWireOptions options;
  /// Every frame that was put on the wire, before anything happened to it.
  std::vector<Frame> seen;
  bool keeps_seen = false;

  void join(SimPort& port) { ports_.push_back(&port); }

  void put(Instant now, const SimPort* from, Frame frame);
  /// Frames that have arrived at `port` by now, taken out.
  bool take(Instant now, const SimPort* port, Frame& frame) {
    const auto at = arriving_.lower_bound({Instant{INT64_MIN}, 0});
    for (auto it = at; it != arriving_.end() && it->first.first <= now; ++it) {
      if (it->second.to == port) {
        frame = std::move(it->second.frame);
        arriving_.erase(it);
        return true;
      }
    }
    return false;
  }
  [[nodiscard]] bool is_quiet() const { return arriving_.empty(); }

 private:
  struct Arrival {
    const SimPort* to;
    Frame frame;
  };
  bool chance(unsigned percent) { return random_() % 100 < percent; }

  std::mt19937_64 random_;
  std::vector<SimPort*> ports_;
  std::map<std::pair<Instant, std::uint64_t>, Arrival> arriving_;  ///< by time, then by when it was put
  std::uint64_t serial_ = 0;
};

/// One end. Offloads it claims are real: it sums, tags and strips what the capabilities promise.
class SimPort final : public port::FramePort {
 public:
  SimPort(SimWire& wire, const port::PortCapabilities& capabilities, std::uint32_t buffers = 512)
      : wire_(wire),
        capabilities_(with_buffers(capabilities)),
        pool_({.buffers = buffers,
               .headroom_bytes = capabilities_.headroom_bytes,
               .buffer_bytes = capabilities_.buffer_bytes,
               .external_max = capabilities_.external_max}) {
    wire.join(*this);
  }

  port::LinkState state = port::LinkState::Up;
  std::size_t tx_room = SIZE_MAX;   ///< frames it will take before it is full
  std::uint16_t scatter_bytes = 0;  ///< received frames come in segments of this size; 0: in one

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override {
    std::size_t count = 0;
    SimWire::Frame frame;
    while (count < out.size() && state == port::LinkState::Up && wire_.take(now, this, frame)) {
      if (pool_.alloc(out.subspan(count, 1)) == 0) {
        ++counters_.rx_missed;
        continue;
      }
      if (frame.size() > capabilities_.mtu + 18U) {
        out[count] = buf::Packet{};
        ++counters_.rx_errors;
        continue;
      }
      receive_into(out[count], frame);
      ++counters_.rx_frames;
      counters_.rx_bytes += frame.size();
      ++count;
    }
    drop_scattered();
    return count;
  }

  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override {
    std::size_t count = 0;
    for (; count < packets.size() && state == port::LinkState::Up && tx_room > 0; ++count) {
      buf::Packet& packet = packets[count];
      MR_ASSERT(packet.owner() == this || packet.owner() == &pool_);
      tx_room -= tx_room == SIZE_MAX ? 0 : 1;
      SimWire::Frame frame;
      std::size_t segments = 0;
      packet.for_each_segment([&](std::span<const std::byte> segment) {
        frame.insert(frame.end(), segment.begin(), segment.end());
        ++segments;
      });
      if (frame.size() < 14 || frame.size() > capabilities_.mtu + 18U || segments > capabilities_.tx_segments_max) {
        ++counters_.tx_errors;
        continue;
      }
      fulfil(packet.tx, frame);
      frame.resize(std::max<std::size_t>(frame.size(), 60));
      ++counters_.tx_frames;
      counters_.tx_bytes += frame.size();
      wire_.put(now, this, std::move(frame));
    }
    buf::release_burst(packets.first(count));
    counters_.tx_refused += packets.size() - count;
    return count;
  }

  std::size_t alloc(std::span<buf::Packet> out) noexcept override {
    const std::size_t count = pool_.alloc(out);
    counters_.alloc_failed += out.size() - count;
    return count;
  }
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override {
    return capabilities_.external_max > 0 ? pool_.attach(packet, bytes, token) : Status::Unsupported;
  }
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override { return pool_.take_released(tokens); }
  [[nodiscard]] port::LinkState link() const noexcept override { return state; }
  [[nodiscard]] const port::PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] const port::PortCounters& counters() const noexcept override { return counters_; }
  void release(std::span<void* const> origins) noexcept override { pool_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return pool_.next_segment(origin);
  }
  [[nodiscard]] std::size_t free_buffers() const { return pool_.free_buffers(); }

 private:
  static port::PortCapabilities with_buffers(port::PortCapabilities capabilities) {
    capabilities.buffer_bytes = static_cast<std::uint16_t>(capabilities.mtu + 18);
    return capabilities;
  }
  void receive_into(buf::Packet& packet, SimWire::Frame& frame);
  void fulfil(const buf::TxWishes& wishes, SimWire::Frame& frame) const;
  void drop_scattered() {
    std::uint64_t tokens[64];
    while (scatter_bytes != 0 && pool_.take_released(tokens) != 0) {
    }
    if (scattered_.size() > 4096) {
      scattered_.erase(scattered_.begin(), scattered_.begin() + 2048);
    }
  }

  SimWire& wire_;
  port::PortCapabilities capabilities_;
  port::PortCounters counters_;
  buf::PacketPool pool_;
  std::vector<std::unique_ptr<SimWire::Frame>> scattered_;  ///< bytes behind the first segments
};

inline void SimWire::put(Instant now, const SimPort* from, Frame frame) {
  if (keeps_seen) {
    seen.push_back(frame);
  }
  for (const SimPort* to : ports_) {
    if (to == from || chance(options.loss_percent)) {
      continue;
    }
    const int copies = chance(options.duplicate_percent) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      Frame copy = frame;
      if (chance(options.corrupt_percent)) {
        const std::size_t bit = random_() % (copy.size() * 8);
        copy[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      }
      Instant at = now + options.delay;
      if (chance(options.late_percent) && options.jitter.ns > 0) {
        at = at + nanoseconds(static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(options.jitter.ns)));
      }
      arriving_.emplace(std::pair(at, serial_++), Arrival{.to = to, .frame = std::move(copy)});
    }
  }
}

inline void SimPort::receive_into(buf::Packet& packet, SimWire::Frame& frame) {
  if (capabilities_.vlan_strip && frame.size() >= 18 && frame[12] == std::byte{0x81} && frame[13] == std::byte{0}) {
    packet.rx.has_vlan = true;
    packet.rx.vlan_tci =
        static_cast<std::uint16_t>(std::to_integer<unsigned>(frame[14]) << 8 | std::to_integer<unsigned>(frame[15]));
    frame.erase(frame.begin() + 12, frame.begin() + 16);
  }
  const std::size_t first = scatter_bytes == 0 ? frame.size() : std::min<std::size_t>(scatter_bytes, frame.size());
  std::memcpy(packet.append(static_cast<std::uint16_t>(first)).data(), frame.data(), first);
  if (first == frame.size()) {
    return;
  }
  scattered_.push_back(
      std::make_unique<SimWire::Frame>(frame.begin() + static_cast<std::ptrdiff_t>(first), frame.end()));
  const std::span<const std::byte> rest(*scattered_.back());
  for (std::size_t at = 0; at < rest.size(); at += scatter_bytes) {
    const auto piece = rest.subspan(at, std::min<std::size_t>(scatter_bytes, rest.size() - at));
    MR_ASSERT(pool_.attach(packet, piece, 0) == Status::Ok);
  }
}

/// Does what a device would: the word of the sum that was begun is replaced by the whole sum.
inline void SimPort::fulfil(const buf::TxWishes& wishes, SimWire::Frame& frame) const {
  const auto sum_of = [&](std::size_t from, std::size_t to) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < to; ++i) {
      sum += std::to_integer<std::uint32_t>(frame[i]) << ((i - from) % 2 == 0 ? 8 : 0);
    }
    while (sum >> 16 != 0) {
      sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
  };
  const auto store = [&](std::size_t at, std::uint16_t value) {
    frame[at] = static_cast<std::byte>(value >> 8);
    frame[at + 1] = static_cast<std::byte>(value);
  };
  const std::size_t l3 = wishes.l2_bytes;
  const std::size_t l4 = l3 + wishes.l3_bytes;
  if (wishes.fill_ip_checksum) {
    MR_ASSERT(capabilities_.tx_ip_checksum);
    store(l3 + 10, sum_of(l3, l4));
  }
  if (wishes.fill_udp_checksum) {
    MR_ASSERT(capabilities_.tx_udp_checksum);
    const std::uint16_t sum = sum_of(l4, frame.size());
    store(l4 + 6, sum == 0 ? 0xffff : sum);
  }
  if (wishes.insert_vlan) {
    MR_ASSERT(capabilities_.vlan_insert);
    const std::byte tag[] = {std::byte{0x81}, std::byte{0}, static_cast<std::byte>(wishes.vlan_tci >> 8),
                             static_cast<std::byte>(wishes.vlan_tci)};
    frame.insert(frame.begin() + 12, std::begin(tag), std::end(tag));
  }
}

}  // namespace millrace::tests
