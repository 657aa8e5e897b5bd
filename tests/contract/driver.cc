#include "tests/contract/driver.h"

#include <algorithm>

namespace millrace::contract {

using dataplane::Event;
using dataplane::EventKind;
using dataplane::Slice;
using dataplane::TxKind;

std::size_t Driver::poll(Duration wait, std::size_t room) {
  ++polls_;
  std::vector<Event> events(room);
  taken_ = taken_ + turn_time_;
  const std::size_t count = transport_.poll(now(), events, wait);
  EXPECT_LE(count, room);
  events.resize(count);
  last_ = events;
  std::size_t bytes = 0;
  for (const Event& event : events) {
    if (event.kind == EventKind::Bytes) {
      EXPECT_LT(bytes, kBytesPerPollMax) << "rule 20";
      bytes += event.bytes.size();
    }
    check(event);
    seen_.push_back({.kind = event.kind,
                     .reason = event.reason,
                     .listener = event.listener,
                     .conn = event.conn,
                     .token = event.token,
                     .bytes = std::string(event.bytes),
                     .flow = event.flow == nullptr ? dataplane::DatagramFlow{} : *event.flow});
  }
  if (on_event) {
    for (const Event& event : events) {
      on_event(event);
    }
  }
  return count;
}

void Driver::check(const Event& event) {
  Connection& connection = connections_[event.conn];
  if (const auto stale = stale_.find(event.token); event.kind == EventKind::Released && stale != stale_.end()) {
    EXPECT_EQ(event.conn, stale->second) << "rules 5, 16";
    stale_.erase(stale);
    EXPECT_EQ(lent_.erase(event.token), 1U);
    return;
  }
  EXPECT_FALSE(connection.is_closed) << "rule 4: an event after Closed";
  switch (event.kind) {
    case EventKind::Opened:
      EXPECT_FALSE(connection.was_opened) << "rules 4, 5: this id was opened before";
      connection.was_opened = true;
      opened_.push_back(event.conn);
      break;
    case EventKind::Bytes:
      EXPECT_TRUE(connection.was_opened);
      EXPECT_FALSE(event.bytes.empty());
      EXPECT_FALSE(connection.is_paused) << "rule 6: Bytes while paused";
      EXPECT_FALSE(connection.is_closing) << "rule 7: Bytes after Close";
      EXPECT_FALSE(connection.peer_has_finished) << "rule 9: Bytes after PeerFinished";
      connection.received += event.bytes;
      connection.bytes_poll = polls_;
      break;
    case EventKind::PeerFinished:
      EXPECT_TRUE(connection.was_opened);
      EXPECT_FALSE(connection.peer_has_finished) << "rule 9: PeerFinished twice";
      EXPECT_NE(connection.bytes_poll, polls_) << "rule 9: the end beside Bytes that may be handed back";
      connection.peer_has_finished = true;
      break;
    case EventKind::Released:
      ASSERT_FALSE(connection.unreleased.empty()) << "rule 3: Released without a Send, or twice";
      EXPECT_EQ(connection.unreleased.front(), event.token) << "rule 3: Released out of order";
      connection.unreleased.pop_front();
      EXPECT_EQ(lent_.erase(event.token), 1U);
      break;
    case EventKind::Datagram:
      EXPECT_FALSE(event.conn.is_valid());
      EXPECT_NE(event.flow, nullptr);
      break;
    case EventKind::Closed:
      EXPECT_TRUE(connection.unreleased.empty()) << "rule 4: Closed before Released";
      connection.is_closed = true;
      connection.reason = event.reason;
      break;
  }
}

bool Driver::until(const std::function<bool()>& is_done, std::size_t room) {
  const Patience patience;
  while (!is_done()) {
    if (patience.is_over() || testing::Test::HasFatalFailure()) {
      return false;
    }
    poll(milliseconds(20), room);
  }
  return true;
}

bool Driver::sleep() {
  const Patience patience;
  poll(seconds(kPatience.count()));
  return !patience.is_over();
}

void Driver::poll_for(std::chrono::milliseconds time) {
  const auto limit = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < limit) {
    poll(milliseconds(5));
  }
}

std::uint64_t Driver::send(ConnId conn, std::string_view bytes, std::size_t slices) {
  const std::uint64_t token = ++token_;
  std::string& copy = lent_[token] = std::string(bytes);
  Connection& connection = connections_[conn];
  if (connection.is_closed || !connection.was_opened) {
    stale_[token] = conn;
  } else {
    connection.unreleased.push_back(token);
  }
  submit({.kind = TxKind::Send, .conn = conn, .token = token, .slices = cut(copy, slices)});
  return token;
}

std::vector<Slice> Driver::cut(const std::string& bytes, std::size_t slices) {
  std::vector<Slice> list;
  const std::size_t each = bytes.size() / slices;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t start = i * each;
    const std::size_t size = i + 1 == slices ? bytes.size() - start : each;
    list.push_back({.data = bytes.data() + start, .size = static_cast<std::uint32_t>(size)});
  }
  return list;
}

void Driver::answer_in_room(const dataplane::Event& event, std::string_view bytes) {
  ASSERT_LE(bytes.size(), event.room.size());
  std::ranges::copy(bytes, event.room.begin());
  submit({.kind = TxKind::SendDatagram, .room_bytes = static_cast<std::uint32_t>(bytes.size()), .flow = event.flow});
}

std::uint64_t Driver::send_datagram(const dataplane::DatagramFlow& flow, std::string_view bytes, bool is_lent,
                                    std::size_t slices) {
  const std::uint64_t token = ++token_;
  std::string& copy = lent_[token] = std::string(bytes);
  // Nobody may read the flow after submit().
  dataplane::DatagramFlow to = flow;
  if (is_lent) {
    stale_[token] = ConnId{};
  }
  auto parts = cut(copy, slices);
  std::string head;  // of several slices the first has to be copied even when the others are lent
  if (is_lent && parts.size() > 1) {
    head.assign(parts[0].data, parts[0].size);
    parts[0] = {.data = head.data(), .size = parts[0].size, .must_copy = true};
  }
  submit({.kind = TxKind::SendDatagram, .token = is_lent ? token : 0, .slices = parts, .flow = &to});
  to = {};
  std::ranges::fill(head, '\0');
  if (!is_lent) {
    std::ranges::fill(copy, '\0');
    lent_.erase(token);
    return 0;
  }
  return token;
}

void Driver::pause(ConnId conn, std::string_view unconsumed) {
  Connection& connection = connections_[conn];
  connection.is_paused = true;
  connection.received.resize(connection.received.size() - unconsumed.size());
  submit({.kind = TxKind::Pause, .conn = conn, .unconsumed = unconsumed});
}

void Driver::resume(ConnId conn) {
  connections_[conn].is_paused = false;
  submit({.kind = TxKind::Resume, .conn = conn});
}

void Driver::close(ConnId conn) {
  connections_[conn].is_closing = true;
  submit({.kind = TxKind::Close, .conn = conn});
}

void Driver::abort(ConnId conn) {
  connections_[conn].is_closing = true;
  submit({.kind = TxKind::Abort, .conn = conn});
}

void Driver::spoil_lent() {
  for (auto& [token, bytes] : lent_) {
    std::ranges::fill(bytes, '\0');
  }
}

std::size_t Driver::count(EventKind kind, ConnId conn) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(seen_, [&](const Seen& one) { return one.kind == kind && one.conn == conn; }));
}

std::size_t Driver::count(EventKind kind) const {
  return static_cast<std::size_t>(std::ranges::count(seen_, kind, &Seen::kind));
}

ConnId Driver::opened(std::size_t index) {
  EXPECT_TRUE(until([&] { return opened_.size() > index; })) << "no connection was opened";
  return opened_.size() > index ? opened_[index] : ConnId{};
}

std::vector<ConnId> Driver::open_connections() const {
  std::vector<ConnId> open;
  for (const auto& [conn, connection] : connections_) {
    if (connection.was_opened && !connection.is_closed) {
      open.push_back(conn);
    }
  }
  return open;
}

bool Driver::is_closed(ConnId conn) const {
  const auto found = connections_.find(conn);
  return found != connections_.end() && found->second.is_closed;
}

dataplane::CloseReason Driver::close_reason(ConnId conn) const { return connections_.at(conn).reason; }

void Driver::expect_no_leaks() {
  poll();
  const dataplane::TransportCounters& counters = transport_.counters();
  EXPECT_EQ(counters.connections_open, 0U);
  EXPECT_EQ(counters.receive_buffers_lent, 0U);
  EXPECT_EQ(counters.bytes_held_for_paused, 0U);
  EXPECT_EQ(counters.sends_in_flight, 0U);
  EXPECT_TRUE(lent_.empty());
}

}  // namespace millrace::contract
