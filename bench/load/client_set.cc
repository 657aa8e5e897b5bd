#include "bench/load/client_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace millrace::load {

using dataplane::CloseReason;
using dataplane::Event;
using dataplane::EventKind;
using dataplane::TxKind;
using State = ClientConnection::State;

namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

void ClientSet::connect(std::span<const dataplane::Endpoint> doors, std::uint32_t count, const Workload& workload,
                        const ConnectionSettings& settings, const std::atomic<bool>& stop) {
  now_ = clock_->now();
  is_datagram_ = doors.front().is_datagram;
  const Instant begin = now_;
  for (std::uint32_t i = 0; i < count && !stop; ++i) {
    auto connection = std::make_unique<ClientConnection>(workload, settings);
    connection->door = static_cast<std::uint32_t>(i % doors.size());
    if (transport_->connect(doors[connection->door], connection->id) != Status::Ok) {
      ++stats_.failures.connect;
      stats_.failures.note(fmt::format("Connection {} could not be begun: the transport has no room for it.", i + 1));
      continue;
    }
    const std::uint32_t slot = connection->id.slot;
    if (slot >= by_slot_.size()) {
      by_slot_.resize(slot + 1, nullptr);
    }
    by_slot_[slot] = connection.get();
    connections_.push_back(std::move(connection));
    ++waiting_count_;
  }
  ready_.reserve(connections_.size());
  ops_.reserve(connections_.size());
  slices_.reserve(connections_.size());
  while (waiting_count_ > 0 && !stop) {
    poll(kPollWait);
    ready_.clear();
    if (now_ - begin > patience_) {
      for (const auto& connection : connections_) {
        if (connection->state == State::Connecting) {
          ++stats_.failures.connect;
          stats_.failures.note(
              fmt::format("No connection to {} within the time allowed.", doors[connection->door].text()));
          --waiting_count_;
          connection->state = State::Closing;
          ++closing_count_;
          abort(*connection);
        }
      }
    }
  }
  for (const auto& connection : connections_) {
    connection->is_touched = false;
  }
}

ClientConnection* ClientSet::find(ConnId id) noexcept {
  ClientConnection* const found = id.slot < by_slot_.size() ? by_slot_[id.slot] : nullptr;
  return found != nullptr && found->id == id && found->state != State::Gone ? found : nullptr;
}

void ClientSet::poll(Duration wait) {
  const std::size_t count = transport_->poll(clock_->now(), events_, wait);
  now_ = clock_->now();
  for (std::size_t i = 0; i < count; ++i) {
    on_event(events_[i]);
  }
  for (ClientConnection* const connection : ready_) {
    connection->write_follow_ups(now_);
  }
  if (now_ >= next_look_) {
    next_look_ = now_ + kLookEvery;
    give_up_on_the_silent();
  }
}

void ClientSet::touch(ClientConnection& connection) {
  if (!connection.is_touched) {
    connection.is_touched = true;
    ready_.push_back(&connection);
  }
}

void ClientSet::make_all_ready() {
  for (const auto& connection : connections_) {
    if (connection->state == State::Open) {
      touch(*connection);
    }
  }
}

void ClientSet::on_event(const Event& event) {
  ClientConnection* const connection = find(event.conn);
  if (connection == nullptr) {
    return;
  }
  switch (event.kind) {
    case EventKind::Opened:
      if (connection->state == State::Connecting) {
        connection->state = State::Open;
        --waiting_count_;
        ++open_count_;
      }
      return;
    case EventKind::Bytes:
      if (connection->state != State::Open) {
        return;
      }
      if (!connection->read(now_, event.bytes, stats_)) {
        give_up(*connection);
        return;
      }
      touch(*connection);
      return;
    case EventKind::PeerFinished:
      // A server does not half-close: it has ended the connection.
      if (connection->state == State::Open) {
        note_end(*connection, CloseReason::PeerClosed);
        give_up(*connection);
      }
      return;
    case EventKind::Released:
      connection->give_back();
      if (connection->state == State::Open) {
        touch(*connection);
      }
      return;
    case EventKind::Datagram:
      return;
    case EventKind::Closed:
      on_closed(*connection, event.reason);
      return;
  }
}

void ClientSet::on_closed(ClientConnection& connection, CloseReason reason) {
  const State before = std::exchange(connection.state, State::Gone);
  Failures& failures = stats_.failures;
  if (before == State::Closing) {
    --closing_count_;
    return;
  }
  if (before == State::Connecting) {
    --waiting_count_;
    ++failures.connect;
    failures.note("The server refused a connection, or nobody listens there.");
    return;
  }
  --open_count_;
  note_end(connection, reason);
  failures.lost_requests += connection.in_flight();
}

void ClientSet::note_end(const ClientConnection& connection, CloseReason reason) {
  const bool is_reset = reason == CloseReason::Reset;
  ++(is_reset ? stats_.failures.reset : stats_.failures.closed);
  stats_.failures.note(fmt::format("The server {} a connection with {} requests unanswered.",
                                   is_reset ? "reset" : "closed", connection.in_flight()));
}

void ClientSet::give_up(ClientConnection& connection) {
  stats_.failures.lost_requests += connection.in_flight();
  --open_count_;
  ++closing_count_;
  connection.state = State::Closing;
  abort(connection);
}

void ClientSet::abort(ClientConnection& connection) {
  const dataplane::TxOp op{.kind = TxKind::Abort, .conn = connection.id};
  transport_->submit(now_, {&op, 1});
}

void ClientSet::give_up_on_the_silent() {
  for (const auto& connection : connections_) {
    if (connection->state != State::Open || connection->in_flight() == 0 ||
        now_ - connection->last_progress() <= patience_) {
      continue;
    }
    if (is_datagram_) {
      ++stats_.failures.lost_requests;
      stats_.failures.note(fmt::format("A request over UDP got no reply within {:.3f} s: it or its reply was lost.",
                                       static_cast<double>(patience_.ns) * 1e-9));
      connection->give_up_request();
      touch(*connection);
      continue;
    }
    ++stats_.failures.timeouts;
    stats_.failures.note(fmt::format("A connection got no reply for {:.1f} s with {} requests unanswered.",
                                     static_cast<double>((now_ - connection->last_progress()).ns) * 1e-9,
                                     connection->in_flight()));
    give_up(*connection);
  }
}

void ClientSet::flush() {
  ops_.clear();
  slices_.clear();
  for (ClientConnection* const connection : ready_) {
    connection->is_touched = false;
    if (connection->state != State::Open || !connection->has_to_send()) {
      continue;
    }
    const std::string_view bytes = connection->lend();
    slices_.push_back({bytes.data(), static_cast<std::uint32_t>(bytes.size())});
    ops_.push_back({.kind = TxKind::Send, .conn = connection->id, .token = connection->id.slot});
  }
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    ops_[i].slices = {&slices_[i], 1};
  }
  ready_.clear();
  if (!ops_.empty()) {
    transport_->submit(now_, ops_);
  }
}

void ClientSet::drain() {
  const auto owes = [](const auto& connection) {
    return connection->state == State::Open && (!connection->is_idle() || connection->has_to_send());
  };
  make_all_ready();
  flush();
  // Ends: every poll is bounded, and a connection that stays silent is aborted after the patience.
  while (std::ranges::any_of(connections_, owes)) {
    poll(kPollWait);
    flush();
  }
}

void ClientSet::close() {
  for (const auto& connection : connections_) {
    if (connection->state == State::Open) {
      --open_count_;
    } else if (connection->state == State::Connecting) {
      --waiting_count_;
    } else {
      continue;
    }
    connection->state = State::Closing;
    ++closing_count_;
    abort(*connection);
  }
  const Instant begin = clock_->now();
  while (closing_count_ > 0 && clock_->now() - begin <= seconds(1)) {
    poll(kPollWait);
    ready_.clear();
  }
}

}  // namespace millrace::load
