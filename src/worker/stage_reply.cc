// Replies go to the transport: one Send for what a connection has ready, all Sends of a turn with one submit.

#include <algorithm>

#include "worker/worker.h"

namespace millrace::worker {

using dataplane::TxKind;

/// Called whenever a connection's replies have grown, whatever made them: also what is too much is seen here.
void Worker::want_send(Connection& connection) noexcept {
  if (MR_UNLIKELY(connection.is_exchange)) {
    auto& exchange = static_cast<Exchange&>(connection);
    if (!exchange.is_answering && !exchange.is_too_long && exchange.replies.is_over_exchange_limit()) {
      exchange.is_too_long = true;
      exchange.blocked |= kBlockedByClose;  // what follows in the datagram is not looked at
    }
  } else if (MR_UNLIKELY(connection.replies.is_over_limit()) && (connection.blocked & kBlockedByOutput) == 0) {
    block_for_output(connection);
  }
  if (!connection.is_in_send_list) {
    connection.is_in_send_list = true;
    to_send_.push_back(&connection);
  }
}

void Worker::send_replies() noexcept {
  for (Exchange* exchange : next_turn_) {
    exchange->is_in_next_turn = false;
    want_send(*exchange);
  }
  next_turn_.clear();
  for (std::size_t i = 0; i < to_send_.size(); ++i) {  // it grows when a connection is unblocked
    Connection& connection = *to_send_[i];
    connection.is_in_send_list = false;
    if (connection.is_exchange) {
      advance_exchange(static_cast<Exchange&>(connection));
      continue;
    }
    send_replies_of(connection);
    // Here and not where a Send is released: misses from neighbours leave nothing to send.
    if ((connection.blocked & kBlockedByOutput) != 0 && may_grow(connection.replies)) {
      unblock(connection, kBlockedByOutput);
    }
    close_if_done(connection);
  }
  to_send_.clear();
}

void Worker::send_replies_of(Connection& connection) noexcept {
  if (connection.close_requested) {
    return;
  }
  while (connection.replies.has_sendable() && connection.replies.sends_in_flight() < sends_per_connection_) {
    GatheredSend send;
    if (!connection.replies.gather(memory_, *this, send)) {
      return;
    }
    if (op_slices_used_ == op_slices_.size()) {
      submit_ops();
    }
    auto& slices = op_slices_[op_slices_used_++];
    std::copy_n(send.slices.begin(), send.slice_count, slices.begin());
    queue_op({.kind = TxKind::Send, .conn = connection.id, .slices = {slices.data(), send.slice_count}});
  }
}

void Worker::close_if_done(Connection& connection) noexcept {
  const bool wants_close = connection.is_closing || (connection.peer_finished && !connection.is_paused);
  if (!wants_close || connection.close_requested || !connection.replies.is_empty()) {
    return;
  }
  if ((connection.blocked & (kBlockedByLane | kBlockedByReservation | kBlockedByJob)) != 0) {
    return;  // a reply is still to come
  }
  if (MR_UNLIKELY(watches_connections())) {
    remember_peer(connection);
  }
  connection.close_requested = true;
  connection.blocked |= kBlockedByClose;
  queue_op({.kind = TxKind::Close, .conn = connection.id});
}

void Worker::submit_ops() noexcept {
  if (!ops_.empty()) {
    transport_.submit(now_, ops_);
    ops_.clear();
    op_slices_used_ = 0;
    datagrams_out_.clear();
  }
  end_exchanges();
}

std::span<const char> Worker::lent_next(const Loan& loan, store::ValueCursor& cursor) const noexcept {
  return shared_.partitions[loan.owner]->value_next(loan.item, cursor);
}

void Worker::give_back(const Loan& loan) noexcept {
  if (loan.owner == id_) {
    partition_.unpin(loan.ref);
    return;
  }
  const mesh::Ask unpin{.kind = mesh::AskKind::Unpin, .item = static_cast<std::uint32_t>(loan.ref)};
  push_or_park(nullptr, loan.owner, unpin, {});
}

}  // namespace millrace::worker
