// DPDK's ports under the same suite, without privileges and without huge pages: rings whose other end is this program,
// shared memory between two devices of this process (memif), and a virtio queue pair (vhost).
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/eal.h"
#include "tests/contract/frame_port_suite.h"

namespace millrace::contract {
namespace {

using dpdk::Device;
using dpdk::Eal;

constexpr std::uint32_t kExternalMax = 64;
constexpr std::uint32_t kPeerBuffers = 3072;  // its ring of 1024 is always full of them

dpdk::PortSpec spec(const std::string& text) {
  auto parsed = dpdk::parse_port_spec(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(dpdk::PortSpec{});
}

/// One for all tests of the process; null, said once, where DPDK cannot start.
Eal* eal() {
  static const auto started = [] {
    auto eal = Eal::start({.ports = {spec("vhost:/contract")}, .memory_bytes = 256U << 20, .uses_huge_pages = false});
    if (!eal) {
      std::printf("%s\n", eal.error().what.c_str());
    }
    return eal ? std::move(*eal) : nullptr;
  }();
  return started.get();
}

std::unique_ptr<Device> open(const std::string& text, std::uint16_t mtu, std::uint32_t buffers = 1024) {
  auto device = Device::open(*eal(), spec(text), 1, {.mtu = mtu, .buffers = buffers, .external_max = kExternalMax});
  if (!device) {
    std::printf("%s\n", device.error().what.c_str());
    return nullptr;
  }
  return std::move(*device);
}

class DpdkBench : public FramePortBench {
 public:
  ~DpdkBench() override {
    device_->shut_down();
    EXPECT_EQ(device_->mbufs_outstanding(), 0U);
  }
  DpdkBench(const DpdkBench&) = delete;
  DpdkBench& operator=(const DpdkBench&) = delete;

  port::FramePort& port() override { return device_->port(0); }
  Instant now() override {
    EXPECT_TRUE(device_->tick());
    return clock_.now();
  }
  std::size_t packets_in_all() const override { return device_->facts().buffers; }
  bool set_link(bool) override { return false; }

 protected:
  explicit DpdkBench(std::unique_ptr<Device> device) : device_(std::move(device)) {}

  std::unique_ptr<Device> device_;
  SystemClock clock_;
};

/// The other ends of the rings are this program's: it takes what was sent, and puts in packets of the device's pool.
class RingBench final : public DpdkBench {
 public:
  static std::unique_ptr<FramePortBench> make(std::uint16_t mtu) {
    if (eal() == nullptr) {
      return nullptr;
    }
    static int instance = 0;
    const std::string name = "contract" + std::to_string(instance++);
    rte_ring* rings[2];
    for (int i = 0; i < 2; ++i) {
      rings[i] =
          rte_ring_create((name + "_" + std::to_string(i)).c_str(), 256, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    }
    if (rte_eth_from_rings(name.c_str(), &rings[0], 1, &rings[1], 1, 0) < 0) {
      return nullptr;
    }
    auto device = open("ethdev:net_ring_" + name, mtu);
    return device == nullptr ? nullptr
                             : std::unique_ptr<FramePortBench>(new RingBench(std::move(device), rings[0], rings[1]));
  }
  ~RingBench() override {
    while (peer_receives()) {
    }
    for (rte_ring* ring : {to_port_, from_port_}) {
      void* mbuf = nullptr;
      while (rte_ring_dequeue(ring, &mbuf) == 0) {
        rte_pktmbuf_free(static_cast<rte_mbuf*>(mbuf));
      }
    }
    device_->shut_down();
    rte_ring_free(to_port_);
    rte_ring_free(from_port_);
  }

  void peer_sends(const Frame& frame) override {
    buf::Packet packet;
    if (port().alloc({&packet, 1}) == 0) {
      return;
    }
    std::ranges::copy(frame, packet.append(static_cast<std::uint16_t>(frame.size())).begin());
    auto* mbuf = static_cast<rte_mbuf*>(packet.detach());
    mbuf->data_off = RTE_PKTMBUF_HEADROOM;
    mbuf->ol_flags = 0;
    mbuf->data_len = static_cast<std::uint16_t>(frame.size());
    mbuf->pkt_len = mbuf->data_len;
    EXPECT_EQ(rte_ring_enqueue(to_port_, mbuf), 0);
  }
  std::optional<Frame> peer_receives() override {
    void* got = nullptr;
    if (rte_ring_dequeue(from_port_, &got) != 0) {
      return std::nullopt;
    }
    Frame frame;
    for (rte_mbuf* mbuf = static_cast<rte_mbuf*>(got); mbuf != nullptr; mbuf = mbuf->next) {
      const auto* bytes = rte_pktmbuf_mtod(mbuf, const std::byte*);
      frame.insert(frame.end(), bytes, bytes + mbuf->data_len);
    }
    rte_pktmbuf_free(static_cast<rte_mbuf*>(got));
    return frame;
  }
  bool set_link(bool is_up) override {
    std::uint16_t id = 0;
    EXPECT_EQ(rte_eth_dev_get_port_by_name(device_->facts().name.substr(7).c_str(), &id), 0);
    EXPECT_EQ(is_up ? rte_eth_dev_set_link_up(id) : rte_eth_dev_set_link_down(id), 0);
    EXPECT_TRUE(device_->tick());
    return true;
  }

 private:
  RingBench(std::unique_ptr<Device> device, rte_ring* to_port, rte_ring* from_port)
      : DpdkBench(std::move(device)), to_port_(to_port), from_port_(from_port) {}

  rte_ring* to_port_;
  rte_ring* from_port_;
};

/// Two devices that meet at a socket in a folder of their own.
class PairBench final : public DpdkBench {
 public:
  static std::unique_ptr<FramePortBench> memif(std::uint16_t mtu) { return make("memif:", ",server", "memif:", mtu); }
  static std::unique_ptr<FramePortBench> vhost(std::uint16_t mtu) { return make("vhost:", "", "virtio-user:", mtu); }

  ~PairBench() override {
    peer_->shut_down();
    EXPECT_EQ(peer_->mbufs_outstanding(), 0U);
    // Not both at once: a memif that is closed while it hears that its peer closes frees its memory twice (22.11).
    for (int i = 0; i < 200 && port().link() == port::LinkState::Up; ++i) {
      (void)device_->tick();
      ::usleep(10'000);
    }
    EXPECT_NE(port().link(), port::LinkState::Up);
    peer_.reset();
    std::filesystem::remove_all(folder_);
  }

  void peer_sends(const Frame& frame) override {
    buf::Packet packet;
    ASSERT_EQ(peer_->port(0).alloc({&packet, 1}), 1U);
    std::ranges::copy(frame, packet.append(static_cast<std::uint16_t>(frame.size())).begin());
    for (int i = 0; i < 100'000 && peer_->port(0).tx_burst({}, {&packet, 1}) == 0; ++i) {
    }
    EXPECT_TRUE(packet.is_empty());
  }
  std::optional<Frame> peer_receives() override {
    poll_peer();
    if (backlog_.empty()) {
      return std::nullopt;
    }
    Frame frame = std::move(backlog_.front());
    backlog_.pop_front();
    return frame;
  }
  Instant now() override {
    poll_peer();
    return DpdkBench::now();
  }

 private:
  static std::unique_ptr<FramePortBench> make(const char* ours, const char* our_role, const char* peers,
                                              std::uint16_t mtu) {
    if (eal() == nullptr) {
      return nullptr;
    }
    static int instance = 0;
    const auto folder = std::filesystem::temp_directory_path() /
                        ("frame_port_dpdk_" + std::to_string(getpid()) + "_" + std::to_string(instance++));
    std::filesystem::create_directory(folder);
    const std::string path = folder / "s";
    auto device = open(ours + path + our_role, mtu);
    auto peer = device == nullptr ? nullptr : open(peers + path, mtu, kPeerBuffers);
    if (peer == nullptr) {
      std::filesystem::remove_all(folder);
      return nullptr;
    }
    auto bench = std::unique_ptr<PairBench>(new PairBench(std::move(device), std::move(peer), folder));
    for (int i = 0; i < 200; ++i) {
      (void)bench->device_->tick();
      (void)bench->peer_->tick();
      if (bench->port().link() == port::LinkState::Up && bench->peer_->port(0).link() == port::LinkState::Up) {
        return bench;
      }
      ::usleep(10'000);
    }
    ADD_FAILURE() << "they do not meet";
    return nullptr;
  }
  /// All the time, as any peer does: memif's client gives its server room to send only by receiving.
  void poll_peer() {
    buf::Packet packets[32];
    const std::size_t count = peer_->port(0).rx_burst({}, packets);
    for (const buf::Packet& packet : std::span(packets).first(count)) {
      Frame& frame = backlog_.emplace_back();
      packet.for_each_segment(
          [&](std::span<const std::byte> piece) { frame.insert(frame.end(), piece.begin(), piece.end()); });
    }
  }

  PairBench(std::unique_ptr<Device> device, std::unique_ptr<Device> peer, std::filesystem::path folder)
      : DpdkBench(std::move(device)), peer_(std::move(peer)), folder_(std::move(folder)) {}

  std::unique_ptr<Device> peer_;
  std::deque<Frame> backlog_;
  std::filesystem::path folder_;
};

}  // namespace

std::vector<FramePortMaker> frame_port_makers() {
  return {{"DpdkRing", &RingBench::make}, {"DpdkMemif", &PairBench::memif}, {"DpdkVhost", &PairBench::vhost}};
}

}  // namespace millrace::contract
