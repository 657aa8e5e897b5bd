// A connection's first moments, and what to do when there is no room for it: leave it in the kernel's backlog.
#include "dataplane/uring/uring_transport.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace millrace::uring {

void UringTransport::arm_accept(std::uint32_t index) noexcept {
  Listener& listener = listeners_[index];
  if (listener.is_armed || listener.is_datagram) {
    return;
  }
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_multishot_accept(sqe, listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Accept, .slot = index}.bits());
  listener.is_armed = true;
}

void UringTransport::on_accept(std::uint32_t index, const io_uring_cqe& completion) noexcept {
  Listener& listener = listeners_[index];
  if ((completion.flags & IORING_CQE_F_MORE) == 0) {
    listener.is_armed = false;
    listener.is_cancelled = false;
  }
  switch (completion.res) {
    default:
      if (completion.res >= 0) {
        open_accepted(static_cast<std::uint16_t>(index), completion.res);
        break;
      }
      // Unknown trouble may come again at once: rest, rather than spin on it.
      ++counters_.accept_failed_other;
      pause_accepting(AcceptState::NoDescriptor);
      break;
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
      ++counters_.accept_failed_no_descriptor;
      pause_accepting(AcceptState::NoDescriptor);
      break;
    case -ECONNABORTED:
    case -EPROTO:
    case -EPERM:  // a firewall rule
      ++counters_.accept_failed_other;
      break;
    case -ECANCELED:
    case -EINTR:
    case -EAGAIN:
      break;
  }
  if (accept_state_ == AcceptState::Running) {
    arm_accept(index);
  }
}

void UringTransport::open_accepted(std::uint16_t listener, int fd) noexcept {
  if (accept_state_ == AcceptState::Stopped) {
    ::close(fd);
    return;
  }
  const ConnId id = connections_.take();
  if (!id.is_valid()) {
    // Came between our taking the last slot and the kernel's hearing of it.
    ++counters_.accept_failed_table_full;
    ::close(fd);
    return;
  }
  ++counters_.accepted;
  open_connection(id, fd, ConnectionState::Open);
  Connection& connection = connections_[id.slot];
  connection.listener = listener;
  connection.owes_opened = true;
  to_report_.push_back(id.slot);
  arm_receive(id, connection);
  if (connections_.is_full()) {
    pause_accepting(AcceptState::TableFull);
  }
}

void UringTransport::open_connection(ConnId id, int fd, ConnectionState state) noexcept {
  Connection& connection = connections_[id.slot];
  MR_ASSERT(connection.state == ConnectionState::Free && connection.sends.empty() && connection.held.empty());
  MR_ASSERT(!connection.has_operations() && !put_off_.has(id.slot));
  connection.fd = fd;
  connection.state = state;
  connection.reason = dataplane::CloseReason::None;
  connection.listener = 0;
  connection.is_paused = false;
  connection.peer_has_finished = false;
  connection.is_datagram = false;
  connection.owes_opened = false;
  connection.owes_peer_finished = false;
  connection.peer_is_known = false;
  connection.takes_zero_copy = false;
  connection.receives_singly = false;
  connection.bytes_turn = 0;
  connection.bytes_round = 0;
  connection.receives_in_a_row = 0;
  connection.drained_bytes = 0;
  ++counters_.connections_open;
}

void UringTransport::pause_accepting(AcceptState why) noexcept {
  if (accept_state_ != AcceptState::Running) {
    return;
  }
  accept_state_ = why;
  accept_paused_at_ = now_;
  for (std::uint32_t index = 0; index < listeners_.size(); ++index) {
    Listener& listener = listeners_[index];
    if (!listener.is_datagram && listener.is_armed && !listener.is_cancelled) {
      listener.is_cancelled = true;
      cancel({.kind = OpKind::Accept, .slot = index});
    }
  }
}

void UringTransport::resume_accepting() noexcept {
  MR_ASSERT(accept_state_ == AcceptState::NoDescriptor || accept_state_ == AcceptState::TableFull);
  counters_.accept_paused_us += static_cast<std::uint64_t>((now_ - accept_paused_at_).ns / 1000);
  accept_state_ = AcceptState::Running;
  for (std::uint32_t index = 0; index < listeners_.size(); ++index) {
    arm_accept(index);  // one whose cancellation is still under way arms itself when that is done
  }
}

void UringTransport::stop_accepting() noexcept {
  if (accept_state_ == AcceptState::Stopped) {
    return;
  }
  if (accept_state_ == AcceptState::Running && ring_->is_enabled()) {
    pause_accepting(AcceptState::Stopped);
  }
  accept_state_ = AcceptState::Stopped;
  if (ring_->is_enabled()) {
    stop_datagrams();
    ring_->submit_all();  // an entry must not name a number that is another file's by the time the kernel looks
  }
  for (Listener& listener : listeners_) {
    if (!listener.is_datagram) {  // answers still leave from those
      ::close(listener.fd);       // a pending accept holds the socket until its cancellation
      listener.fd = -1;
    }
  }
}

}  // namespace millrace::uring
