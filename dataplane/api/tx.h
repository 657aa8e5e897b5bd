// What goes down from a worker to its transport, carried out in order by one submit().
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ids.h"
#include "dataplane/api/datagram.h"

namespace millrace::dataplane {

/// Bytes to send. They stay where they are, unchanged, until the Send's Released event.
struct Slice {
  const char* data = nullptr;
  std::uint32_t size = 0;
  bool must_copy = false;  ///< SendDatagram: not lent even when others of the datagram are
};

enum class TxKind : std::uint8_t {
  Send,    ///< put `slices` on the stream; at most Capabilities::sends_per_connection_max not yet Released
  Close,   ///< orderly: what was sent before is flushed first; Closed follows
  Abort,   ///< at once: what is unsent is dropped (and Released); Closed follows
  Pause,   ///< stop reading. `unconsumed` (the tail of a Bytes event of this turn) is handed back and comes again first
  Resume,  ///< read again; handed-back and held bytes come first, in order
  /// `slices` as one datagram to `flow`, from the socket that its question came to. With token 0 the bytes are copied
  /// (or dropped, and counted) before submit() returns; otherwise they are lent until Released, which names no
  /// connection. Without slices and with `room_bytes`: so much of the room that the question came with.
  SendDatagram,
};

struct TxOp {
  TxKind kind{};
  ConnId conn{};
  std::uint32_t room_bytes = 0;        ///< SendDatagram; `flow` is then the event's own, and `token` 0
  std::uint64_t token = 0;             ///< Send, SendDatagram: named in the Released event
  std::span<const Slice> slices{};     ///< Send, SendDatagram: the array itself is read only during submit()
  std::string_view unconsumed{};       ///< Pause; may be given for several Bytes events of one connection, in order
  const DatagramFlow* flow = nullptr;  ///< SendDatagram: read only during submit()
};

}  // namespace millrace::dataplane
