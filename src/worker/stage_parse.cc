// Bytes of a connection become operations. Keys are hashed here, once; what belongs to a neighbour leaves at once,
// because its bytes are gone with the turn; what is ours waits in the batch.

#include "worker/execute_binary.h"
#include "worker/worker.h"

namespace millrace::worker {

void Worker::take_bytes(Connection& connection, std::string_view bytes) noexcept {
  connection.active_s = now_.ns / 1'000'000'000;
  while (!bytes.empty()) {
    if (MR_UNLIKELY(is_tight_) && !connection.is_blocked() && !connection.is_exchange &&
        !connection.replies.is_empty()) {
      block_for_output(connection);
    }
    if (connection.is_blocked()) {
      hand_back(connection, bytes);
      return;
    }
    if (connection.arriving != nullptr) {
      bytes.remove_prefix(take_value(connection, bytes));
      continue;
    }
    protocol::Request request;
    const protocol::Parsed parsed = connection.session.next(bytes, request, scratch_);
    MR_ASSERT(parsed.consumed <= bytes.size());
    const std::string_view in = bytes;
    bytes.remove_prefix(parsed.consumed);
    switch (parsed.found) {
      case protocol::Found::NeedMore:
        MR_ASSERT(bytes.empty());
        return;
      case protocol::Found::Request:
        take_request(connection, request, in);
        break;
      case protocol::Found::ValueBegins:
        begin_value(connection, request);
        break;
      case protocol::Found::Error:
        refuse(connection, parsed.error);
        break;
      case protocol::Found::Close:
        refuse(connection, parsed.error);
        connection.is_closing = true;
        connection.blocked |= kBlockedByClose;
        want_send(connection);
        return;
    }
  }
}

void Worker::take_request(Connection& connection, const protocol::Request& request, std::string_view in) noexcept {
  ++counters_.requests;
  if (MR_UNLIKELY((connection.refused & set_of(request.command)) != 0)) {
    refuse_command(connection, request);
    return;
  }
  if (!protocol::is_about_key(request.command)) {
    execute_admin(connection, request);
    return;
  }
  if (batch_.is_full() || !batch_.has_key_room() || MR_UNLIKELY(is_tight_)) {
    execute_batch();
  }
  Op& op = batch_.add();
  op.request = request;
  op.connection = &connection;
  op.datagram.flow = nullptr;
  op.is_remote = false;
  op.token = 0;
  if (request.key.empty()) {  // the end of a get line whose keys have gone before
    op.is_remote = true;
    return;
  }
  op.hash = hash_key(request.key, shared_.hash_seed);
  const WorkerId owner = owner_of(op.hash);
  if (owner == id_) {
    const bool is_in_event = request.key.data() >= in.data() && request.key.data() < in.data() + in.size();
    if (!is_in_event) {
      op.request.key = batch_.keep(request.key);
    }
    if (MR_UNLIKELY(request.extra_bytes != 0)) {
      op.request.extra_at = batch_.keep(request.extra()).data();
    }
    batch_.will_find({op.request.key, op.hash});
    return;
  }
  op.is_remote = true;
  ReplyNode* hole = ReplyStream::make_hole(memory_, &connection, request.noreply);
  op.token = reinterpret_cast<std::uint64_t>(hole);
  ++holes_outstanding_;
  forward(connection, owner, request, op.hash, op.token);
}

/// Its listener's policy has it so. A get line of several keys is one command.
void Worker::refuse_command(Connection& connection, const protocol::Request& request) noexcept {
  if (request.dialect == protocol::Dialect::Text && protocol::is_retrieval(request.command) && !request.ends_reply) {
    return;
  }
  ++counters_.commands_refused;
  if (request.dialect == protocol::Dialect::Binary) {
    const protocol::binary::Args args = binary_args(request.extra());
    refuse(connection, protocol::binary::error_reply({.opcode = args.opcode, .opaque = args.opaque},
                                                     protocol::binary::Status::UnknownCommand));
    return;
  }
  refuse(connection, request.noreply ? std::string_view{} : protocol::reply::kNotAllowedHere);
}

void Worker::refuse(Connection& connection, std::string_view error) noexcept {
  execute_batch();
  connection.replies.append(memory_, error);
  want_send(connection);
}

void Worker::hand_back(Connection& connection, std::string_view bytes) noexcept {
  if ((connection.blocked & (kBlockedByClose | kWatches)) != 0) {
    return;  // nobody will read them
  }
  if (connection.is_exchange) {
    static_cast<Exchange&>(connection).rest.assign(bytes);  // its datagram is gone with the turn
    return;
  }
  connection.is_paused = true;
  queue_op({.kind = dataplane::TxKind::Pause, .conn = connection.id, .unconsumed = bytes});
}

void Worker::unblock(Connection& connection, Blocked reason) noexcept {
  connection.blocked = static_cast<std::uint8_t>(connection.blocked & ~reason);
  if (!connection.is_blocked() && connection.is_paused) {
    connection.is_paused = false;
    queue_op({.kind = dataplane::TxKind::Resume, .conn = connection.id});
  }
  want_send(connection);
}

}  // namespace millrace::worker
