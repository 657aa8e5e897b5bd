// Opening of listening sockets, with sentences for what goes wrong.
#include "dataplane/uring/listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/stale_socket.h"

namespace millrace::uring {
namespace {

using dataplane::Endpoint;

/// What a datagram socket may hold in each direction: the answers or questions of a few turns.
constexpr int kDatagramQueueBytes = 4 << 20;

/// Closes the socket unless it is released: set-up has many ways out.
class OwnedSocket {
 public:
  explicit OwnedSocket(int fd) : fd_(fd) {}
  ~OwnedSocket() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  OwnedSocket(const OwnedSocket&) = delete;
  OwnedSocket& operator=(const OwnedSocket&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

const sockaddr* address_of(const Endpoint& endpoint) { return reinterpret_cast<const sockaddr*>(&endpoint.address); }

std::string explain_bind_failure(const Endpoint& endpoint, int error) {
  const std::string where = endpoint.text();
  switch (error) {
    case EADDRINUSE:
      return fmt::format("cannot listen on {}: another process does already; stop it, or choose another {}", where,
                         endpoint.is_unix() ? "path" : "port");
    case EACCES:
    case EPERM:
      if (endpoint.is_unix()) {
        return fmt::format("cannot create the socket {}: no permission to write to its folder", where);
      }
      return fmt::format("cannot listen on {}: no permission; ports below 1024 need CAP_NET_BIND_SERVICE", where);
    case EADDRNOTAVAIL:
      return fmt::format("cannot listen on {}: this host has no such address (see `ip address`)", where);
    case ENOENT:
    case ENOTDIR:
      return fmt::format("cannot create the socket {}: its folder does not exist", where);
    default:
      return fmt::format("cannot listen on {}: {}", where, std::strerror(error));
  }
}

std::optional<std::string> set_flag(int fd, int level, int name, const char* text) {
  const int on = 1;
  if (setsockopt(fd, level, name, &on, sizeof on) == 0) {
    return std::nullopt;
  }
  return fmt::format("a listening socket does not take {}: {}", text, std::strerror(errno));
}

/// As much as the kernel gives us: beyond net.core.rmem_max and wmem_max only the privileged get.
void widen(int fd, int forced, int allowed) {
  const int bytes = kDatagramQueueBytes;
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0) {
    static_cast<void>(setsockopt(fd, SOL_SOCKET, allowed, &bytes, sizeof bytes));
  }
}

Result<void> prepare_tcp(int fd, const ListenerOptions& options) {
  std::optional<std::string> problem = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR");
  if (!problem && options.sharing == PortSharing::Next) {
    problem = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT");
  }
  if (!problem && options.endpoint.address.ss_family == AF_INET6) {
    // The IPv4 wildcard is an endpoint of its own, and on a port of its own if the operator says so.
    problem = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
  }
  if (!problem) {
    problem = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, "TCP_NODELAY");
  }
  if (!problem) {
    problem = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, "SO_KEEPALIVE");
  }
  if (problem) {
    return fail(std::move(*problem));
  }
  return {};
}

/// Without SO_REUSEADDR, with which a second server would take the port over.
Result<void> prepare_udp(int fd, const ListenerOptions& options) {
  std::optional<std::string> problem;
  if (options.sharing == PortSharing::Next) {
    problem = set_flag(fd, SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT");
  }
  if (!problem && options.endpoint.address.ss_family == AF_INET6) {
    problem = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, "IPV6_V6ONLY");
  }
  if (problem) {
    return fail(std::move(*problem));
  }
  widen(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  widen(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  return {};
}

Result<void> prepare_unix(int fd, const ListenerOptions& options) {
  if (auto removed = remove_stale_socket(options.endpoint.text()); !removed) {
    return removed;
  }
  // bind() gives the file the socket's own mode less the umask, so it is never open wider than asked, not even for a
  // moment; umask() instead would change the whole process.
  if (fchmod(fd, options.unix_mode & 0777) != 0) {
    return fail(fmt::format("cannot set the mode of {}: {}", options.endpoint.text(), std::strerror(errno)));
  }
  return {};
}

}  // namespace

Result<int> open_listener(const ListenerOptions& options) {
  const Endpoint& endpoint = options.endpoint;
  OwnedSocket listener(
      socket(endpoint.address.ss_family, (endpoint.is_datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  if (listener.get() < 0) {
    return fail(errno == EAFNOSUPPORT
                    ? fmt::format("cannot listen on {}: this kernel does not speak that family (IPv6 switched off?)",
                                  endpoint.text())
                    : fmt::format("no socket for {}: {}", endpoint.text(), std::strerror(errno)));
  }
  auto prepared = endpoint.is_unix()     ? prepare_unix(listener.get(), options)
                  : endpoint.is_datagram ? prepare_udp(listener.get(), options)
                                         : prepare_tcp(listener.get(), options);
  if (!prepared) {
    return std::unexpected(prepared.error());
  }
  if (bind(listener.get(), address_of(endpoint), endpoint.address_bytes) != 0) {
    return fail(explain_bind_failure(endpoint, errno));
  }
  if (options.sharing == PortSharing::First) {
    if (auto problem = set_flag(listener.get(), SOL_SOCKET, SO_REUSEPORT, "SO_REUSEPORT")) {
      return fail(std::move(*problem));
    }
  }
  if (endpoint.is_unix() && chmod(endpoint.text().c_str(), options.unix_mode & 0777) != 0) {
    return fail(fmt::format("cannot set the mode of {}: {}", endpoint.text(), std::strerror(errno)));
  }
  if (!endpoint.is_datagram && listen(listener.get(), options.backlog) != 0) {
    return fail(explain_bind_failure(endpoint, errno));
  }
  return listener.release();
}

Result<Endpoint> bound_endpoint(int listener) {
  Endpoint endpoint;
  endpoint.address_bytes = sizeof endpoint.address;
  if (getsockname(listener, reinterpret_cast<sockaddr*>(&endpoint.address), &endpoint.address_bytes) != 0) {
    return fail(fmt::format("cannot ask where a socket listens: {}", std::strerror(errno)));
  }
  int type = 0;
  socklen_t type_bytes = sizeof type;
  endpoint.is_datagram = getsockopt(listener, SOL_SOCKET, SO_TYPE, &type, &type_bytes) == 0 && type == SOCK_DGRAM;
  return endpoint;
}

Result<int> duplicate_listener(int listener) {
  const int copy = fcntl(listener, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return fail(fmt::format("cannot duplicate a listening socket: {}", std::strerror(errno)));
  }
  return copy;
}

}  // namespace millrace::uring
