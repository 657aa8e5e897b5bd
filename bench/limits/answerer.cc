// answerer [--bare] [PORT [VALUE_BYTES]]: answers every line it is sent with the same value, without reading what the
// line says. What a cache server on this transport would reach if parsing, hashing and memory cost nothing: the ceiling
// to read a server's figures against, and the proof that the generator can drive that much. With --bare it stands on
// io_uring alone (bare_server.h): what the transport costs is the difference. Loopback only. Prints its port; ends with
// SIGINT or SIGTERM. For single-key gets; a set's data block would count as a line of its own.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "bench/limits/arguments.h"
#include "bench/limits/bare_server.h"
#include "dataplane/uring/listener.h"
#include "dataplane/uring/uring_transport.h"

namespace millrace {
namespace {

using dataplane::EventKind;
using dataplane::TxKind;

constexpr std::uint32_t kConnectionsMax = 1024;
constexpr std::uint32_t kRepliesPerSendMax = 256;

std::atomic<bool> g_stop = false;  // a signal handler reaches nothing else

std::string reply_to_a_get(std::uint32_t value_bytes) {
  return fmt::format("VALUE key 0 {}\r\n{}\r\nEND\r\n", value_bytes, std::string(value_bytes, 'v'));
}

std::string repeated(const std::string& text, std::uint32_t times) {
  std::string all;
  for (std::uint32_t i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

class Answerer {
 public:
  Answerer(dataplane::Transport& transport, const std::string& reply)
      : transport_(transport),
        replies_(repeated(reply, kRepliesPerSendMax)),
        reply_bytes_(static_cast<std::uint32_t>(reply.size())) {
    peers_.resize(kConnectionsMax);
    ops_.reserve(kConnectionsMax);
    slices_.reserve(kConnectionsMax);
  }

  void turn(Instant now) {
    const std::size_t count = transport_.poll(now, events_, milliseconds(50));
    ops_.clear();
    slices_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      take(events_[i]);
    }
    for (const std::uint32_t slot : touched_) {
      answer(peers_[slot]);
    }
    touched_.clear();
    std::size_t slice = 0;
    for (dataplane::TxOp& op : ops_) {
      if (op.kind == TxKind::Send) {
        op.slices = {&slices_[slice++], 1};
      }
    }
    transport_.submit(now, ops_);
  }

 private:
  struct Peer {
    ConnId id{};
    std::uint32_t owed = 0;
    bool is_sending = false;
    bool is_open = false;
    bool is_touched = false;
  };

  void take(const dataplane::Event& event) {
    Peer& peer = peers_.at(event.conn.slot);
    switch (event.kind) {
      case EventKind::Opened:
        peer = {.id = event.conn, .owed = 0, .is_sending = false, .is_open = true, .is_touched = false};
        return;
      case EventKind::Bytes:
        peer.owed += static_cast<std::uint32_t>(std::ranges::count(event.bytes, '\n'));
        break;
      case EventKind::Released:
        peer.is_sending = false;
        break;
      case EventKind::PeerFinished:
        ops_.push_back({.kind = TxKind::Close, .conn = event.conn});
        return;
      case EventKind::Datagram:
        break;
      case EventKind::Closed:
        peer.is_open = false;
        return;
    }
    if (!peer.is_touched) {
      peer.is_touched = true;
      touched_.push_back(event.conn.slot);
    }
  }

  void answer(Peer& peer) {
    peer.is_touched = false;
    if (!peer.is_open || peer.is_sending || peer.owed == 0) {
      return;
    }
    const std::uint32_t count = std::min(peer.owed, kRepliesPerSendMax);
    peer.owed -= count;
    peer.is_sending = true;
    slices_.push_back({replies_.data(), count * reply_bytes_});
    ops_.push_back({.kind = TxKind::Send, .conn = peer.id, .token = 0});
  }

  dataplane::Transport& transport_;
  std::string replies_;
  std::uint32_t reply_bytes_;
  std::vector<Peer> peers_;
  std::vector<std::uint32_t> touched_;
  std::vector<dataplane::TxOp> ops_;
  std::vector<dataplane::Slice> slices_;
  std::array<dataplane::Event, 256> events_{};
};

Result<void> serve(std::uint16_t port, std::uint32_t value_bytes, bool is_bare) {
  auto endpoints = dataplane::Endpoint::resolve("127.0.0.1", port);
  if (!endpoints) {
    return std::unexpected(endpoints.error());
  }
  const auto listener = uring::open_listener({.endpoint = endpoints->front()});
  if (!listener) {
    return std::unexpected(listener.error());
  }
  const auto bound = uring::bound_endpoint(*listener);
  if (!bound) {
    return std::unexpected(bound.error());
  }
  fmt::print("{}\n", bound->port());
  std::fflush(stdout);
  const std::string reply = reply_to_a_get(value_bytes);
  if (is_bare) {
    const int error =
        BareServer(*listener, repeated(reply, kRepliesPerSendMax), static_cast<std::uint32_t>(reply.size()))
            .run(g_stop);
    return error == 0 ? Result<void>{} : fail(fmt::format("io_uring: {}", std::strerror(error)));
  }
  uring::UringOptions options;
  options.listeners = {*listener};
  options.connections_max = kConnectionsMax;
  const auto transport = uring::UringTransport::create(options);
  if (!transport) {
    return std::unexpected(transport.error());
  }
  SystemClock clock;
  Answerer answerer(**transport, reply);
  while (!g_stop) {
    answerer.turn(clock.now());
  }
  return {};
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  using namespace millrace;
  const bool is_bare = argc > 1 && std::string_view(argv[1]) == "--bare";
  if (is_bare) {
    --argc;
    ++argv;
  }
  std::uint16_t port = 0;
  std::uint32_t value_bytes = 64;
  if (argc > 3 || (argc > 1 && !parse_number(argv[1], port)) || (argc > 2 && !parse_number(argv[2], value_bytes)) ||
      value_bytes > 65536) {
    fmt::print(stderr, "usage: answerer [--bare] [PORT [VALUE_BYTES up to 65536]]\n");
    return 2;
  }
  struct sigaction action{};
  action.sa_handler = [](int) { g_stop = true; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  if (const auto served = serve(port, value_bytes, is_bare); !served) {
    fmt::print(stderr, "answerer: {}\n", served.error().what);
    return 1;
  }
  return 0;
}
