// A connection's last moments.
//
// Orderly: when the Sends are out, our end is shut (the peer reads its replies and then the end of the stream), and
// what the peer still sends is read and dropped until it ends too, for at most a second and 64 KiB. Closing at once
// instead would make the kernel answer unread input with a reset, and a reset destroys replies the peer has not read
// yet (RFC 9293 3.10.7.4, RFC 2525 2.17).
#include "dataplane/uring/uring_transport.h"

#include <sys/socket.h>
#include <unistd.h>

namespace millrace::uring {
namespace {

constexpr Duration kDrainTimeMax = seconds(1);

}  // namespace

using dataplane::CloseReason;

void UringTransport::close_orderly(ConnId id, Connection& connection) noexcept {
  if (connection.state == ConnectionState::Connecting) {
    abort(id, connection, CloseReason::ConnectFailed);
    return;
  }
  if (connection.state != ConnectionState::Open) {
    return;
  }
  connection.state = ConnectionState::Flushing;
  connection.reason = connection.peer_has_finished ? CloseReason::PeerClosed : CloseReason::Requested;
  connection.owes_peer_finished = false;
  connection.is_paused = false;
  forget_held(connection);
  if (connection.sends.has_unsent()) {
    arm_receive(id, connection);  // so that a reset is noticed
  } else {
    start_draining(id, connection);
  }
}

void UringTransport::start_draining(ConnId id, Connection& connection) noexcept {
  MR_ASSERT(connection.state == ConnectionState::Flushing && !connection.send_is_running);
  if (connection.peer_has_finished || connection.is_datagram || shutdown(connection.fd, SHUT_WR) != 0) {
    start_dying(id, connection);
    return;
  }
  connection.state = ConnectionState::Draining;
  connection.drain_until_ns = (now_ + kDrainTimeMax).ns;
  draining_.push_back(id.slot);
  arm_receive(id, connection);
}

void UringTransport::abort(ConnId id, Connection& connection, CloseReason reason) noexcept {
  if (connection.state == ConnectionState::Dying) {
    return;
  }
  if (connection.state == ConnectionState::Connecting) {
    reason = CloseReason::ConnectFailed;
  }
  // A connection that was closing, and whose peer then goes away, ends as it was going to.
  if (connection.state != ConnectionState::Draining) {
    connection.reason = reason;
  }
  reset_when_closed(connection);
  start_dying(id, connection);
}

/// What is unsent is dropped then, and the peer told by a reset. A unix socket ignores it.
void UringTransport::reset_when_closed(const Connection& connection) noexcept {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  static_cast<void>(setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once));
}

void UringTransport::start_dying(ConnId id, Connection& connection) noexcept {
  MR_ASSERT(connection.state != ConnectionState::Free && connection.state != ConnectionState::Dying);
  connection.state = ConnectionState::Dying;
  connection.owes_peer_finished = false;
  forget_held(connection);
  draining_.erase(id.slot);
  starved_.erase(id.slot);
  cancel_receive(id, connection);
  if (connection.send_is_running) {
    cancel({.kind = OpKind::Send,
            .record = connection.sends.current_index(),
            .slot = id.slot,
            .generation = id.generation});
  } else {
    connection.sends.drop_unsent(slice_pool_);
  }
  if (connection.connect_is_running) {
    cancel({.kind = OpKind::Connect, .slot = id.slot, .generation = id.generation});
  }
  to_report_.push_back(id.slot);
}

void UringTransport::forget_held(Connection& connection) noexcept {
  counters_.bytes_held_for_paused -= connection.held.clear();
}

void UringTransport::report_end(ConnId id, Connection& connection, Output& out) noexcept {
  if (connection.has_operations()) {
    return;
  }
  if (connection.fd >= 0) {
    // Before the zero-copy notifications: a reset is what makes the kernel give those up.
    ::close(connection.fd);
    connection.fd = -1;
  }
  if (!connection.sends.empty() || out.is_full()) {
    return;
  }
  out.push({.kind = dataplane::EventKind::Closed, .reason = connection.reason, .conn = id});
  connection.state = ConnectionState::Free;
  connections_.give_back(id.slot);
  --counters_.connections_open;
  if (accept_state_ == AcceptState::TableFull || accept_state_ == AcceptState::NoDescriptor) {
    resume_accepting();
  }
}

}  // namespace millrace::uring
