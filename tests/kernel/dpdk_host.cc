// stack_host.h behind a device of DPDK's, for test_dpdk.py; one host on all its queues.
//   dpdk_host PORT QUEUES MTU CAPTURE [--call PORT COUNT] [--vlan ID] [--offloads]
// CAPTURE "-": none. Prints how many frames each queue gave.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/eal.h"
#include "tests/kernel/stack_host.h"

namespace millrace::tests {
namespace {

/// The queues of a device as one port: received in turn; a packet goes out by the queue it came from.
class MergedPort final : public port::FramePort {
 public:
  explicit MergedPort(std::vector<port::FramePort*> queues) : queues_(std::move(queues)) {}

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override {
    next_ = (next_ + 1) % queues_.size();
    return queues_[next_]->rx_burst(now, out);
  }
  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override {
    std::size_t taken = 0;
    while (taken < packets.size()) {
      std::size_t run = 1;
      while (taken + run < packets.size() && packets[taken + run].owner() == packets[taken].owner()) {
        ++run;
      }
      const auto queue = std::ranges::find_if(
          queues_, [&](port::FramePort* one) { return static_cast<buf::PacketOwner*>(one) == packets[taken].owner(); });
      const std::size_t sent = (*queue)->tx_burst(now, packets.subspan(taken, run));
      taken += sent;
      if (sent < run) {
        break;
      }
    }
    return taken;
  }
  std::size_t alloc(std::span<buf::Packet> out) noexcept override { return queues_[next_]->alloc(out); }
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override {
    return static_cast<port::FramePort*>(packet.owner())->attach(packet, bytes, token);
  }
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override {
    std::size_t count = 0;
    for (port::FramePort* queue : queues_) {
      count += queue->take_released(tokens.subspan(count));
    }
    return count;
  }
  [[nodiscard]] port::LinkState link() const noexcept override { return queues_.front()->link(); }
  [[nodiscard]] const port::PortCapabilities& capabilities() const noexcept override {
    return queues_.front()->capabilities();
  }
  [[nodiscard]] const port::PortCounters& counters() const noexcept override { return queues_.front()->counters(); }
  void release(std::span<void* const> origins) noexcept override { queues_.front()->release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return queues_.front()->next_segment(origin);
  }

 private:
  std::vector<port::FramePort*> queues_;
  std::size_t next_ = 0;
};

int run(int argc, char** argv) {
  const auto queues = static_cast<std::uint16_t>(std::atoi(argv[2]));
  const std::string capture = argv[4];
  auto options = parse_stack_host_options(argc, argv, 5);
  options.capture = capture == "-" ? "" : capture;
  auto spec = dpdk::parse_port_spec(argv[1]);
  const dpdk::DeviceOptions device_options{.mtu = static_cast<std::uint16_t>(std::atoi(argv[3])),
                                           .has_offloads = options.has_offloads,
                                           .has_rx_interrupts = spec && spec->kind == dpdk::PortKind::Tap};
  if (!spec) {
    std::printf("%s\n", spec.error().what.c_str());
    return 1;
  }
  auto eal =
      dpdk::Eal::start({.ports = {*spec},
                        .memory_bytes = dpdk::Device::memory_bytes(*spec, queues, device_options) + (32ULL << 20),
                        .uses_huge_pages = false});
  if (!eal) {
    std::printf("%s\n", eal.error().what.c_str());
    return 1;
  }
  auto device = dpdk::Device::open(**eal, *spec, queues, device_options);
  if (!device) {
    std::printf("%s\n", device.error().what.c_str());
    return 1;
  }
  std::vector<port::FramePort*> ports;
  for (std::uint16_t q = 0; q < queues; ++q) {
    ports.push_back(&(*device)->port(q));
  }
  MergedPort merged(ports);
  const int status = run_stack_host(
      merged, options,
      [&] {
        // A device that wakes us shall do so within the test's patience: half a second would be noticed.
        port::FramePort& port = (*device)->port(0);
        if (const int descriptor = queues == 1 ? port.arm_rx() : -1; descriptor >= 0) {
          pollfd frames{.fd = descriptor, .events = POLLIN, .revents = 0};
          ::poll(&frames, 1, 500);
          port.disarm_rx();
        } else {
          ::usleep(100);
        }
      },
      [&] {
        if (const auto ticked = (*device)->tick(); !ticked) {
          std::printf("%s\n", ticked.error().what.c_str());
        }
      });
  for (std::uint16_t q = 0; q < queues; ++q) {
    std::printf("queue_%u_frames %llu\n", q, static_cast<unsigned long long>(ports[q]->counters().rx_frames));
    std::printf("queue_%u_errors %llu\n", q,
                static_cast<unsigned long long>(ports[q]->counters().rx_errors + ports[q]->counters().tx_errors));
  }
  (*device)->shut_down();
  std::printf("packets_missing %zu\n", (*device)->mbufs_outstanding());
  return status;
}

}  // namespace
}  // namespace millrace::tests

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "dpdk_host PORT QUEUES MTU CAPTURE [--call PORT COUNT] [--vlan ID] [--offloads]\n");
    return 2;
  }
  return millrace::tests::run(argc, argv);
}
