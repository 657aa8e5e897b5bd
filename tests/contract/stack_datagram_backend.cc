// StackTransport on the simulated wire under rules 15 to 17, alone and beside the kernel's sockets; and the kernel's
// sockets beside it under the rules of streams.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/clock.h"
#include "dataplane/compose/composite_transport.h"
#include "dataplane/stack/stack_transport.h"
#include "dataplane/uring/listener.h"
#include "dataplane/uring/uring_transport.h"
#include "tests/contract/backends.h"
#include "tests/support/stack_world.h"

namespace millrace::contract {
namespace {

using dataplane::DatagramFlow;
using tests::SimHost;
using tests::SimPort;
using tests::SimWire;

constexpr std::uint16_t kServed = 11211;
constexpr std::uint16_t kFrameSocketBase = 0x8000;
constexpr std::uint32_t kBuffers = 8192;

/// A host of ours with clients on it, at the other end of the wire.
class Peer {
 public:
  Peer(SimWire& wire, bool is_v4) : host(wire, 2, {.buffers = kBuffers}), is_v4_(is_v4) {}

  [[nodiscard]] wire::IpAddress address(std::uint8_t n) const { return is_v4_ ? tests::v4(10, 0, 0, n) : tests::v6(n); }
  void move() {
    host.turn(clock.now());
    for (; !host.received.empty(); host.received.pop_front()) {
      const SimHost::Received& received = host.received.front();
      if (received.flow.source == address(1) && received.flow.source_port == kServed) {
        answers[received.flow.destination_port].push_back(received.bytes);
      }
    }
  }

  SystemClock clock;
  SimHost host;
  std::map<std::uint16_t, std::deque<std::string>> answers;
  std::uint16_t next_port = 20'000;

 private:
  bool is_v4_;
};

class StackClient final : public DatagramClient {
 public:
  explicit StackClient(Peer& peer) : peer_(peer), port_(peer.next_port++) {
    EXPECT_TRUE(peer.host.stack.bind_udp(port_));
  }
  ~StackClient() override { peer_.host.stack.unbind_udp(port_); }
  StackClient(const StackClient&) = delete;
  StackClient& operator=(const StackClient&) = delete;

  void send(std::string_view bytes) override {
    const Instant now = peer_.clock.now();
    EXPECT_NE(peer_.host.send(now, {.destination = peer_.address(1), .source_port = port_, .destination_port = kServed},
                              bytes),
              stack::Sent::Dropped);
    peer_.host.stack.flush(now);
  }
  std::optional<std::string> receive() override {
    peer_.move();
    auto& answers = peer_.answers[port_];
    if (answers.empty()) {
      return std::nullopt;
    }
    std::string first = std::move(answers.front());
    answers.pop_front();
    return first;
  }
  [[nodiscard]] DatagramFlow flow() const override {
    return {.peer = peer_.address(2).bytes, .local = peer_.address(1).bytes, .peer_port = port_, .local_port = kServed};
  }

 private:
  Peer& peer_;
  std::uint16_t port_;
};

port::PortCapabilities capabilities(bool lends) {
  port::PortCapabilities facts{.mac = tests::mac_of(1)};
  facts.tx_segments_max = lends ? 16 : 1;
  facts.external_max = lends ? 256 : 0;
  return facts;
}

struct Kind {
  bool is_v4 = true;
  bool lends = false;
  bool is_composed = false;
};

class StackDatagramBackend final : public DatagramBackend {
 public:
  explicit StackDatagramBackend(const Kind& kind) : kind_(kind) {}

  std::unique_ptr<dataplane::Transport> make(const DatagramWanted&) override {
    auto stack = stack::StackTransport::create(
        port_, tests::addresses_of(1),
        {.ports = {kServed},
         .socket_base = kFrameSocketBase,
         .stack = {.zero_copy_bytes_min = kind_.lends ? 400U : 0U, .icmp_errors_per_second = 100'000}});
    introduce(**stack);
    if (!kind_.is_composed) {
      return std::move(*stack);
    }
    auto kernel = uring::UringTransport::create({});
    if (!kernel) {
      fmt::print("{}\n", kernel.error().what);
      return nullptr;
    }
    return std::make_unique<compose::CompositeTransport>(std::move(*stack), std::move(*kernel), kFrameSocketBase);
  }
  std::unique_ptr<DatagramClient> client() override { return std::make_unique<StackClient>(peer_); }
  [[nodiscard]] std::uint16_t listener() const override { return kFrameSocketBase; }
  [[nodiscard]] std::size_t datagram_bytes_max() const override { return 65507; }
  [[nodiscard]] bool takes_any_length() const override { return true; }
  [[nodiscard]] bool has_room() const override { return kind_.is_v4; }
  void move() override { peer_.move(); }

 private:
  /// Both know each other's MAC afterwards: only a few datagrams wait for one.
  void introduce(dataplane::Transport& transport) {
    constexpr std::uint16_t kNobody = 9;
    const wire::FlowKey flow{.destination = peer_.address(1), .source_port = kNobody, .destination_port = kNobody};
    (void)peer_.host.send(peer_.clock.now(), flow, "hello");
    dataplane::Event events[4];
    for (int i = 0; i < 10; ++i) {
      peer_.move();
      EXPECT_EQ(transport.poll(peer_.clock.now(), events, {}), 0U);
    }
    EXPECT_TRUE(peer_.host.stack.neighbors().is_known(peer_.address(1)));
  }

  Kind kind_;
  SimWire wire_{{.delay = nanoseconds(0)}};
  SimPort port_{wire_, capabilities(kind_.lends), kBuffers};
  Peer peer_{wire_, kind_.is_v4};
};

/// TCP by the kernel, with a stack beside it that nobody speaks to.
class ComposedStreamBackend final : public Backend {
 public:
  std::unique_ptr<dataplane::Transport> make(const Wanted& wanted) override {
    auto listener = uring::open_listener({.endpoint = dataplane::Endpoint::resolve("127.0.0.1", 0)->front()});
    if (!listener) {
      fmt::print("{}\n", listener.error().what);
      return nullptr;
    }
    bound_ = *uring::bound_endpoint(*listener);
    auto kernel = uring::UringTransport::create({.listeners = {*listener},
                                                 .connections_max = wanted.connections_max,
                                                 .receive_buffers = wanted.receive_buffers,
                                                 .receive_buffer_bytes = wanted.receive_buffer_bytes});
    if (!kernel) {
      fmt::print("{}\n", kernel.error().what);
      return nullptr;
    }
    auto stack = stack::StackTransport::create(port_, tests::addresses_of(1),
                                               {.ports = {kServed}, .socket_base = kFrameSocketBase});
    return std::make_unique<compose::CompositeTransport>(std::move(*stack), std::move(*kernel), kFrameSocketBase);
  }
  [[nodiscard]] dataplane::Endpoint endpoint() const override { return bound_; }
  [[nodiscard]] bool has_resets() const override { return true; }

 private:
  SimWire wire_{{.delay = nanoseconds(0)}};
  SimPort port_{wire_, capabilities(false)};
  dataplane::Endpoint bound_{};
};

template <bool kIsV4, bool kLends, bool kIsComposed>
std::unique_ptr<DatagramBackend> made() {
  return std::make_unique<StackDatagramBackend>(Kind{.is_v4 = kIsV4, .lends = kLends, .is_composed = kIsComposed});
}

}  // namespace

std::vector<BackendMaker> composed_backends() {
  return {{"Composed", [] -> std::unique_ptr<Backend> { return std::make_unique<ComposedStreamBackend>(); }}};
}

std::vector<DatagramBackendMaker> stack_datagram_backends() {
  return {{"Stack4", &made<true, false, false>},
          {"Stack6", &made<false, false, false>},
          {"Stack4Lends", &made<true, true, false>},
          {"Composed4", &made<true, false, true>},
          {"Composed6Lends", &made<false, true, true>}};
}

}  // namespace millrace::contract
