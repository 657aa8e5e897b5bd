// What comes in: neighbours' answers, neighbours' asks, the transport's events.

#include <array>
#include <cstring>

#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

template <typename Header>
Header read_header(const std::byte* message) noexcept {
  Header header;
  std::memcpy(static_cast<void*>(&header), message, sizeof(header));
  return header;
}

const char* payload(const std::byte* message, std::size_t header_bytes) noexcept {
  return reinterpret_cast<const char*>(message) + header_bytes;
}

}  // namespace

// --- answers

bool Worker::drain_answers() noexcept {
  bool any = false;
  for (WorkerId from = 0; from < workers_; ++from) {
    if (from == id_) {
      continue;
    }
    mesh::SlotRing& ring = port_.answers_from(from);
    while (const std::byte* message = ring.front()) {
      const auto answer = read_header<mesh::Answer>(message);
      take_answer(from, answer, {payload(message, sizeof(answer)), answer.bytes});
      ring.pop(answer.slots);
      any = true;
    }
    ring.release();
  }
  return any;
}

void Worker::take_answer(WorkerId from, const mesh::Answer& answer, std::string_view bytes) noexcept {
  switch (answer.kind) {
    case mesh::AnswerKind::Reserved:
      take_reserved(from, answer);
      return;
    case mesh::AnswerKind::Visited:
      take_visited(answer.token);
      return;
    case mesh::AnswerKind::Reply:
      break;
  }
  auto* hole = reinterpret_cast<ReplyNode*>(answer.token);
  MR_ASSERT(hole != nullptr && holes_outstanding_ > 0);
  --holes_outstanding_;
  const Loan loan{.item = static_cast<const store::Item*>(answer.lent),
                  .ref = store::ItemRef{answer.item},
                  .owner = from,
                  .value_bytes = answer.value_bytes};
  if (hole->connection == nullptr) {  // its connection went away meanwhile
    if (loan.item != nullptr) {
      give_back(loan);
    }
    memory_.free_node(hole);
    return;
  }
  Connection& connection = *hole->connection;
  connection.replies.fill_hole(memory_, hole, bytes, loan.item != nullptr ? &loan : nullptr, answer.ends_line);
  want_send(connection);
}

// --- asks

bool Worker::drain_asks() noexcept {
  std::uint32_t served = 0;
  const Instant until = now_ + microseconds(kAsksTimeMaxUs);
  bool is_late = false;
  WorkerId from = first_asker_;
  for (WorkerId n = 0; n < workers_ && !is_late; ++n) {
    if (from != id_) {
      served += serve_asks_from(from, until, is_late);
    }
    from = from + 1 < workers_ ? from + 1 : 0;
  }
  first_asker_ = from;  // after a whole round the same as before
  counters_.asks_served += served;
  return served > 0;
}

/// `is_late`: it is after `until`, and perhaps there is more.
std::uint32_t Worker::serve_asks_from(WorkerId from, Instant until, bool& is_late) noexcept {
  mesh::SlotRing& ring = port_.asks_from(from);
  mesh::SlotRing& answers = port_.answers_to(from);
  std::uint32_t served = 0;
  while (served < kAsksPerLaneMax) {
    std::array<const std::byte*, kAsksPerGroupMax> group;
    std::array<store::Key, kAsksPerGroupMax> keys;
    std::uint32_t count = 0;
    std::uint32_t slots = 0;
    for (const std::byte* message = ring.front(); message != nullptr && count < group.size();
         message = ring.behind_front(slots)) {
      const auto ask = read_header<mesh::Ask>(message);
      if (ask.slots == 0 || static_cast<std::uint8_t>(ask.kind) == 0) {
        break;  // the ring's own skip: front() steps over it next time
      }
      keys[count] = {{payload(message, sizeof(ask)), ask.key_bytes}, KeyHash{ask.hash}};
      group[count++] = message;
      slots += ask.slots;
    }
    partition_.prefetch_all(std::span(keys).first(count));
    std::uint32_t done = 0;
    for (; done < count; ++done) {
      const auto ask = read_header<mesh::Ask>(group[done]);
      std::byte* run = answers.reserve(mesh::kAnswerSlotsMax);
      if (run == nullptr) {
        break;  // the asker has yet to take its answers in; it always does
      }
      AnswerSink sink(run);
      serve_ask(from, ask, payload(group[done], sizeof(ask)), sink);
      if (sink.is_wanted()) {
        answers.commit(sink.finish());
      }
      ring.pop(ask.slots);
    }
    served += done;
    if (done < kAsksPerGroupMax) {
      break;
    }
    if (clock_.now() > until) {
      is_late = true;
      break;
    }
  }
  ring.release();
  return served;
}

void Worker::serve_ask(WorkerId asker, const mesh::Ask& ask, const char* payload_bytes, AnswerSink& sink) noexcept {
  const store::Key key{{payload_bytes, ask.key_bytes}, KeyHash{ask.hash}};
  const std::string_view extra{payload_bytes + ask.key_bytes, ask.extra_bytes};
  switch (ask.kind) {
    case mesh::AskKind::Execute:
      sink.begin(ask.token);
      execute({.command = static_cast<protocol::Command>(ask.detail),
               .dialect = static_cast<protocol::Dialect>(ask.dialect),
               .key = key,
               .flags = ask.flags,
               .expires_at = ask.expires_at,
               .number = ask.number,
               .extra = extra,
               .value = {extra.data() + extra.size(), ask.value_bytes}},
              sink);
      return;
    case mesh::AskKind::Reserve: {
      const auto value_bytes = static_cast<std::uint32_t>(ask.number);
      const store::StoreMode mode = store_mode(static_cast<protocol::Command>(ask.detail));
      const bool with_given_cas = ask.flags != 0;
      store::Reservation reservation;
      store::Outcome outcome = store::Outcome::Stored;
      if (value_bytes <= kReservedAtOnceBytesMax) {
        outcome = partition_.reserve(key, value_bytes, now_s_, reservation, mode, with_given_cas);
      }
      if (outcome == store::Outcome::Stored && !(reservation.is_valid() && reservation.is_whole())) {
        reserving_.push_back({.key = std::string(key.bytes),
                              .hash = key.hash,
                              .value_bytes = value_bytes,
                              .mode = mode,
                              .with_given_cas = with_given_cas,
                              .reservation = reservation,
                              .asker = asker,
                              .token = ask.token});
        return;
      }
      sink.reserved(ask.token, outcome, reservation);
      return;
    }
    case mesh::AskKind::Commit: {
      const store::Reservation reservation{.ref = store::ItemRef{ask.item}, .value_bytes = ask.value_bytes};
      sink.begin(ask.token);
      commit({.command = static_cast<protocol::Command>(ask.detail),
              .dialect = static_cast<protocol::Dialect>(ask.dialect),
              .key = key,
              .flags = ask.flags,
              .expires_at = ask.expires_at,
              .number = ask.number,
              .extra = extra},
             reservation, sink);
      return;
    }
    case mesh::AskKind::Abort:
      partition_.abort({.ref = store::ItemRef{ask.item}, .value_bytes = ask.value_bytes});
      return;
    case mesh::AskKind::Unpin:
      partition_.unpin(store::ItemRef{ask.item});
      return;
    case mesh::AskKind::Visit:
      reinterpret_cast<AdminJob*>(ask.token)->visit(*this);
      sink.visited(ask.token);
      return;
  }
  MR_UNREACHABLE();
}

// --- events

bool Worker::poll_transport(bool may_sleep, bool did_something) noexcept {
  Duration wait{};
  const bool sleeps = may_sleep && !did_something && !shared_.polls && !has_work_waiting() && port_.try_fall_asleep();
  if (sleeps) {
    wait = milliseconds(kSleepMs);
  }
  const std::size_t count = transport_.poll(now_, events_, wait);
  if (sleeps) {
    port_.wake_up();
    read_clock();
    if (MR_UNLIKELY(watch_log_.has_changed(shared_.watch_board))) {
      read_watch_board();
    }
  }
  for (std::span<const dataplane::Event> rest(events_.data(), count); !rest.empty();) {
    if (rest.front().kind == dataplane::EventKind::Datagram) {
      rest = take_datagrams(rest);
    } else {
      take_event(rest.front());
      rest = rest.subspan(1);
    }
  }
  return count > 0;
}

void Worker::take_event(const dataplane::Event& event) noexcept {
  if (event.kind == dataplane::EventKind::Opened) {
    open_connection(event);
    return;
  }
  if (event.kind == dataplane::EventKind::Released && !event.conn.is_valid()) {
    take_released_datagram(event.token);
    return;
  }
  Connection* connection = connections_.find(event.conn);
  MR_ASSERT(connection != nullptr);
  switch (event.kind) {
    case dataplane::EventKind::Opened:
    case dataplane::EventKind::Datagram:
      return;
    case dataplane::EventKind::Bytes:
      take_bytes(*connection, event.bytes);
      return;
    case dataplane::EventKind::Released:
      connection->replies.on_released(memory_, *this);
      want_send(*connection);
      return;
    case dataplane::EventKind::PeerFinished:
      connection->peer_finished = true;
      want_send(*connection);
      return;
    case dataplane::EventKind::Closed:
      forget_connection(*connection, event.reason);
      return;
  }
}

void Worker::open_connection(const dataplane::Event& event) noexcept {
  Connection& connection = connections_.add(event.conn, session_options_);
  connection.listener = event.listener;
  connection.active_s = now_.ns / 1'000'000'000;
  if (!shared_.policies.empty() && !admits(connection)) {
    ++counters_.connections_not_allowed;
    connection.close_requested = true;
    connection.blocked |= kBlockedByClose;
    queue_op({.kind = dataplane::TxKind::Abort, .conn = connection.id});
    return;
  }
  if (shared_.connections.fetch_add(1, std::memory_order_relaxed) < shared_.connections_max && !is_draining_) {
    connection.is_counted = true;
    ++counters_.connections_total;
    if (MR_UNLIKELY(watches_connections())) {
      observe_open(connection);
    }
    return;
  }
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  ++counters_.connections_rejected;
  connection.replies.append(memory_, protocol::reply::kTooManyConnections);
  connection.is_closing = true;
  connection.blocked |= kBlockedByClose;
  want_send(connection);
}

/// Whether its listener's policy lets it in; if so, with what it refuses.
bool Worker::admits(Connection& connection) noexcept {
  const ListenerPolicy& policy = shared_.policy_of(connection.listener);
  connection.refused = policy.refused;
  if (policy.allow.empty()) {
    return true;
  }
  const std::string peer = transport_.peer_text(connection.id);
  const auto address = address_in(peer);
  return address ? policy.admits(*address) : peer.starts_with("unix");
}

void Worker::forget_connection(Connection& connection, dataplane::CloseReason reason) noexcept {
  // Operations of this turn may still name it; they see its stream until they are executed.
  execute_batch();
  abandon_value(connection);
  cancel_parked(connection);
  connection.replies.drop(memory_, *this);
  if (connection.is_in_send_list) {
    std::erase(to_send_, &connection);
  }
  if (MR_UNLIKELY(watches_connections()) && connection.is_counted) {
    observe_close(connection, reason);
  }
  if ((connection.blocked & kWatches) != 0) {
    remove_watcher(connection);
  }
  if (connection.is_counted) {
    shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  }
  connections_.remove(connection.id);
}

}  // namespace millrace::worker
