// A HostStack on any port, for the tests whose peer is this machine's kernel: it echoes UDP on port 7; with --call it
// also sends datagrams to an echo server of the kernel's and says how many came back. It ends when its standard input
// does, and prints what it counted. It has 10.9.0.2/24 and fd00:9::2/64; the kernel's end is 10.9.0.1 and fd00:9::1.
//
// Thread: one, main. Ownership: borrows the port.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "dataplane/port/frame_port.h"

namespace millrace::tests {

struct StackHostOptions {
  std::string capture{};  ///< the directory for a capture's file; empty: none
  std::uint16_t call_port = 0;
  unsigned call_count = 0;
  std::uint16_t vlan = 0;
  bool has_offloads = false;  ///< for whoever opens the port
};

/// [--call PORT COUNT] [--vlan ID] [--offloads] from argv[first] on.
StackHostOptions parse_stack_host_options(int argc, char** argv, int first);

/// The exit status. `wait` is called after a turn in which nothing came, `tick` after each.
int run_stack_host(
    port::FramePort& port, const StackHostOptions& options, const std::function<void()>& wait,
    const std::function<void()>& tick = [] {});

}  // namespace millrace::tests
