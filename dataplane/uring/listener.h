// Listening sockets, opened at start and handed to transports. Cold; main thread; the caller owns the descriptors.
//
// TCP: each worker opens its own socket on the same address (SO_REUSEPORT) and the kernel spreads connections over
// them. For port 0 the first one binds, bound_endpoint() tells the number, and the others open that. The first one is
// bound without the option: with it, a second server would quietly take half of the connections of one that runs
// already.
// UDP: the same, one socket a worker; the kernel gives all datagrams of one client's socket (by a hash of addresses and
// ports) to the same worker, and a worker's full queue loses nobody else's.
// Unix: one socket, since a path can be bound once; duplicate_listener() gives each worker a descriptor of it.
#pragma once

#include "base/result.h"
#include "dataplane/api/endpoint.h"

namespace millrace::uring {

/// Who else has the same address.
enum class PortSharing : std::uint8_t {
  Alone,
  First,  ///< others follow
  Next,   ///< one of the others
};

struct ListenerOptions {
  dataplane::Endpoint endpoint;
  int backlog = 1024;  ///< of a stream
  PortSharing sharing = PortSharing::Alone;
  std::uint32_t unix_mode = 0700;  ///< who may connect to a unix socket
};

/// A bound, listening socket; of datagrams when the endpoint says so. What accepted sockets inherit is set here:
/// TCP_NODELAY, SO_KEEPALIVE.
Result<int> open_listener(const ListenerOptions& options);

/// Where a socket is bound: tells the number that port 0 became.
Result<dataplane::Endpoint> bound_endpoint(int listener);

/// Another descriptor of the same listening socket.
Result<int> duplicate_listener(int listener);

}  // namespace millrace::uring
