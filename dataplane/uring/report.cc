// Telling the worker: the events of a connection in the order the contract asks for, as far as there is room.
//
// Opened, then Released as Sends end, then held bytes, PeerFinished, and last Closed.
#include "dataplane/uring/uring_transport.h"

namespace millrace::uring {

using dataplane::EventKind;

void UringTransport::report(Output& out) noexcept {
  if (MR_UNLIKELY(!orphans_.empty())) {
    report_orphans(out);
  }
  while (!to_report_.empty() && !out.has_enough()) {
    const std::uint32_t slot = to_report_.pop_front();
    report_connection(slot, out);
    if (out.has_enough() && connections_[slot].state != ConnectionState::Free) {
      to_report_.push_front(slot);  // perhaps it has more to say
    }
  }
}

void UringTransport::report_connection(std::uint32_t slot, Output& out) noexcept {
  Connection& connection = connections_[slot];
  if (connection.state == ConnectionState::Free) {
    return;
  }
  const ConnId id = id_of(slot);
  if (connection.owes_opened) {
    connection.owes_opened = false;
    out.push({.kind = EventKind::Opened, .listener = connection.listener, .conn = id});
  }
  report_released(id, connection, out);
  if (connection.state == ConnectionState::Open && !connection.is_paused) {
    report_held(id, connection, out);
  }
  if (connection.state == ConnectionState::Dying) {
    report_end(id, connection, out);
  }
}

void UringTransport::report_released(ConnId id, Connection& connection, Output& out) noexcept {
  while (connection.sends.is_first_released() && !out.is_full()) {
    out.push({.kind = EventKind::Released, .conn = id, .token = connection.sends.pop_released()});
    --counters_.sends_in_flight;
  }
}

void UringTransport::report_bytes(ConnId id, Connection& connection, std::string_view bytes, Output& out) noexcept {
  connection.bytes_told = bytes.size() + (connection.bytes_round == round_ ? connection.bytes_told : 0);
  connection.bytes_round = round_;
  connection.bytes_turn = turn_;
  out.push({.kind = EventKind::Bytes, .conn = id, .bytes = bytes});
}

void UringTransport::report_held(ConnId id, Connection& connection, Output& out) noexcept {
  while (!connection.held.empty() && !out.has_enough()) {
    if (connection.bytes_turn == turn_ && has_had_its_share(connection)) {
      next_turn_.push_back(id.slot);
      return;
    }
    HeldBytes::Chunk* chunk = connection.held.pop();
    counters_.bytes_held_for_paused -= chunk->size;
    chunk->next = lent_chunks_;
    lent_chunks_ = chunk;
    report_bytes(id, connection, chunk->bytes(), out);
  }
  if (!connection.held.empty()) {
    return;
  }
  report_peer_finished(id, connection, out);
  if (!starved_.contains(id.slot)) {
    arm_receive(id, connection);
  }
}

/// Not in a turn with Bytes: the worker may hand those back, and then they would come after their own end.
void UringTransport::report_peer_finished(ConnId id, Connection& connection, Output& out) noexcept {
  if (!connection.owes_peer_finished || out.is_full()) {
    return;
  }
  if (connection.bytes_turn == turn_) {
    next_turn_.push_back(id.slot);
    return;
  }
  connection.owes_peer_finished = false;
  out.push({.kind = EventKind::PeerFinished, .conn = id});
}

void UringTransport::report_orphans(Output& out) noexcept {
  std::size_t told = 0;
  for (; told < orphans_.size() && !out.is_full(); ++told) {
    out.push(orphans_[told]);
    --counters_.sends_in_flight;
  }
  orphans_.erase(orphans_.begin(), orphans_.begin() + static_cast<std::ptrdiff_t>(told));
}

}  // namespace millrace::uring
