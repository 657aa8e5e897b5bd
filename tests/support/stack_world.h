// Two or more HostStacks on a simulated wire, and what a test wants to do with them. Deterministic; time moves by
// steps.
#pragma once

#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/stack/host_stack.h"
#include "support/sim_wire.h"

namespace millrace::tests {

inline wire::IpAddress v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  return wire::IpAddress::v4(a << 24 | b << 16 | c << 8 | d);
}

/// 2001:db8::n, documentation addresses (RFC 3849).
inline wire::IpAddress v6(std::uint8_t n) { return {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n}}; }

inline wire::MacAddress mac_of(std::uint8_t n) { return {0x02, 0, 0, 0, 0, n}; }

/// Host n has 02:00:00:00:00:0n, 10.0.0.n/24 and 2001:db8::n/64.
inline ip::HostAddresses addresses_of(std::uint8_t n) {
  ip::HostAddresses addresses(mac_of(n));
  const bool is_added =
      addresses.add(ip::HostAddress::v4(0x0a00'0000U + n, 24)) && addresses.add({.address = v6(n), .prefix_bits = 64});
  MR_ASSERT(is_added);
  return addresses;
}

struct HostOptions {
  port::PortCapabilities port{};
  stack::StackOptions stack{};
  std::uint32_t buffers = 512;
};

/// A host and what it received.
class SimHost {
 public:
  struct Received {
    wire::FlowKey flow{};
    std::uint16_t socket = 0;
    std::string bytes{};
  };

  SimHost(SimWire& wire, std::uint8_t n, const HostOptions& options, const ip::HostAddresses& addresses)
      : port(wire, with_mac(options.port, n), options.buffers), stack(port, addresses, options.stack) {}
  SimHost(SimWire& wire, std::uint8_t n, const HostOptions& options = {})
      : SimHost(wire, n, options, addresses_of(n)) {}

  SimPort port;
  stack::HostStack stack;
  std::deque<Received> received;
  std::vector<std::uint64_t> released;
  bool echoes = false;  ///< every datagram goes back where it came from
  std::uint64_t echoed_in_room = 0;

  void turn(Instant now) {
    stack::Datagram datagrams[stack::HostStack::kBurst];
    const std::size_t count = stack.poll(now, datagrams);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view bytes(reinterpret_cast<const char*>(datagrams[i].bytes.data()), datagrams[i].bytes.size());
      received.push_back({datagrams[i].key(), datagrams[i].flow.socket, std::string(bytes)});
      if (echoes && !echo_in_room(now, datagrams[i])) {
        send(now, datagrams[i].key().reversed(), bytes);
      }
    }
    stack.flush(now);
    for (std::uint64_t token = 0; stack.take_released(token);) {
      released.push_back(token);
    }
  }

  stack::Sent send(Instant now, const wire::FlowKey& flow, std::string_view bytes, std::uint64_t token = 0) {
    const dataplane::Slice slice{.data = bytes.data(), .size = static_cast<std::uint32_t>(bytes.size())};
    return stack.send(now, {.flow = flow, .slices = {&slice, 1}, .token = token});
  }

  /// Where there is room, three of four times.
  bool echo_in_room(Instant now, const stack::Datagram& datagram) {
    if (datagram.bytes.size() > datagram.room.size() || datagram.bytes.empty() || ++echo_turn_ % 4 == 0) {
      return false;
    }
    std::memcpy(datagram.room.data(), datagram.bytes.data(), datagram.bytes.size());
    ++echoed_in_room;
    return stack.answer(now, datagram, static_cast<std::uint32_t>(datagram.bytes.size())) != stack::Sent::Dropped;
  }

  [[nodiscard]] std::uint64_t drops(wire::Drop why) const { return stack.counters().drops.of(why); }

 private:
  std::uint64_t echo_turn_ = 0;

  static port::PortCapabilities with_mac(port::PortCapabilities capabilities, std::uint8_t n) {
    capabilities.mac = mac_of(n);
    return capabilities;
  }
};

/// Time, and everybody's turn.
class StackWorld {
 public:
  explicit StackWorld(const SimWireOptions& options = {}) : wire(options) {}

  SimWire wire;
  Instant now = Instant{} + seconds(1);
  std::vector<std::unique_ptr<SimHost>> hosts;

  SimHost& add(std::uint8_t n, const HostOptions& options = {}) {
    hosts.push_back(std::make_unique<SimHost>(wire, n, options));
    return *hosts.back();
  }
  SimHost& add(std::uint8_t n, const HostOptions& options, const ip::HostAddresses& addresses) {
    hosts.push_back(std::make_unique<SimHost>(wire, n, options, addresses));
    return *hosts.back();
  }

  void run(Duration time, Duration step = microseconds(100)) {
    const Instant end = now + time;
    while (now < end) {
      now = now + step;
      for (const auto& host : hosts) {
        host->turn(now);
      }
    }
  }
  bool until(const std::function<bool()>& holds, Duration at_most = seconds(10)) {
    const Instant end = now + at_most;
    while (!holds() && now < end) {
      run(milliseconds(1));
    }
    return holds();
  }
};

}  // namespace millrace::tests
