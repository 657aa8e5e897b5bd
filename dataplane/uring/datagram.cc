// Listening datagram sockets: receiving, which nothing but stop_accepting() ends, and answering.
#include "dataplane/uring/uring_transport.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace millrace::uring {
namespace {

constexpr Duration kDatagramRest = milliseconds(100);

}  // namespace

using dataplane::DatagramFlow;
using dataplane::Slice;

void UringTransport::arm_datagrams(std::uint32_t index) noexcept {
  Listener& listener = listeners_[index];
  if (listener.is_armed || accept_state_ == AcceptState::Stopped) {
    return;
  }
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_recvmsg_multishot(sqe, listener.fd, &listener.datagrams.shape, 0);
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = BufferRing::kDatagramGroup;
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Datagram, .slot = index}.bits());
  listener.is_armed = true;
}

void UringTransport::on_datagram(std::uint32_t index, const io_uring_cqe& completion, Output& out) noexcept {
  Listener& listener = listeners_[index];
  const bool is_last = (completion.flags & IORING_CQE_F_MORE) == 0;
  if (is_last) {
    listener.is_armed = false;
    listener.is_cancelled = false;
  }
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    if (completion.res < 0 || accept_state_ == AcceptState::Stopped) {
      datagram_buffers_->give_back(buffer);
    } else {
      take_datagram(index, buffer, static_cast<std::size_t>(completion.res), out);
    }
  }
  if (is_last) {
    on_datagrams_end(index, completion.res);
  }
}

void UringTransport::take_datagram(std::uint32_t index, std::uint16_t buffer, std::size_t size, Output& out) noexcept {
  const ReceivedDatagram received = read_datagram(listeners_[index].datagrams, datagram_buffers_->bytes(buffer), size);
  counters_.datagrams_not_received += received.lost;
  if (received.is_truncated) {
    ++counters_.datagrams_truncated;
    datagram_buffers_->give_back(buffer);
    return;
  }
  ++counters_.datagrams_received;
  counters_.bytes_received += received.bytes.size();
  DatagramFlow& flow = flows_[buffer];
  flow = received.flow;
  flow.socket = static_cast<std::uint16_t>(index);
  lent_datagram_buffers_.push_back(buffer);
  counters_.receive_buffers_lent = lent_buffers_.size() + lent_datagram_buffers_.size();
  out.push({.kind = dataplane::EventKind::Datagram,
            .listener = static_cast<std::uint16_t>(index),
            .bytes = received.bytes,
            .flow = &flow});
}

void UringTransport::on_datagrams_end(std::uint32_t index, int result) noexcept {
  Listener& listener = listeners_[index];
  switch (result) {
    case -ENOBUFS:
      ++counters_.receive_buffers_exhausted;
      wait_with_datagrams(listener, {});  // the next turn gives buffers back
      return;
    case -ECANCELED:
    case -EINTR:
    case -EAGAIN:
      break;
    default:
      if (result < 0) {
        // Unknown trouble may come again at once: rest, rather than spin on it.
        wait_with_datagrams(listener, kDatagramRest);
        return;
      }
  }
  arm_datagrams(index);
}

void UringTransport::wait_with_datagrams(Listener& listener, Duration rest) noexcept {
  listener.waits = true;
  datagrams_wait_until_ = now_ + rest;
  datagrams_wait_ = true;
}

void UringTransport::revive_datagrams() noexcept {
  if (MR_LIKELY(!datagrams_wait_) || datagrams_wait_until_ > now_) {
    return;
  }
  datagrams_wait_ = false;
  for (std::uint32_t index = 0; index < listeners_.size(); ++index) {
    if (listeners_[index].waits) {
      listeners_[index].waits = false;
      arm_datagrams(index);
    }
  }
}

void UringTransport::stop_datagrams() noexcept {
  for (std::uint32_t index = 0; index < listeners_.size(); ++index) {
    Listener& listener = listeners_[index];
    if (listener.is_datagram && listener.is_armed && !listener.is_cancelled) {
      listener.is_cancelled = true;
      cancel({.kind = OpKind::Datagram, .slot = index});
    }
  }
}

void UringTransport::send_datagram(const dataplane::TxOp& op) noexcept {
  MR_ASSERT(op.flow != nullptr && op.slices.size() <= kSlicesPerSend);
  MR_ASSERT(op.flow->socket < listeners_.size() && listeners_[op.flow->socket].is_datagram);
  std::size_t size = 0;
  for (const Slice& slice : op.slices) {
    size += slice.size;
  }
  if (op.token != 0) {
    ++counters_.sends_in_flight;
  }
  if (MR_UNLIKELY(records_->empty() || size > kDatagramCopyBytesMax)) {
    send_datagram_at_once(op);
    return;
  }
  const Listener& listener = listeners_[op.flow->socket];
  const std::uint32_t index = records_->take();
  DatagramRecord& record = (*records_)[index];
  record.token = op.token;
  record.message = {};
  address_datagram(listener.datagrams, *op.flow, record.address, record.message);
  char* end = record.bytes;
  for (const Slice& slice : op.slices) {
    if (slice.size != 0) {
      std::memcpy(end, slice.data, slice.size);
      end += slice.size;
    }
  }
  record.copied = {.iov_base = record.bytes, .iov_len = size};
  record.message.msg_iov = &record.copied;
  record.message.msg_iovlen = 1;
  io_uring_sqe* sqe = ring_->entry();
  io_uring_prep_sendmsg(sqe, listener.fd, &record.message, MSG_NOSIGNAL);
  io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::DatagramSend, .slot = index}.bits());
}

/// More than the records hold: a system call of its own, which keeps nothing. What was submitted before goes first,
/// since some clients take the parts of an answer in order only.
void UringTransport::send_datagram_at_once(const dataplane::TxOp& op) noexcept {
  ring_->submit_all();
  const Listener& listener = listeners_[op.flow->socket];
  iovec slices[kSlicesPerSend];
  DatagramAddress address;
  msghdr message{};
  address_datagram(listener.datagrams, *op.flow, address, message);
  message.msg_iov = slices;
  for (const Slice& slice : op.slices) {
    slices[message.msg_iovlen++] = {.iov_base = const_cast<char*>(slice.data), .iov_len = slice.size};
  }
  count_datagram_sent(op.token, sendmsg(listener.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void UringTransport::on_datagram_sent(std::uint32_t index, const io_uring_cqe& completion) noexcept {
  const std::uint64_t token = (*records_)[index].token;
  records_->give_back(index);
  count_datagram_sent(token, completion.res);
}

void UringTransport::count_datagram_sent(std::uint64_t token, std::int64_t result) noexcept {
  if (result < 0) {
    ++counters_.datagrams_not_sent;
  } else {
    ++counters_.datagrams_sent;
    counters_.bytes_sent += static_cast<std::uint64_t>(result);
  }
  if (token != 0) {
    orphans_.push_back({.kind = dataplane::EventKind::Released, .token = token});
  }
}

}  // namespace millrace::uring
