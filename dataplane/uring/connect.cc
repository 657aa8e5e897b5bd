// Connections we ask for: the traffic generator and tests use them; replication may.
#include "dataplane/uring/uring_transport.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace millrace::uring {

Status UringTransport::connect(const dataplane::Endpoint& to, ConnId& conn) noexcept {
  if (MR_UNLIKELY(!ring_->is_enabled())) {
    enable();
  }
  if (connections_.is_full()) {
    return Status::Exhausted;
  }
  const int fd = socket(to.address.ss_family, (to.is_datagram ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return errno == EAFNOSUPPORT || errno == EINVAL ? Status::Invalid : Status::Exhausted;
  }
  if (!to.is_unix() && !to.is_datagram) {
    const int on = 1;
    static_cast<void>(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
  }
  conn = connections_.take();
  open_connection(conn, fd, ConnectionState::Connecting);
  if (connections_.is_full() && accept_state_ == AcceptState::Running) {
    pause_accepting(AcceptState::TableFull);
  }
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_connect(sqe, fd, reinterpret_cast<const sockaddr*>(&to.address), to.address_bytes);
  io_uring_sqe_set_data64(sqe,
                          UserData{.kind = OpKind::Connect, .slot = conn.slot, .generation = conn.generation}.bits());
  connections_[conn.slot].connect_is_running = true;
  connections_[conn.slot].is_datagram = to.is_datagram;
  ring_->submit_all();  // the address is the caller's; the kernel copies it now
  return Status::Ok;
}

void UringTransport::on_connect(ConnId id, const io_uring_cqe& completion) noexcept {
  Connection* connection = connections_.find(id);
  MR_ASSERT(connection != nullptr && connection->connect_is_running);
  connection->connect_is_running = false;
  to_report_.push_back(id.slot);
  if (connection->state != ConnectionState::Connecting) {
    return;  // aborted meanwhile
  }
  if (completion.res < 0) {
    abort(id, *connection, dataplane::CloseReason::ConnectFailed);
    return;
  }
  connection->state = ConnectionState::Open;
  connection->owes_opened = true;
  arm_receive(id, *connection);
  start_send(id, *connection);
}

}  // namespace millrace::uring
