#include "tests/kernel/stack_host.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "base/clock.h"
#include "dataplane/port/capture.h"
#include "dataplane/stack/host_stack.h"

namespace millrace::tests {
namespace {

constexpr std::uint16_t kEchoPort = 7;
constexpr std::uint16_t kCallPort = 5000;

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

int serve(port::FramePort& port, const StackHostOptions& options, Clock& clock, const std::function<void()>& wait,
          const std::function<void()>& tick) {
  ip::HostAddresses addresses(port.capabilities().mac);
  if (!addresses.add(ip::HostAddress::v4(0x0a09'0002, 24)) ||
      !addresses.add({.address = v6_of(2), .prefix_bits = 64})) {
    return 1;
  }
  auto owned = std::make_unique<stack::HostStack>(
      port, addresses, stack::StackOptions{.seed = 4711, .vlan = options.vlan, .zero_copy_bytes_min = 512});
  stack::HostStack& stack = *owned;
  if (!stack.bind_udp(kEchoPort) || !stack.bind_udp(kCallPort)) {
    return 1;
  }
  Caller caller(stack, options.call_port, options.call_count);
  std::printf("ready\n");
  std::fflush(stdout);

  stack::Datagram datagrams[stack::HostStack::kBurst];
  while (!input_ended()) {
    const Instant now = clock.now();
    const std::size_t count = stack.poll(now, datagrams);
    for (std::size_t i = 0; i < count; ++i) {
      if (datagrams[i].flow.local_port == kCallPort) {
        caller.take(datagrams[i].bytes);
        continue;
      }
      // Lent slices are read within flush() by the ports of these tests, before the next poll() takes the bytes back.
      const dataplane::Slice slice{.data = reinterpret_cast<const char*>(datagrams[i].bytes.data()),
                                   .size = static_cast<std::uint32_t>(datagrams[i].bytes.size())};
      (void)stack.send(now, {.flow = datagrams[i].key().reversed(), .slices = {&slice, 1}});
    }
    caller.turn(now);
    stack.flush(now);
    for (std::uint64_t token = 0; stack.take_released(token);) {
    }
    tick();
    if (count == 0) {
      wait();
    }
  }
  print_counters(stack);
  return 0;
}

}  // namespace

StackHostOptions parse_stack_host_options(int argc, char** argv, int first) {
  StackHostOptions options;
  for (int i = first; i < argc; ++i) {
    const auto has = [&](const char* name, int values) { return std::strcmp(argv[i], name) == 0 && i + values < argc; };
    if (has("--call", 2)) {
      options.call_port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
      options.call_count = static_cast<unsigned>(std::atoi(argv[i + 2]));
      i += 2;
    } else if (has("--vlan", 1)) {
      options.vlan = static_cast<std::uint16_t>(std::atoi(argv[++i]));
    } else if (has("--offloads", 0)) {
      options.has_offloads = true;
    }
  }
  return options;
}

int run_stack_host(port::FramePort& port, const StackHostOptions& options, const std::function<void()>& wait,
                   const std::function<void()>& tick) {
  SystemClock clock;
  if (options.capture.empty()) {
    return serve(port, options, clock, wait, tick);
  }
  port::Capture capture(1, std::size_t{64} << 20);
  port::CapturePort captured(port, capture.tap(0));
  if (auto started = capture.start({.directory = options.capture, .frames_max = 1'000'000, .bytes_max = 1ULL << 30});
      !started) {
    std::printf("%s\n", started.error().what.c_str());
    return 1;
  }
  const int status = serve(captured, options, clock, wait, tick);
  capture.stop();
  const port::CaptureStatus captures = capture.status();
  std::printf("capture_dropped %llu\n", static_cast<unsigned long long>(captures.dropped));
  return captures.end == "stopped" ? status : 1;
}

}  // namespace millrace::tests
