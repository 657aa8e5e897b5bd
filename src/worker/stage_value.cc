// A value that arrives in pieces, or whose memory another core has to find.
//
//   small                gathered beside the connection, then stored like one that came whole
//   large, ours          straight into a reserved item: each byte is copied once
//   large, a neighbour's the owner reserves the item; this core writes the bytes into it (they are on loan to this core
//   and
//                        to nobody else), then tells the owner to commit. The connection is not read meanwhile.
//
// Memory for a large value is found in steps, one a turn, while its connection is not read: by this core or by the
// owner, who answers when it is whole. A connection that goes away in the middle gives the memory back:
// abandon_value().

#include <algorithm>
#include <cstring>

#include "worker/copy_bytes.h"
#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

std::unique_ptr<ArrivingValue> start_value(const protocol::Request& request, KeyHash hash, WorkerId owner,
                                           store::Seconds expires_at, std::uint32_t value_room) {
  auto value = std::make_unique<ArrivingValue>();
  value->request = request;
  value->hash = hash;
  value->owner = owner;
  value->expires_at = expires_at;
  value->key_bytes = static_cast<std::uint32_t>(request.key.size());
  value->bytes = std::make_unique<char[]>(value->text_bytes() + value_room);
  std::memcpy(value->bytes.get(), request.key.data(), value->key_bytes);
  copy_bytes(value->bytes.get() + value->key_bytes, request.extra());
  value->request.key = {value->bytes.get(), value->key_bytes};
  value->request.extra_at = value->bytes.get() + value->key_bytes;
  value->request.value = {};
  return value;
}

}  // namespace

void Worker::begin_value(Connection& connection, const protocol::Request& request) noexcept {
  ++counters_.requests;
  if (MR_UNLIKELY((connection.refused & set_of(request.command)) != 0)) {
    connection.session.skip_value();
    refuse_command(connection, request);
    return;
  }
  execute_batch();
  const KeyHash hash = hash_key(request.key, shared_.hash_seed);
  const WorkerId owner = owner_of(hash);
  if (request.value_bytes <= kGatheredValueBytesMax) {
    connection.arriving = start_value(request, hash, owner, expiry_of(request.exptime), request.value_bytes);
  } else if (owner == id_) {
    begin_local_value(connection, request, hash);
  } else {
    ++counters_.asks_sent;
    reserve_remotely(connection, owner, request, hash, 0);
  }
}

void Worker::begin_local_value(Connection& connection, const protocol::Request& request, KeyHash hash) noexcept {
  connection.arriving = start_value(request, hash, id_, expiry_of(request.exptime), 0);
  ArrivingValue& value = *connection.arriving;
  const store::StoreMode mode = store_mode(request.command);
  value.into = ArrivingValue::Into::Item;
  if (request.value_bytes <= kReservedAtOnceBytesMax) {
    const store::Outcome outcome = partition_.reserve({request.key, hash}, request.value_bytes, now_s_,
                                                      value.reservation, mode, brings_cas(request));
    if (outcome != store::Outcome::Stored) {
      refuse_value(connection, outcome);
      return;
    }
    if (value.reservation.is_whole()) {
      return;
    }
  }
  // Not begun, or not whole after the first step: even a value of three chunks may have had to take pages from others.
  value.into = ArrivingValue::Into::GrowingItem;
  connection.blocked |= kBlockedByReservation;
  reserving_.push_back({.key = std::string(request.key),
                        .hash = hash,
                        .value_bytes = request.value_bytes,
                        .mode = mode,
                        .with_given_cas = brings_cas(request),
                        .reservation = value.reservation,
                        .connection = &connection});
}

bool Worker::advance_reservations() noexcept {
  if (MR_LIKELY(reserving_.empty())) {
    return false;
  }
  const std::uint64_t looked_before = partition_.counters().slots_looked;
  // One step that had to take memory away is a turn's share; steps that found it free are cheap.
  for (std::uint32_t step = 0; step < kReserveStepsMax && !reserving_.empty(); ++step) {
    reserving_next_ = reserving_next_ < reserving_.size() ? reserving_next_ : 0;
    OpenReservation& open = reserving_[reserving_next_];
    advance_reservation(open);
    const bool is_over = open.outcome != store::Outcome::Stored || open.reservation.is_whole();
    if (is_over && settle_reservation(open)) {
      reserving_.erase(reserving_.begin() + static_cast<std::ptrdiff_t>(reserving_next_));
    } else {
      ++reserving_next_;
    }
    if (partition_.counters().slots_looked != looked_before) {
      break;
    }
  }
  return true;
}

void Worker::advance_reservation(OpenReservation& open) noexcept {
  if (!open.reservation.is_valid()) {
    if (open.outcome == store::Outcome::Stored) {
      open.outcome = partition_.reserve({open.key, open.hash}, open.value_bytes, now_s_, open.reservation, open.mode,
                                        open.with_given_cas);
    }
  } else if (!open.reservation.is_whole()) {
    open.outcome = partition_.continue_reserve(open.reservation, open.hash, open.mode, now_s_);
  }
}

/// Tells whoever waits. False: the lane to the asker has no room yet.
bool Worker::settle_reservation(const OpenReservation& open) noexcept {
  if (open.connection == nullptr) {
    mesh::SlotRing& answers = port_.answers_to(open.asker);
    std::byte* run = answers.reserve(mesh::kAnswerSlotsMax);
    if (run == nullptr) {
      return false;
    }
    AnswerSink sink(run);
    sink.reserved(open.token, open.outcome, open.reservation);
    answers.commit(sink.finish());
    return true;
  }
  Connection& connection = *open.connection;
  ArrivingValue& value = *connection.arriving;
  MR_ASSERT(value.into == ArrivingValue::Into::GrowingItem);
  value.into = ArrivingValue::Into::Item;
  value.reservation = open.reservation;
  if (open.outcome != store::Outcome::Stored) {
    refuse_value(connection, open.outcome);
  }
  unblock(connection, kBlockedByReservation);
  return true;
}

/// Asks the owner for memory. `token` is the hole of a value that came whole (its views are copied here), 0 for one
/// that is still arriving.
void Worker::reserve_remotely(Connection& connection, WorkerId owner, const protocol::Request& request, KeyHash hash,
                              std::uint64_t token) noexcept {
  MR_ASSERT(connection.arriving == nullptr);
  const std::string_view whole = request.value;
  connection.arriving =
      start_value(request, hash, owner, expiry_of(request.exptime), static_cast<std::uint32_t>(whole.size()));
  ArrivingValue& value = *connection.arriving;
  value.into = ArrivingValue::Into::AwaitingItem;
  value.is_whole = !whole.empty();
  value.reply_token = token;
  copy_bytes(value.value_at(), whole);
  value.awaiting = ReplyStream::make_hole(memory_, &connection);
  ++holes_outstanding_;
  connection.blocked |= kBlockedByReservation;
  const mesh::Ask ask{.kind = mesh::AskKind::Reserve,
                      .detail = static_cast<std::uint8_t>(request.command),
                      .key_bytes = static_cast<std::uint8_t>(value.key_bytes),
                      .hash = hash.bits,
                      .token = reinterpret_cast<std::uint64_t>(value.awaiting),
                      .number = request.value_bytes,
                      .flags = brings_cas(request) ? 1U : 0U};
  push_or_park(&connection, owner, ask, {.key = value.request.key});
}

void Worker::take_reserved(WorkerId from, const mesh::Answer& answer) noexcept {
  auto* awaiting = reinterpret_cast<ReplyNode*>(answer.token);
  Connection* connection = awaiting->connection;
  memory_.free_node(awaiting);
  --holes_outstanding_;
  if (connection == nullptr) {
    if (answer.item != 0) {
      const mesh::Ask abort{.kind = mesh::AskKind::Abort, .value_bytes = answer.value_bytes, .item = answer.item};
      push_or_park(nullptr, from, abort, {});
    }
    return;
  }
  ArrivingValue& value = *connection->arriving;
  MR_ASSERT(value.into == ArrivingValue::Into::AwaitingItem && value.awaiting == awaiting);
  value.awaiting = nullptr;
  value.into = ArrivingValue::Into::Item;
  value.reservation = {.ref = store::ItemRef{answer.item}, .value_bytes = answer.value_bytes};
  if (answer.item == 0) {
    refuse_value(*connection, static_cast<store::Outcome>(answer.outcome));
  } else if (value.is_whole) {
    receive_into_item(value, {value.value_at(), value.request.value_bytes});
    finish_value(*connection, false);
  }
  unblock(*connection, kBlockedByReservation);
}

/// The next part of a data block; returns what was consumed of `bytes`.
std::uint32_t Worker::take_value(Connection& connection, std::string_view bytes) noexcept {
  ArrivingValue& value = *connection.arriving;
  const protocol::ValueTaken taken = connection.session.take_value(bytes);
  MR_ASSERT(taken.consumed > 0 && value.received + taken.bytes.size() <= value.request.value_bytes);
  if (value.into == ArrivingValue::Into::Gather) {
    copy_bytes(value.value_at() + value.received, taken.bytes);
    value.received += static_cast<std::uint32_t>(taken.bytes.size());
  } else {
    receive_into_item(value, taken.bytes);
  }
  if (taken.is_over) {
    finish_value(connection, taken.is_bad);
  }
  return taken.consumed;
}

void Worker::receive_into_item(ArrivingValue& value, std::string_view bytes) noexcept {
  store::Partition& owner = *shared_.partitions[value.owner];
  while (!bytes.empty()) {
    const std::span<char> room = owner.reserved_span(value.reservation, value.received);
    MR_ASSERT(!room.empty());
    const std::size_t part = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), part);
    value.received += static_cast<std::uint32_t>(part);
    bytes.remove_prefix(part);
  }
}

void Worker::finish_value(Connection& connection, bool is_bad) noexcept {
  const std::unique_ptr<ArrivingValue> value = std::move(connection.arriving);
  if (is_bad) {
    give_back_reservation(*value);
    if (!value->request.noreply) {
      refuse(connection, protocol::reply::kBadChunk);
    }
    return;
  }
  value->request.exptime = exptime_until(value->expires_at);
  if (value->into == ArrivingValue::Into::Item) {
    commit_value(connection, *value);
    return;
  }
  value->request.value = {value->value_at(), value->request.value_bytes};
  --counters_.requests;  // counted when it began
  take_request(connection, value->request, value->request.key);
  execute_batch();  // its views end here
}

void Worker::commit_value(Connection& connection, const ArrivingValue& value) noexcept {
  const protocol::Request& request = value.request;
  if (value.owner == id_) {
    LocalSink sink(*this, connection, request.noreply);
    commit({.command = request.command,
            .dialect = request.dialect,
            .key = {request.key, value.hash},
            .flags = request.flags,
            .expires_at = expiry_of(request.exptime),
            .number = request.number,
            .extra = request.extra()},
           value.reservation, sink);
    want_send(connection);
    return;
  }
  std::uint64_t token = value.reply_token;
  if (token == 0) {
    ReplyNode* hole = ReplyStream::make_hole(memory_, &connection, request.noreply);
    connection.replies.link_hole(hole);
    ++holes_outstanding_;
    token = reinterpret_cast<std::uint64_t>(hole);
  }
  const mesh::Ask ask{.kind = mesh::AskKind::Commit,
                      .detail = static_cast<std::uint8_t>(request.command),
                      .key_bytes = static_cast<std::uint8_t>(value.key_bytes),
                      .extra_bytes = request.extra_bytes,
                      .dialect = static_cast<std::uint8_t>(request.dialect),
                      .hash = value.hash.bits,
                      .token = token,
                      .number = request.number,
                      .flags = request.flags,
                      .expires_at = expiry_of(request.exptime),
                      .value_bytes = value.reservation.value_bytes,
                      .item = static_cast<std::uint32_t>(value.reservation.ref)};
  push_or_park(&connection, value.owner, ask, {.key = request.key, .extra = request.extra()});
}

std::string_view refusal_line(const protocol::Request& request, store::Outcome outcome, RefusalRoom& room) noexcept {
  if (request.dialect != protocol::Dialect::Binary) {
    return request.noreply ? std::string_view{} : outcome_line(outcome);
  }
  const protocol::binary::Args args = binary_args(request.extra());
  const char* const end =
      write_error(room.data(), protocol::binary::Asked{.opcode = args.opcode, .opaque = args.opaque},
                  binary_status(outcome, request.command));
  return {room.data(), static_cast<std::size_t>(end - room.data())};
}

/// No memory for it: the reply says so, and the data block is swallowed.
void Worker::refuse_value(Connection& connection, store::Outcome outcome) noexcept {
  const std::unique_ptr<ArrivingValue> value = std::move(connection.arriving);
  RefusalRoom room;
  const std::string_view line = refusal_line(value->request, outcome, room);
  if (!value->is_whole) {
    connection.session.skip_value();
  }
  if (value->reply_token != 0) {
    auto* hole = reinterpret_cast<ReplyNode*>(value->reply_token);
    --holes_outstanding_;
    connection.replies.fill_hole(memory_, hole, line, nullptr);
    want_send(connection);
  } else {
    refuse(connection, line);
  }
}

void Worker::give_back_reservation(const ArrivingValue& value) noexcept {
  if (value.into != ArrivingValue::Into::Item || !value.reservation.is_valid()) {
    return;
  }
  if (value.owner == id_) {
    partition_.abort(value.reservation);
    return;
  }
  const mesh::Ask abort{.kind = mesh::AskKind::Abort,
                        .value_bytes = value.reservation.value_bytes,
                        .item = static_cast<std::uint32_t>(value.reservation.ref)};
  push_or_park(nullptr, value.owner, abort, {});
}

void Worker::abandon_value(Connection& connection) noexcept {
  const std::unique_ptr<ArrivingValue> value = std::move(connection.arriving);
  if (value == nullptr) {
    return;
  }
  if (value->into == ArrivingValue::Into::AwaitingItem) {
    value->awaiting->connection = nullptr;  // take_reserved() gives the memory back
    if (value->reply_token != 0) {
      // Its hole is in the stream and no answer will ever name it.
      auto* hole = reinterpret_cast<ReplyNode*>(value->reply_token);
      --holes_outstanding_;
      connection.replies.fill_hole(memory_, hole, {}, nullptr);
    }
    return;
  }
  if (value->into == ArrivingValue::Into::GrowingItem) {
    const auto open =
        std::ranges::find_if(reserving_, [&](const OpenReservation& one) { return one.connection == &connection; });
    MR_ASSERT(open != reserving_.end());
    if (open->reservation.is_valid()) {
      partition_.abort(open->reservation);
    }
    reserving_.erase(open);
    return;
  }
  give_back_reservation(*value);
}

}  // namespace millrace::worker
