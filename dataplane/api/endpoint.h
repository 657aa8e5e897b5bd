// Addresses to listen on and to connect to. Built at start on the main thread, read by every worker afterwards.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::dataplane {

/// One socket address: IPv4, IPv6 or a unix path, in the kernel's own form.
struct Endpoint {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  bool is_datagram = false;  ///< connect(): UDP instead of a stream; not for a unix path

  [[nodiscard]] bool is_unix() const noexcept { return address.ss_family == AF_UNIX; }
  [[nodiscard]] bool is_loopback() const noexcept;
  /// The port in host order; 0 for a unix path.
  [[nodiscard]] std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  /// `127.0.0.1:11211`, `[::1]:11211` or `/run/x.sock`.
  [[nodiscard]] std::string text() const;

  static Result<Endpoint> unix_path(std::string_view path);
  /// Every address that `host` (a literal or a name) stands for, with `port`.
  static Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port);
};

}  // namespace millrace::dataplane
