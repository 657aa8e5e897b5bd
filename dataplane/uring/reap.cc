// What a completion means. Each is looked at once, and leaves its connection in a state that report() can tell.
#include "dataplane/uring/uring_transport.h"

#include <poll.h>

#include <cerrno>

namespace millrace::uring {
namespace {

/// How much of what the peer still sends after our end was shut is read; then it gets a reset.
constexpr std::uint32_t kDrainBytesMax = 64 * 1024;
/// Receives that the kernel makes in a row before it looks for events (its MULTISHOT_MAX_RETRY).
constexpr std::uint32_t kReceivesInARow = 32;

}  // namespace

void UringTransport::reap(const io_uring_cqe& completion, Output& out) noexcept {
  const UserData from = UserData::of(completion.user_data);
  const ConnId id{.slot = from.slot, .generation = from.generation};
  switch (from.kind) {
    case OpKind::Receive:
      return on_receive(id, completion, out);
    case OpKind::Send:
      return on_send(id, from.record, completion);
    case OpKind::Accept:
      return on_accept(from.slot, completion);
    case OpKind::Connect:
      return on_connect(id, completion);
    case OpKind::Datagram:
      return on_datagram(from.slot, completion, out);
    case OpKind::DatagramSend:
      return on_datagram_sent(from.slot, completion);
    case OpKind::Wake:
      was_woken_ = true;
      waker_->acknowledge();
      if ((completion.flags & IORING_CQE_F_MORE) == 0) {
        arm_waker();
      }
      return;
    case OpKind::Doorbell:
      doorbell_armed_ = -1;
      return;
    case OpKind::Cancel:
      // Whether it hit or came too late: the operation's own completion tells.
      return;
  }
  MR_UNREACHABLE();
}

void UringTransport::on_receive(ConnId id, const io_uring_cqe& completion, Output& out) noexcept {
  Connection* connection = connections_.find(id);
  MR_ASSERT(connection != nullptr && connection->receive_is_armed);
  const Received received{.res = completion.res, .flags = completion.flags};
  if (put_off_.has(id.slot) || has_had_its_share(*connection)) {
    put_off_.push(id.slot, received);  // those behind it go first, who have sent less
    ++counters_.receives_put_off;
  } else {
    take_receive(id, *connection, received, out);
  }
}

void UringTransport::take_receive(ConnId id, Connection& connection, const Received& received, Output& out) noexcept {
  const bool is_last = (received.flags & IORING_CQE_F_MORE) == 0;
  if (is_last) {
    connection.receive_is_armed = false;
    connection.receive_is_cancelled = false;
  }
  if ((received.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(received.flags >> IORING_CQE_BUFFER_SHIFT);
    const auto size = static_cast<std::size_t>(received.res > 0 ? received.res : 0);
    take_bytes(id, connection, buffer, {buffers_->bytes(buffer), size}, out);
  }
  if (is_last) {
    if (received.res > 0 && (received.flags & IORING_CQE_F_SOCK_NONEMPTY) == 0) {
      connection.receives_singly = false;
    }
    on_receive_end(id, connection, received.res);
  } else {
    look_for_lost_reset(id, connection, (received.flags & IORING_CQE_F_SOCK_NONEMPTY) != 0);
  }
}

/// A receive that is armed when much has arrived and a reset behind it (the connection was paused, say) takes the bytes
/// in, takes the socket for empty and then waits for an event that has been: Linux 6.18 never tells the reset. So after
/// as much in a row the receive is made anew, which looks at the socket first.
void UringTransport::look_for_lost_reset(ConnId id, Connection& connection, bool has_more) noexcept {
  if (has_more) {
    ++connection.receives_in_a_row;
    return;
  }
  if (connection.receives_in_a_row >= kReceivesInARow) {
    cancel_receive(id, connection);
  }
  connection.receives_in_a_row = 0;
}

void UringTransport::take_bytes(ConnId id, Connection& connection, std::uint16_t buffer, std::string_view bytes,
                                Output& out) noexcept {
  counters_.bytes_received += bytes.size();
  const bool is_open = connection.state == ConnectionState::Open;
  if (is_open && !bytes.empty() && !connection.is_paused && connection.held.empty()) {
    report_bytes(id, connection, bytes, out);
    lent_buffers_.push_back(buffer);
    counters_.receive_buffers_lent = lent_buffers_.size();
    return;
  }
  if (is_open && !bytes.empty()) {
    connection.held.append(bytes);
    counters_.bytes_held_for_paused += bytes.size();
  }
  buffers_->give_back(buffer);
  if (connection.state == ConnectionState::Draining) {
    connection.drained_bytes += static_cast<std::uint32_t>(bytes.size());
    if (connection.drained_bytes >= kDrainBytesMax) {
      start_dying(id, connection);
    }
  }
}

void UringTransport::on_receive_end(ConnId id, Connection& connection, int result) noexcept {
  switch (result) {
    case 0:
      if (connection.is_datagram) {
        break;  // an empty one, which says nothing
      }
      connection.peer_has_finished = true;
      connection.owes_peer_finished = connection.state == ConnectionState::Open;
      if (connection.state == ConnectionState::Draining) {
        start_dying(id, connection);
      }
      break;
    case -ENOBUFS:
      ++counters_.receive_buffers_exhausted;
      starved_.push_back(id.slot);
      break;
    case -ECANCELED:
    case -EINTR:
    case -EAGAIN:
      break;
    default:
      if (result < 0) {
        abort(id, connection, dataplane::CloseReason::Reset);
      }
  }
  if (!starved_.contains(id.slot)) {
    arm_receive(id, connection);
  }
  to_report_.push_back(id.slot);
}

void UringTransport::arm_waker() noexcept {
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_poll_multishot(sqe, waker_->fd(), POLLIN);
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Wake}.bits());
}

}  // namespace millrace::uring
