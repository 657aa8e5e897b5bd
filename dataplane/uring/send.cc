// The stream out: one send of a connection is with the kernel at a time, so that bytes cannot overtake each other.
//
// MSG_WAITALL makes the kernel itself go on after a short send; what is short nevertheless is continued here.
#include "dataplane/uring/uring_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace millrace::uring {
namespace {

constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL;
/// A result is an int; more goes out in several sends.
constexpr std::uint64_t kBytesPerSendMax = 1U << 30;

bool is_unsuited_for_zero_copy(int error) noexcept {
  return error == EOPNOTSUPP || error == ENOMEM || error == ENOBUFS || error == EINVAL;
}

}  // namespace

void UringTransport::send(ConnId id, Connection* connection, const dataplane::TxOp& op) noexcept {
  ++counters_.sends;
  ++counters_.sends_in_flight;
  if (connection == nullptr) {
    orphans_.push_back({.kind = dataplane::EventKind::Released, .conn = id, .token = op.token});
    return;
  }
  const bool goes_out = connection->state == ConnectionState::Open || connection->state == ConnectionState::Connecting;
  connection->sends.push(op.token, goes_out ? op.slices : std::span<const dataplane::Slice>{}, slice_pool_);
  start_send(id, *connection);
  to_report_.push_back(id.slot);
}

void UringTransport::start_send(ConnId id, Connection& connection) noexcept {
  const bool may_send = connection.state == ConnectionState::Open || connection.state == ConnectionState::Flushing;
  if (!may_send || connection.send_is_running || !connection.sends.has_unsent()) {
    return;
  }
  SendRecord& record = connection.sends.current();
  const bool without_copy = wants_zero_copy(connection, record.bytes_left);
  io_uring_sqe* sqe = ring_->entry();
  if (record.block == nullptr) {
    const std::size_t bytes = std::min<std::uint64_t>(record.next->iov_len, kBytesPerSendMax);
    if (without_copy) {
      io_uring_prep_send_zc(sqe, connection.fd, record.next->iov_base, bytes, kFlags, 0);
    } else {
      io_uring_prep_send(sqe, connection.fd, record.next->iov_base, bytes, kFlags);
    }
  } else {
    record.block->message = {};
    record.block->message.msg_iov = record.next;
    record.block->message.msg_iovlen = record.slices_left;
    if (without_copy) {
      io_uring_prep_sendmsg_zc(sqe, connection.fd, &record.block->message, kFlags);
    } else {
      io_uring_prep_sendmsg(sqe, connection.fd, &record.block->message, kFlags);
    }
  }
  counters_.sends_zero_copy += without_copy ? 1 : 0;
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Send,
                                        .record = connection.sends.current_index(),
                                        .slot = id.slot,
                                        .generation = id.generation}
                                   .bits());
  connection.send_is_running = true;
}

void UringTransport::on_send(ConnId id, std::uint8_t index, const io_uring_cqe& completion) noexcept {
  Connection* connection = connections_.find(id);
  MR_ASSERT(connection != nullptr);
  SendRecord& record = connection->sends.record(index);
  to_report_.push_back(id.slot);
  if ((completion.flags & IORING_CQE_F_NOTIF) != 0) {
    MR_ASSERT(record.notifications > 0);
    --record.notifications;
    return;
  }
  MR_ASSERT(connection->send_is_running && index == connection->sends.current_index());
  connection->send_is_running = false;
  if ((completion.flags & IORING_CQE_F_MORE) != 0) {
    ++record.notifications;
  }
  const int result = completion.res;
  if (result > 0) {
    counters_.bytes_sent += static_cast<std::uint64_t>(result);
    connection->sends.advance(static_cast<std::uint64_t>(result), slice_pool_);
  }
  if (connection->state == ConnectionState::Dying) {
    connection->sends.drop_unsent(slice_pool_);
    return;
  }
  if (result <= 0 && result != -EINTR && result != -EAGAIN) {
    if (connection->takes_zero_copy && is_unsuited_for_zero_copy(-result)) {
      connection->takes_zero_copy = false;  // from now on with a copy, this Send too
    } else {
      abort(id, *connection, dataplane::CloseReason::Reset);
      return;
    }
  }
  start_send(id, *connection);
  if (connection->state == ConnectionState::Flushing && !connection->sends.has_unsent()) {
    start_draining(id, *connection);
  }
}

bool UringTransport::wants_zero_copy(Connection& connection, std::uint64_t bytes) noexcept {
  if (MR_LIKELY(options_.zero_copy_bytes_min == 0) || bytes < options_.zero_copy_bytes_min) {
    return false;
  }
  if (!connection.peer_is_known) {
    connection.peer_is_known = true;
    dataplane::Endpoint peer;
    peer.address_bytes = sizeof peer.address;
    const bool is_known =
        getpeername(connection.fd, reinterpret_cast<sockaddr*>(&peer.address), &peer.address_bytes) == 0;
    connection.takes_zero_copy = is_known && ring_->has_zero_copy() && !peer.is_unix() &&
                                 (options_.zero_copy_to_loopback || !peer.is_loopback());
  }
  return connection.takes_zero_copy;
}

}  // namespace millrace::uring
