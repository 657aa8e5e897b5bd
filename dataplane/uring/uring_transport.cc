// Making and ending a transport, and the questions one can ask it. Cold.
#include "dataplane/uring/uring_transport.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace millrace::uring {
namespace {

using dataplane::Endpoint;

void close_all(const std::vector<int>& descriptors) {
  for (const int fd : descriptors) {
    close(fd);
  }
}

bool is_datagram_socket(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/// In whole cache lines, and an odd number of pairs of them, so that the fronts of the buffers, which is all that a
/// short datagram touches, do not fall on the same few lines of a cache.
std::uint32_t buffer_bytes_for(std::uint32_t datagram_bytes_max) {
  const auto bytes = static_cast<std::uint32_t>(DatagramSocket::front_bytes()) + datagram_bytes_max;
  const std::uint32_t pairs = (bytes + 127) / 128;
  return (pairs | 1) * 128;
}

std::string describe(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  Endpoint endpoint;
  endpoint.address_bytes = sizeof endpoint.address;
  if (fd < 0 || ask(fd, reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.address_bytes) != 0) {
    return {};
  }
  const char* family = endpoint.is_unix() ? "unix" : endpoint.address.ss_family == AF_INET6 ? "tcp6" : "tcp";
  return fmt::format("{}:{}", family, endpoint.text());
}

}  // namespace

Result<std::unique_ptr<UringTransport>> UringTransport::create(const UringOptions& options) {
  const auto refuse = [&options](std::string why) {
    close_all(options.listeners);
    return fail(std::move(why));
  };
  if (options.connections_max == 0 || options.connections_max >= kSlotsMax || options.listeners.size() >= 0xffff) {
    return refuse(fmt::format("a transport takes 1 to {} connections and up to 65534 listeners; asked were {} and {}",
                              kSlotsMax - 1, options.connections_max, options.listeners.size()));
  }
  auto parts = make_parts(options);
  if (!parts) {
    return refuse(std::move(parts.error().what));
  }
  return std::unique_ptr<UringTransport>(new UringTransport(options, std::move(*parts)));
}

Result<UringTransport::Parts> UringTransport::make_parts(const UringOptions& options) {
  Parts parts;
  auto ring = Ring::create(options.submission_entries, options.completion_entries);
  if (!ring) {
    return std::unexpected(ring.error());
  }
  parts.ring = std::move(*ring);
  auto buffers = BufferRing::create(*parts.ring, options.receive_buffers, options.receive_buffer_bytes);
  if (!buffers) {
    return std::unexpected(buffers.error());
  }
  parts.buffers = std::move(*buffers);
  auto waker = EventfdWaker::create();
  if (!waker) {
    return std::unexpected(waker.error());
  }
  parts.waker = std::move(*waker);
  bool has_datagrams = false;
  for (const int fd : options.listeners) {
    Listener listener{.fd = fd, .is_datagram = is_datagram_socket(fd)};
    if (listener.is_datagram) {
      auto described = DatagramSocket::describe(fd);
      if (!described) {
        return std::unexpected(described.error());
      }
      listener.datagrams = *described;
      has_datagrams = true;
    }
    parts.listeners.push_back(listener);
  }
  if (!has_datagrams) {
    return parts;
  }
  auto datagram_buffers = BufferRing::create(*parts.ring, options.datagram_buffers,
                                             buffer_bytes_for(options.datagram_bytes_max), BufferRing::kDatagramGroup);
  if (!datagram_buffers) {
    return std::unexpected(datagram_buffers.error());
  }
  parts.datagram_buffers = std::move(*datagram_buffers);
  parts.records = std::make_unique<DatagramRecords>(options.datagram_sends);
  return parts;
}

UringTransport::UringTransport(const UringOptions& options, Parts parts)
    : options_(options),
      connections_(options.connections_max),
      to_report_(options.connections_max),
      starved_(options.connections_max),
      next_turn_(options.connections_max),
      draining_(options.connections_max),
      listeners_(std::move(parts.listeners)),
      put_off_(options.connections_max),
      waker_(std::move(parts.waker)),
      buffers_(std::move(parts.buffers)),
      datagram_buffers_(std::move(parts.datagram_buffers)),
      records_(std::move(parts.records)),
      ring_(std::move(parts.ring)) {
  orphans_.reserve(64);
  lent_buffers_.reserve(options.receive_buffers);
  if (datagram_buffers_ != nullptr) {
    orphans_.reserve(64 + options.datagram_sends);
    lent_datagram_buffers_.reserve(options.datagram_buffers);
    flows_ = std::make_unique<dataplane::DatagramFlow[]>(options.datagram_buffers);
  }
}

// The kernel must have let go of the worker's slices and of our buffers before their memory goes.
UringTransport::~UringTransport() {
  if (ring_->is_enabled()) {
    cancel_operations();
  }
  close_sockets();
  if (ring_->is_enabled()) {
    await_operations();
  }
  take_back_lent();
}

void UringTransport::cancel_operations() noexcept {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Cancel}.bits());
  ring_->enter();
}

void UringTransport::close_sockets() noexcept {
  for (std::uint32_t slot = 0; slot < connections_.slots(); ++slot) {
    const Connection& connection = connections_[slot];
    if (connection.fd >= 0) {
      if (!connection.sends.empty()) {
        reset_when_closed(connection);  // else a zero-copy send reads its slices until the peer has taken the bytes
      }
      close(connection.fd);
    }
  }
  for (const Listener& listener : listeners_) {
    if (listener.fd >= 0) {
      close(listener.fd);
    }
  }
}

/// Not for ever: whatever is wrong, the process is to end.
void UringTransport::await_operations() noexcept {
  for (int round = 0; round < 100 && ring_->in_flight() > 0; ++round) {
    const int result = ring_->enter_and_sleep(milliseconds(5));
    if (result < 0 && result != -ETIME && result != -EINTR) {
      return;  // not the owner's thread: the kernel cancels when the ring is closed
    }
    while (const io_uring_cqe* completion = ring_->front()) {
      if (UserData::of(completion->user_data).kind == OpKind::Accept && completion->res >= 0) {
        close(completion->res);
      }
      ring_->pop();
    }
  }
}

dataplane::Capabilities UringTransport::capabilities() const noexcept {
  return {.sends_per_connection_max = kSendsPerConnection,
          .slices_per_send_max = kSlicesPerSend,
          .connections_max = connections_.slots()};
}

std::string UringTransport::peer_text(ConnId conn) const {
  const Connection* connection = connections_.find(conn);
  return connection == nullptr ? std::string() : describe(connection->fd, &getpeername);
}

std::string UringTransport::listener_text(ConnId conn) const {
  const Connection* connection = connections_.find(conn);
  return connection == nullptr ? std::string() : describe(connection->fd, &getsockname);
}

}  // namespace millrace::uring
