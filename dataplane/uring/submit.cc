// Carrying out the worker's operations: entries for the submission queue, which the next poll() takes to the kernel.
#include "dataplane/uring/uring_transport.h"

namespace millrace::uring {

using dataplane::TxKind;

void UringTransport::submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept {
  if (MR_UNLIKELY(!ring_->is_enabled())) {
    enable();
  }
  now_ = now;
  turn_slept_ = false;  // `now` is later than that
  for (const dataplane::TxOp& op : ops) {
    if (op.kind == TxKind::SendDatagram) {
      send_datagram(op);
      continue;
    }
    Connection* connection = connections_.find(op.conn);
    if (op.kind == TxKind::Send) {
      send(op.conn, connection, op);
      continue;
    }
    if (connection == nullptr) {
      continue;
    }
    switch (op.kind) {
      case TxKind::Send:
      case TxKind::SendDatagram:
        break;
      case TxKind::Close:
        close_orderly(op.conn, *connection);
        break;
      case TxKind::Abort:
        abort(op.conn, *connection, dataplane::CloseReason::Requested);
        break;
      case TxKind::Pause:
        pause(op.conn, *connection, op.unconsumed);
        break;
      case TxKind::Resume:
        resume(op.conn, *connection);
        break;
    }
  }
}

void UringTransport::pause(ConnId id, Connection& connection, std::string_view unconsumed) noexcept {
  if (connection.state != ConnectionState::Open) {
    return;
  }
  if (!unconsumed.empty()) {
    connection.held.hand_back(unconsumed, turn_);
    counters_.bytes_held_for_paused += unconsumed.size();
  }
  connection.is_paused = true;
  cancel_receive(id, connection);
}

void UringTransport::resume(ConnId id, Connection& connection) noexcept {
  if (connection.state != ConnectionState::Open) {
    return;
  }
  connection.is_paused = false;
  to_report_.push_back(id.slot);  // held bytes first; then it arms the receive
}

/// Does nothing when the connection receives already, or has no reason to.
void UringTransport::arm_receive(ConnId id, Connection& connection) noexcept {
  const bool wants_bytes =
      connection.state == ConnectionState::Open && !connection.is_paused && connection.held.empty();
  const bool wants_end = connection.state == ConnectionState::Flushing || connection.state == ConnectionState::Draining;
  if ((!wants_bytes && !wants_end) || connection.receive_is_armed || connection.peer_has_finished) {
    return;
  }
  io_uring_sqe* sqe = ring_->entry();
  connection.receives_singly = connection.receives_singly && measure_.is_lowered();
  if (MR_UNLIKELY(connection.receives_singly)) {
    io_uring_prep_recv(sqe, connection.fd, nullptr, 0, 0);
  } else {
    io_uring_prep_recv_multishot(sqe, connection.fd, nullptr, 0, 0);
  }
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kGroup;
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Receive, .slot = id.slot, .generation = id.generation}.bits());
  connection.receive_is_armed = true;
}

void UringTransport::cancel_receive(ConnId id, Connection& connection) noexcept {
  if (connection.receive_is_armed && !connection.receive_is_cancelled) {
    connection.receive_is_cancelled = true;
    cancel({.kind = OpKind::Receive, .slot = id.slot, .generation = id.generation});
  }
}

void UringTransport::cancel(UserData target) noexcept {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_cancel64(sqe, target.bits(), 0);
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Cancel}.bits());
}

}  // namespace millrace::uring
