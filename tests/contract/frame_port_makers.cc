// The ports that the suite runs over: the simulated wire, a capture around it, TAP with a packet socket as its peer.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/clock.h"
#include "dataplane/port/capture.h"
#include "dataplane/port/tap_port.h"
#include "tests/contract/frame_port_suite.h"
#include "tests/support/sim_wire.h"

namespace millrace::contract {
namespace {

constexpr port::MacBytes kMac = {0x02, 0x09, 0, 0, 0, 2};

class SimBench : public FramePortBench {
 public:
  explicit SimBench(std::uint16_t mtu)
      : wire_({}),
        port_(wire_, {.mac = kMac, .mtu = mtu, .tx_segments_max = 8, .external_max = 64}),
        peer_(wire_, {.mtu = mtu}) {}

  port::FramePort& port() override { return port_; }
  void peer_sends(const Frame& frame) override { wire_.put(now_, &peer_, frame); }
  std::optional<Frame> peer_receives() override {
    Frame frame;
    return wire_.take(now_, &peer_, frame) ? std::optional(std::move(frame)) : std::nullopt;
  }
  Instant now() override { return now_ = now_ + microseconds(30); }
  std::size_t packets_in_all() const override { return 512; }
  bool set_link(bool is_up) override {
    port_.state = is_up ? port::LinkState::Up : port::LinkState::Down;
    return true;
  }

 private:
  tests::SimWire wire_;
  tests::SimPort port_;
  tests::SimPort peer_;
  Instant now_{};
};

/// The same, seen through a capture that goes on.
class CaptureBench final : public SimBench {
 public:
  explicit CaptureBench(std::uint16_t mtu)
      : SimBench(mtu),
        folder_(std::filesystem::temp_directory_path() / ("frame_port_" + std::to_string(getpid()))),
        capture_(1),
        port_(SimBench::port(), capture_.tap(0)) {
    std::filesystem::create_directory(folder_);
    EXPECT_TRUE(capture_.start({.directory = folder_}));
  }
  ~CaptureBench() override {
    EXPECT_TRUE(capture_.stop());
    std::filesystem::remove_all(folder_);
  }
  CaptureBench(const CaptureBench&) = delete;
  CaptureBench& operator=(const CaptureBench&) = delete;
  port::FramePort& port() override { return port_; }

 private:
  std::filesystem::path folder_;
  port::Capture capture_;
  port::CapturePort port_;
};

/// In a network namespace of its own; the peer is a packet socket on the kernel's end.
class TapBench final : public FramePortBench {
 public:
  static std::unique_ptr<FramePortBench> make(std::uint16_t mtu) {
    static const bool is_apart = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    if (!is_apart) {
      std::printf("no network namespace: %s\n", std::strerror(errno));
      return nullptr;
    }
    auto tap = port::TapPort::open({.interface = "contract", .mac = kMac, .mtu = mtu, .external_max = 64});
    if (!tap) {
      std::printf("%s\n", tap.error().what.c_str());
      return nullptr;
    }
    auto bench = std::unique_ptr<TapBench>(new TapBench(std::move(*tap)));
    return bench->bring_up(mtu) ? std::move(bench) : nullptr;
  }
  ~TapBench() override { ::close(socket_); }
  TapBench(const TapBench&) = delete;
  TapBench& operator=(const TapBench&) = delete;

  port::FramePort& port() override { return *tap_; }
  void peer_sends(const Frame& frame) override {
    EXPECT_EQ(::send(socket_, frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()))
        << std::strerror(errno);
  }
  std::optional<Frame> peer_receives() override {
    Frame frame(65'536);
    sockaddr_ll from{};
    socklen_t from_bytes = sizeof from;
    const ssize_t got =
        ::recvfrom(socket_, frame.data(), frame.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &from_bytes);
    if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) {
      return std::nullopt;
    }
    frame.resize(static_cast<std::size_t>(got));
    return frame;
  }
  Instant now() override { return clock_.now(); }
  std::size_t packets_in_all() const override { return 1024; }
  bool set_link(bool) override { return false; }

 private:
  explicit TapBench(std::unique_ptr<port::TapPort> tap)
      : tap_(std::move(tap)), socket_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {}

  bool bring_up(std::uint16_t mtu) {
    ifreq request{};
    std::strcpy(request.ifr_name, "contract");
    request.ifr_mtu = mtu;
    bool is_up =
        socket_ >= 0 && ::ioctl(socket_, SIOCSIFMTU, &request) == 0 && ::ioctl(socket_, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    is_up = is_up && ::ioctl(socket_, SIOCSIFFLAGS, &request) == 0 && ::ioctl(socket_, SIOCGIFINDEX, &request) == 0;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = request.ifr_ifindex;
    is_up = is_up && ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!is_up) {
      std::printf("the kernel's end of the TAP device: %s\n", std::strerror(errno));
    }
    return is_up;
  }

  SystemClock clock_;
  std::unique_ptr<port::TapPort> tap_;
  int socket_;
};

}  // namespace

std::vector<FramePortMaker> frame_port_makers() {
  return {{"Sim", [](std::uint16_t mtu) -> std::unique_ptr<FramePortBench> { return std::make_unique<SimBench>(mtu); }},
          {"Capture",
           [](std::uint16_t mtu) -> std::unique_ptr<FramePortBench> { return std::make_unique<CaptureBench>(mtu); }},
          {"Tap", &TapBench::make}};
}

}  // namespace millrace::contract
