// A HostStack behind a TAP device, for test_tap.py: the kernel is its peer. Echoes UDP on port 7; with --call it also
// sends datagrams to an echo server of the kernel's and says how many came back. Ends when its standard input does.
//   tap_host INTERFACE MTU CAPTURE [--call PORT COUNT] [--vlan ID]
// It has 10.9.0.2/24 and fd00:9::2/64; the kernel's end is 10.9.0.1 and fd00:9::1.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "base/clock.h"
#include "dataplane/port/pcap_port.h"
#include "dataplane/port/tap_port.h"
#include "dataplane/stack/host_stack.h"

namespace {

using namespace millrace;  // NOLINT: a program of one file

constexpr std::uint16_t kEchoPort = 7;
constexpr std::uint16_t kCallPort = 5000;
constexpr port::MacBytes kMac = {0x02, 0x09, 0, 0, 0, 2};

wire::IpAddress v6_of(std::uint8_t n) { return {{0xfd, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n}}; }

/// Sends datagrams of growing size, one after the other's echo, over both families in turn.
class Caller {
 public:
  Caller(stack::HostStack& stack, std::uint16_t port, unsigned count) : stack_(stack), port_(port), count_(count) {}

  void turn(Instant now) {
    if (done_ == count_ || now < again_at_) {
      return;
    }
    again_at_ = now + milliseconds(200);  // the kernel's server may not be there yet
    bytes_.assign(std::size_t{done_} * 137 % 4000, static_cast<char>('a' + done_ % 26));
    const dataplane::Slice slice{.data = bytes_.data(), .size = static_cast<std::uint32_t>(bytes_.size())};
    (void)stack_.send(now, {.flow = {.destination = done_ % 2 == 0 ? wire::IpAddress::v4(0x0a09'0001) : v6_of(1),
                                     .source_port = kCallPort,
                                     .destination_port = port_},
                            .slices = {&slice, 1}});
  }
  void take(std::span<const std::byte> bytes) {
    if (bytes.size() == bytes_.size() && std::memcmp(bytes.data(), bytes_.data(), bytes.size()) == 0 &&
        ++done_ == count_) {
      std::printf("called %u\n", done_);
      std::fflush(stdout);
    }
    again_at_ = {};
  }

 private:
  stack::HostStack& stack_;
  std::uint16_t port_;
  unsigned count_;
  unsigned done_ = 0;
  Instant again_at_{};
  std::string bytes_;
};

void print_counters(const stack::HostStack& stack) {
  stack::for_each_counter(stack.counters(), [](std::string_view name, std::uint64_t value, std::string_view) {
    if (value != 0) {
      std::printf("%.*s %llu\n", static_cast<int>(name.size()), name.data(), static_cast<unsigned long long>(value));
    }
  });
}

bool input_ended() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&input, 1, 0) > 0 && ::read(STDIN_FILENO, &byte, 1) == 0;
}

int run(int argc, char** argv) {
  std::uint16_t call_port = 0;
  std::uint16_t vlan = 0;
  unsigned call_count = 0;
  for (int i = 4; i + 1 < argc; ++i) {
    if (std::strcmp(argv[i], "--call") == 0 && i + 2 < argc) {
      call_port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
      call_count = static_cast<unsigned>(std::atoi(argv[i + 2]));
    } else if (std::strcmp(argv[i], "--vlan") == 0) {
      vlan = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    }
  }
  auto tap =
      port::TapPort::open({.interface = argv[1], .mac = kMac, .mtu = static_cast<std::uint16_t>(std::atoi(argv[2]))});
  if (!tap) {
    std::printf("cannot: %s\n", tap.error().what.c_str());
    return 77;
  }
  SystemClock clock;
  auto capture = port::PcapPort::open(**tap, argv[3], clock.wall_s() * 1'000'000'000 - clock.now().ns);
  if (!capture) {
    std::printf("%s\n", capture.error().what.c_str());
    return 1;
  }
  ip::HostAddresses addresses(kMac);
  if (!addresses.add(ip::HostAddress::v4(0x0a09'0002, 24)) ||
      !addresses.add({.address = v6_of(2), .prefix_bits = 64})) {
    return 1;
  }
  auto owned = std::make_unique<stack::HostStack>(
      **capture, addresses, stack::StackOptions{.seed = 4711, .vlan = vlan, .zero_copy_bytes_min = 512});
  stack::HostStack& stack = *owned;
  if (!stack.bind_udp(kEchoPort) || !stack.bind_udp(kCallPort)) {
    return 1;
  }
  Caller caller(stack, call_port, call_count);
  std::printf("ready\n");
  std::fflush(stdout);

  stack::Datagram datagrams[stack::HostStack::kBurst];
  while (!input_ended()) {
    const Instant now = clock.now();
    const std::size_t count = stack.poll(now, datagrams);
    for (std::size_t i = 0; i < count; ++i) {
      if (datagrams[i].flow.destination_port == kCallPort) {
        caller.take(datagrams[i].bytes);
        continue;
      }
      // Lent slices are read by a TAP port within flush(), before the next poll() takes the bytes back.
      const dataplane::Slice slice{.data = reinterpret_cast<const char*>(datagrams[i].bytes.data()),
                                   .size = static_cast<std::uint32_t>(datagrams[i].bytes.size())};
      (void)stack.send(now, {.flow = datagrams[i].flow.reversed(), .slices = {&slice, 1}});
    }
    caller.turn(now);
    stack.flush(now);
    for (std::uint64_t token = 0; stack.take_released(token);) {
    }
    if (count == 0) {
      pollfd device{.fd = (*tap)->descriptor(), .events = POLLIN, .revents = 0};
      ::poll(&device, 1, 20);
    }
  }
  print_counters(stack);
  owned.reset();  // with the frames it took last
  std::printf("free_buffers %zu\n", (*tap)->free_buffers());
  return (*capture)->is_whole() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "tap_host INTERFACE MTU CAPTURE [--call PORT COUNT] [--vlan ID]\n");
    return 2;
  }
  return run(argc, argv);
}
