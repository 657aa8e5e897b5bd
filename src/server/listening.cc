#include "server/listening.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "config/parse_cli.h"
#include "dataplane/api/endpoint.h"
#include "dataplane/uring/listener.h"

namespace millrace::server {
namespace {

using dataplane::Endpoint;

Result<void> add_resolved(const std::vector<config::ListenAddress>& addresses, bool is_datagram,
                          std::vector<Endpoint>& endpoints) {
  for (const config::ListenAddress& address : addresses) {
    auto resolved = Endpoint::resolve(address.host, address.port);
    if (!resolved) {
      return std::unexpected(resolved.error());
    }
    for (Endpoint& endpoint : *resolved) {
      endpoint.is_datagram = is_datagram;
      endpoints.push_back(endpoint);
    }
  }
  return {};
}

Result<std::vector<Endpoint>> endpoints_of(const config::Options& options) {
  std::vector<Endpoint> endpoints;
  if (!options.unix_path.empty()) {
    auto endpoint = Endpoint::unix_path(options.unix_path);
    if (!endpoint) {
      return std::unexpected(endpoint.error());
    }
    endpoints.push_back(*endpoint);
  }
  const config::ProcessFacts process = config::read_process_facts();
  if (auto added = add_resolved(config::listen_addresses(options, process), false, endpoints); !added) {
    return std::unexpected(added.error());
  }
  if (auto added = add_resolved(config::udp_listen_addresses(options, process), true, endpoints); !added) {
    return std::unexpected(added.error());
  }
  if (endpoints.empty()) {
    return fail("nothing to listen on: give -p or -U a port, or -s a path");
  }
  return endpoints;
}

}  // namespace

Result<Listening> Listening::open(const config::Options& options, std::uint32_t workers) {
  auto endpoints = endpoints_of(options);
  if (!endpoints) {
    return std::unexpected(endpoints.error());
  }
  Listening all;
  all.sockets_.resize(workers);
  for (Endpoint& endpoint : *endpoints) {
    if (!endpoint.is_unix() && endpoint.port() == 0 && all.port_ != 0) {
      endpoint.set_port(all.port_);  // -p -1: the same free port on every address
    }
    for (std::uint32_t worker = 0; worker < workers; ++worker) {
      const bool duplicates = endpoint.is_unix() && worker > 0;
      const auto sharing = endpoint.is_unix() || workers == 1 ? uring::PortSharing::Alone
                           : worker == 0                      ? uring::PortSharing::First
                                                              : uring::PortSharing::Next;
      auto socket = duplicates ? uring::duplicate_listener(all.sockets_[0].back())
                               : uring::open_listener({.endpoint = endpoint,
                                                       .backlog = static_cast<int>(options.listen_backlog),
                                                       .sharing = sharing,
                                                       .unix_mode = options.unix_mode});
      if (!socket) {
        return std::unexpected(socket.error());
      }
      all.sockets_[worker].push_back(*socket);
      if (worker == 0 && !endpoint.is_unix()) {
        auto bound = uring::bound_endpoint(*socket);
        if (!bound) {
          return std::unexpected(bound.error());
        }
        endpoint = *bound;
        all.port_ = bound->is_datagram ? all.port_ : bound->port();
      }
    }
    all.addresses_.push_back(endpoint.text() + (endpoint.is_datagram ? " over UDP" : ""));
  }
  if (auto opened = all.open_aimed(options); !opened) {
    return std::unexpected(opened.error());
  }
  return all;
}

Result<void> Listening::open_aimed(const config::Options& options) {
  std::vector<Endpoint> endpoints;
  const auto addresses = config::aim_listen_addresses(options, config::read_process_facts());
  if (auto added = add_resolved(addresses, true, endpoints); !added) {
    return added;
  }
  for (Endpoint& endpoint : endpoints) {
    addresses_.push_back(endpoint.text() + " over UDP, a port a worker from there on");
    for (std::vector<int>& row : sockets_) {
      auto socket = uring::open_listener({.endpoint = endpoint, .sharing = uring::PortSharing::Alone});
      if (!socket) {
        return std::unexpected(socket.error());
      }
      row.push_back(*socket);
      endpoint.set_port(static_cast<std::uint16_t>(endpoint.port() + 1));
    }
  }
  return {};
}

Listening::~Listening() {
  for (const auto& row : sockets_) {
    for (const int socket : row) {
      close(socket);
    }
  }
}

std::vector<int> Listening::take(std::uint32_t worker) { return std::exchange(sockets_[worker], {}); }

}  // namespace millrace::server
