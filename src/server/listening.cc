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

enum class DoorKind : std::uint8_t {
  Stream,
  Datagram,
  Admin,
};

Result<void> add_resolved(const std::vector<config::ListenAddress>& addresses, DoorKind kind,
                          std::vector<Door>& doors) {
  for (const config::ListenAddress& address : addresses) {
    auto resolved = Endpoint::resolve(address.host, address.port);
    if (!resolved) {
      return std::unexpected(resolved.error());
    }
    for (Endpoint& endpoint : *resolved) {
      endpoint.is_datagram = kind == DoorKind::Datagram;
      doors.push_back(
          {.endpoint = endpoint, .host = address.host, .port = address.port, .is_admin = kind == DoorKind::Admin});
    }
  }
  return {};
}

/// All but those of --udp-aim, in the order of take().
Result<std::vector<Door>> doors_of(const config::Options& options) {
  std::vector<Door> doors;
  if (!options.unix_path.empty()) {
    auto endpoint = Endpoint::unix_path(options.unix_path);
    if (!endpoint) {
      return std::unexpected(endpoint.error());
    }
    doors.push_back({.endpoint = *endpoint, .host = options.unix_path});
  }
  const config::ProcessFacts process = config::read_process_facts();
  for (const auto& [addresses, kind] :
       {std::pair{config::listen_addresses(options, process), DoorKind::Stream},
        std::pair{options.admin_listen, DoorKind::Admin},
        std::pair{config::udp_listen_addresses(options, process), DoorKind::Datagram}}) {
    if (auto added = add_resolved(addresses, kind, doors); !added) {
      return std::unexpected(added.error());
    }
  }
  if (doors.empty()) {
    return fail("nothing to listen on: give -p or -U a port, or -s a path");
  }
  return doors;
}

}  // namespace

Result<Listening> Listening::open(const config::Options& options, std::uint32_t workers) {
  auto doors = doors_of(options);
  if (!doors) {
    return std::unexpected(doors.error());
  }
  std::vector<Door> aimed;
  if (auto added =
          add_resolved(config::aim_listen_addresses(options, config::read_process_facts()), DoorKind::Datagram, aimed);
      !added) {
    return std::unexpected(added.error());
  }
  std::vector<Door> all_doors = *doors;
  all_doors.insert(all_doors.end(), aimed.begin(), aimed.end());
  auto policies = policies_of(options, all_doors);
  if (!policies) {
    return std::unexpected(policies.error());
  }
  if (auto checked = check_open_doors(options, all_doors, *policies); !checked) {
    return std::unexpected(checked.error());
  }
  Listening all;
  all.policies_ = std::move(*policies);
  all.sockets_.resize(workers);
  for (Door& door : *doors) {
    if (auto opened = all.open_door(options, door); !opened) {
      return std::unexpected(opened.error());
    }
  }
  for (Door& door : aimed) {
    if (auto opened = all.open_aimed(door.endpoint); !opened) {
      return std::unexpected(opened.error());
    }
  }
  return all;
}

Result<void> Listening::open_door(const config::Options& options, Door& door) {
  Endpoint& endpoint = door.endpoint;
  if (!endpoint.is_unix() && endpoint.port() == 0 && port_ != 0) {
    endpoint.set_port(port_);  // -p -1: the same free port on every address
  }
  const std::size_t workers = sockets_.size();
  for (std::size_t worker = 0; worker < workers; ++worker) {
    const bool duplicates = endpoint.is_unix() && worker > 0;
    const auto sharing = endpoint.is_unix() || workers == 1 ? uring::PortSharing::Alone
                         : worker == 0                      ? uring::PortSharing::First
                                                            : uring::PortSharing::Next;
    auto socket = duplicates ? uring::duplicate_listener(sockets_[0].back())
                             : uring::open_listener({.endpoint = endpoint,
                                                     .backlog = static_cast<int>(options.listen_backlog),
                                                     .sharing = sharing,
                                                     .unix_mode = options.unix_mode});
    if (!socket) {
      return std::unexpected(socket.error());
    }
    sockets_[worker].push_back(*socket);
    if (worker == 0 && !endpoint.is_unix()) {
      auto bound = uring::bound_endpoint(*socket);
      if (!bound) {
        return std::unexpected(bound.error());
      }
      endpoint = *bound;
      port_ = bound->is_datagram || door.is_admin ? port_ : bound->port();
    }
  }
  addresses_.push_back(endpoint.text() + (endpoint.is_datagram ? " over UDP"
                                          : door.is_admin      ? " for administrators"
                                                               : ""));
  return {};
}

/// A port a worker, from this one on.
Result<void> Listening::open_aimed(Endpoint endpoint) {
  addresses_.push_back(endpoint.text() + " over UDP, a port a worker from there on");
  for (std::vector<int>& row : sockets_) {
    auto socket = uring::open_listener({.endpoint = endpoint, .sharing = uring::PortSharing::Alone});
    if (!socket) {
      return std::unexpected(socket.error());
    }
    row.push_back(*socket);
    endpoint.set_port(static_cast<std::uint16_t>(endpoint.port() + 1));
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
