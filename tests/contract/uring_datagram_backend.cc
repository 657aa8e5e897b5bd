// UringTransport's datagram sockets on loopback: bound to an address and to the wildcard, over IPv4 and IPv6; with
// queues so short that they are full all the time, and with few records for what goes out.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "dataplane/uring/listener.h"
#include "dataplane/uring/uring_transport.h"
#include "tests/contract/backends.h"

namespace millrace::contract {
namespace {

using dataplane::DatagramFlow;
using dataplane::Endpoint;
using dataplane::IpBytes;

IpBytes ip_of(const Endpoint& endpoint) {
  IpBytes bytes{};
  if (endpoint.address.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &endpoint.address, sizeof in);
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &in.sin_addr, 4);
  } else {
    sockaddr_in6 in6;
    std::memcpy(&in6, &endpoint.address, sizeof in6);
    std::memcpy(bytes.data(), &in6.sin6_addr, 16);
  }
  return bytes;
}

/// A connected UDP socket: the kernel gives it only what comes from where it writes to.
class SocketClient final : public DatagramClient {
 public:
  explicit SocketClient(const Endpoint& to) : to_(to), fd_(socket(to.address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const int bytes = 4 << 20;
    setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    EXPECT_EQ(connect(fd_, reinterpret_cast<const sockaddr*>(&to.address), to.address_bytes), 0)
        << std::strerror(errno);
  }
  ~SocketClient() override { close(fd_); }
  SocketClient(const SocketClient&) = delete;
  SocketClient& operator=(const SocketClient&) = delete;

  void send(std::string_view bytes) override {
    EXPECT_EQ(::send(fd_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size())) << std::strerror(errno);
  }
  std::optional<std::string> receive() override {
    std::string bytes(65536, '\0');
    const ssize_t got = recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0) {
      return std::nullopt;
    }
    bytes.resize(static_cast<std::size_t>(got));
    return bytes;
  }
  [[nodiscard]] DatagramFlow flow() const override {
    const auto own = uring::bound_endpoint(fd_);
    return {.peer = ip_of(*own), .local = ip_of(to_), .peer_port = own->port(), .local_port = to_.port()};
  }

 private:
  Endpoint to_;
  int fd_;
};

class UringDatagramBackend final : public DatagramBackend {
 public:
  /// Listens at `listens_at`; clients write to `reached_at`, an address of this host.
  UringDatagramBackend(const char* listens_at, const char* reached_at, uring::UringOptions options = {})
      : listens_at_(listens_at), reached_at_(reached_at), options_(std::move(options)) {}

  std::unique_ptr<dataplane::Transport> make(const DatagramWanted& wanted) override {
    // A stream beside it, as in the server: the numbers of sockets are not those of one kind.
    auto stream = open(false);
    auto datagrams = open(true);
    if (!stream || !datagrams) {
      fmt::print("{}\n", stream ? datagrams.error().what : stream.error().what);
      return nullptr;
    }
    port_ = uring::bound_endpoint(*datagrams)->port();
    uring::UringOptions options = options_;
    options.listeners = {*stream, *datagrams};
    options.datagram_bytes_max = wanted.datagram_bytes_max;
    options.datagram_buffers = wanted.receive_buffers;
    options.datagram_sends = std::min(options_.datagram_sends, wanted.sends_max);
    auto transport = uring::UringTransport::create(options);
    if (!transport) {
      fmt::print("{}\n", transport.error().what);
      return nullptr;
    }
    return std::move(*transport);
  }

  std::unique_ptr<DatagramClient> client() override {
    return std::make_unique<SocketClient>(Endpoint::resolve(reached_at_, port_)->front());
  }
  [[nodiscard]] std::uint16_t listener() const override { return 1; }
  [[nodiscard]] std::size_t datagram_bytes_max() const override { return 65507; }

 private:
  [[nodiscard]] Result<int> open(bool is_datagram) const {
    auto found = Endpoint::resolve(listens_at_, 0);
    if (!found) {
      return std::unexpected(found.error());
    }
    Endpoint endpoint = found->front();
    endpoint.is_datagram = is_datagram;
    return uring::open_listener({.endpoint = endpoint});
  }

  const char* listens_at_;
  const char* reached_at_;
  uring::UringOptions options_;
  std::uint16_t port_ = 0;
};

}  // namespace

std::vector<DatagramBackendMaker> uring_datagram_backends() {
  using Made = std::unique_ptr<DatagramBackend>;
  return {{"UringUdp4", [] -> Made { return std::make_unique<UringDatagramBackend>("127.0.0.1", "127.0.0.1"); }},
          {"UringUdp6", [] -> Made { return std::make_unique<UringDatagramBackend>("::1", "::1"); }},
          {"UringUdpWildcard4", [] -> Made { return std::make_unique<UringDatagramBackend>("0.0.0.0", "127.9.8.7"); }},
          {"UringUdpWildcard6", [] -> Made { return std::make_unique<UringDatagramBackend>("::", "::1"); }},
          {"UringUdpFewRecords",
           [] -> Made {
             return std::make_unique<UringDatagramBackend>("127.0.0.1", "127.0.0.1",
                                                           uring::UringOptions{.datagram_sends = 2});
           }},
          {"UringUdpShortQueues", [] -> Made {
             return std::make_unique<UringDatagramBackend>(
                 "127.0.0.1", "127.0.0.1", uring::UringOptions{.submission_entries = 2, .completion_entries = 4});
           }}};
}

}  // namespace millrace::contract
