// What comes up from a transport to its worker. Plain values; the bytes they view belong to the transport until the
// next poll().
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ids.h"
#include "dataplane/api/datagram.h"

namespace millrace::dataplane {

enum class EventKind : std::uint8_t {
  Opened,        ///< a connection was accepted, or one that was asked for with connect() is there
  Bytes,         ///< in-order bytes of a connection: never empty
  PeerFinished,  ///< the peer will send nothing more, but may still read: answer what is owed, then submit Close
  Released,      ///< the slices of the Send with `token` are no longer read; comes exactly once for every Send
  Closed,        ///< the connection is gone; no event for it follows, and every Send was Released before
  Datagram,      ///< a whole datagram came to a listening socket; it belongs to no connection
};

enum class CloseReason : std::uint8_t {
  None,
  PeerClosed,     ///< our Close, after the peer had finished
  Reset,          ///< error on the connection
  Requested,      ///< our own Close or Abort, while the peer might have gone on
  ConnectFailed,  ///< connect() did not succeed
};

struct Event {
  EventKind kind{};
  CloseReason reason = CloseReason::None;  ///< Closed
  std::uint16_t listener = 0;              ///< Opened, Datagram: index of the listener; connect(): 0
  ConnId conn{};
  std::uint64_t token = 0;             ///< Released
  std::string_view bytes{};            ///< Bytes, Datagram
  const DatagramFlow* flow = nullptr;  ///< Datagram: from whom; the transport's until the next poll()
  /// Datagram: where its answer may be written, to go out from there (rule 18); often there is none.
  std::span<char> room{};
};

}  // namespace millrace::dataplane
