// stack_host.h behind a TAP device of ours, for test_tap.py.
//   tap_host INTERFACE MTU CAPTURE [--call PORT COUNT] [--vlan ID]
#include <poll.h>

#include <cstdio>
#include <cstdlib>

#include "dataplane/port/tap_port.h"
#include "tests/kernel/stack_host.h"

int main(int argc, char** argv) {
  using namespace millrace;  // NOLINT: a program of one file
  constexpr std::size_t kBuffers = 1024;
  if (argc < 4) {
    std::fprintf(stderr, "tap_host INTERFACE MTU CAPTURE [--call PORT COUNT] [--vlan ID]\n");
    return 2;
  }
  auto tap = port::TapPort::open({.interface = argv[1],
                                  .mac = {0x02, 0x09, 0, 0, 0, 2},
                                  .mtu = static_cast<std::uint16_t>(std::atoi(argv[2])),
                                  .buffers = kBuffers});
  if (!tap) {
    std::printf("cannot: %s\n", tap.error().what.c_str());
    return 77;
  }
  auto options = tests::parse_stack_host_options(argc, argv, 4);
  options.capture = argv[3];
  const int status = tests::run_stack_host(**tap, options, [&] {
    pollfd device{.fd = (*tap)->descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&device, 1, 20);
  });
  std::printf("packets_missing %zu\n", kBuffers - (*tap)->free_buffers());
  return status;
}
