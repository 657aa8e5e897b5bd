#include "dataplane/stack/stack_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace millrace::stack {
namespace {

using dataplane::CloseReason;
using dataplane::Event;
using dataplane::EventKind;
using dataplane::TxKind;
using dataplane::TxOp;

constexpr std::uint32_t kEphemeralFirst = 49'152;  // RFC 6335 6: dynamic ports
constexpr std::uint32_t kEphemeralPorts = 16'384;
constexpr std::uint32_t kPortsTriedForOurs = 4096;
constexpr std::uint32_t kSendsPerConnection = 64;
constexpr Duration kShowEvery = milliseconds(50);

static_assert(sizeof(dataplane::IpBytes) == sizeof(wire::IpAddress));

wire::IpAddress address_of(const dataplane::IpBytes& bytes) noexcept { return {bytes}; }

/// Nothing: a family that is not ours.
std::optional<wire::IpAddress> address_of(const dataplane::Endpoint& endpoint) noexcept {
  if (endpoint.address.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &endpoint.address, sizeof in);
    return wire::IpAddress::v4(ntohl(in.sin_addr.s_addr));
  }
  if (endpoint.address.ss_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &endpoint.address, sizeof in6);
    return wire::IpAddress::v6(reinterpret_cast<const std::byte*>(in6.sin6_addr.s6_addr));
  }
  return std::nullopt;
}

std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string text_of(const wire::IpAddress& address, std::uint16_t port) {
  char digits[INET6_ADDRSTRLEN] = "?";
  if (address.is_v4()) {
    inet_ntop(AF_INET, address.bytes.data() + 12, digits, sizeof digits);
    return std::string("udp:") + digits + ":" + std::to_string(port);
  }
  inet_ntop(AF_INET6, address.bytes.data(), digits, sizeof digits);
  return std::string("udp6:[") + digits + "]:" + std::to_string(port);
}

}  // namespace

Result<std::unique_ptr<StackTransport>> StackTransport::create(port::FramePort& port,
                                                               const ip::HostAddresses& addresses,
                                                               const StackTransportOptions& options) {
  if (options.ports.size() + options.connections_max > udp::PortTable::kPortsMax) {
    return fail("more than " + std::to_string(udp::PortTable::kPortsMax) + " UDP ports on one core");
  }
  std::unique_ptr<StackTransport> transport(new StackTransport(port, addresses, options));
  for (const std::uint16_t udp_port : options.ports) {
    if (!transport->stack_.bind_udp(udp_port)) {
      return fail("UDP port " + std::to_string(udp_port) + " cannot be had: 0, or named twice");
    }
  }
  return transport;
}

StackTransport::StackTransport(port::FramePort& port, const ip::HostAddresses& addresses,
                               const StackTransportOptions& options)
    : port_(port),
      options_(options),
      stack_(port, addresses, options.stack),
      connections_(options.connections_max),
      slot_of_(options.ports.size() + options.connections_max),
      listeners_(static_cast<std::uint16_t>(options.ports.size())),
      next_port_(static_cast<std::uint32_t>(options.stack.seed % kEphemeralPorts)),
      show_at_(options.board != nullptr ? Instant{} : Instant{INT64_MAX}) {
  pending_.reserve(1024);
  for (std::uint32_t slot = options.connections_max; slot-- > 0;) {
    free_.push_back(slot);
  }
}

// --- events

std::size_t StackTransport::poll(Instant now, std::span<Event> out, Duration wait) noexcept {
  MR_ASSERT(!out.empty());
  told_held_.clear();
  count_idle(now);
  std::size_t count = take_in(now, out);
  if (count == 0 && wait.ns > 0) {
    count = rest(
        naps_, now, wait, counters_, [&](Instant at) { return take_in(at, out); },
        [&](Instant, Duration time, Duration) {
          was_woken_ = waker_.nap(time);
          return Napped{.took = time};
        },
        [&] { return std::exchange(was_woken_, false) || waker_.take(); });
  } else if (count > 0) {
    naps_.reset();
  }
  was_idle_ = count == 0;
  return count;
}

/// A turn that found nothing lasted until now.
void StackTransport::count_idle(Instant now) noexcept {
  if (was_idle_ && now > last_poll_) {
    counters_.idle_us += static_cast<std::uint64_t>((now - last_poll_).ns / 1000);
    last_poll_ = last_poll_ + nanoseconds((now - last_poll_).ns / 1000 * 1000);
  } else {
    last_poll_ = now;
  }
}

MR_COLD void StackTransport::show_counters(Instant now) noexcept {
  options_.board->begin();
  visit_counters(*options_.board);
  show_at_ = now + kShowEvery;
}

void StackTransport::visit_counters(dataplane::CounterVisitor& visitor) const noexcept {
  const auto& drops = stack_.counters().drops;
  for (std::size_t i = 1; i < wire::kDrops; ++i) {
    visitor.visit(dataplane::CounterKind::Drop, wire::kDropWords[i].name, drops.counts[i]);
  }
  for_each_number(stack_.counters(), [&](std::string_view name, std::uint64_t value, std::string_view) {
    visitor.visit(dataplane::CounterKind::Stack, name, value);
  });
  port::for_each_counter(port_.counters(), [&](std::string_view name, std::uint64_t value) {
    visitor.visit(dataplane::CounterKind::Queue, name, value);
  });
}

int StackTransport::arm(dataplane::Waker& waker) noexcept {
  const bool owes = !pending_.empty() || !resuming_.empty() || !opening_.empty() || !closing_.empty();
  if (owes || counters_.sends_in_flight > 0 || stack_.has_unsent()) {
    return -1;  // no frame brings these about
  }
  const int descriptor = port_.arm_rx();
  if (descriptor >= 0 && options_.stack.fragments != nullptr) {
    options_.stack.fragments->rest(options_.stack.core, waker);
  }
  return descriptor;
}

void StackTransport::disarm() noexcept {
  if (options_.stack.fragments != nullptr) {
    options_.stack.fragments->rise(options_.stack.core);
  }
  port_.disarm_rx();
}

std::size_t StackTransport::take_in(Instant now, std::span<Event> out) noexcept {
  if (MR_UNLIKELY(!opening_.empty())) {
    open_waiting(now);
  }
  std::size_t count = tell_pending(out);
  count += tell_held(out.subspan(count));
  // As many as there is room for: each makes one event at most.
  const std::size_t got =
      stack_.poll(now, std::span(datagrams_).first(std::min(datagrams_.size(), out.size() - count)));
  const std::size_t before = count;
  std::uint64_t bytes = 0;
  std::size_t served = 0;
  for (std::size_t i = 0; i < got; ++i) {
    Datagram& datagram = datagrams_[i];
    if (MR_LIKELY(datagram.flow.socket < listeners_)) {
      tell_server(datagram, out[count++]);
      bytes += datagram.bytes.size();
      ++served;
    } else {
      count += tell_client(datagram, out[count]) ? 1 : 0;
    }
  }
  counters_.datagrams_received += served;
  counters_.bytes_received += bytes;
  counters_.receive_buffers_lent = count - before;
  if (MR_UNLIKELY(now >= show_at_)) {
    show_counters(now);
  }
  take_refusals();
  for (std::uint64_t token = 0; stack_.take_released(token);) {
    pending_.push_back({.kind = EventKind::Released, .token = token});
  }
  count += tell_pending(out.subspan(count));
  return count + tell_closed(out.subspan(count));
}

inline void StackTransport::tell_server(Datagram& datagram, Event& event) const noexcept {
  const auto socket = static_cast<std::uint16_t>(options_.socket_base + datagram.flow.socket);
  datagram.flow.socket = socket;
  event = {.kind = EventKind::Datagram,
           .listener = socket,
           .bytes = text_of(datagram.bytes),
           .flow = &datagram.flow,
           .room = {reinterpret_cast<char*>(datagram.room.data()), datagram.room.size()}};
}

/// False: it is not told.
bool StackTransport::tell_client(const Datagram& datagram, Event& event) noexcept {
  const std::string_view bytes = text_of(datagram.bytes);
  const std::uint32_t slot = slot_of_[datagram.flow.socket];
  Connection& connection = connections_[slot];
  if (datagram.key() != connection.flow.reversed()) {
    ++not_kept_;  // a stranger who found an ephemeral port
    return false;
  }
  if (bytes.empty()) {
    return false;
  }
  if (MR_UNLIKELY(connection.is_paused || !connection.held.empty())) {
    if (connection.held.size() < kHeldMax) {
      connection.held.emplace_back(bytes);
      held_bytes_ += bytes.size();
    } else {
      ++not_kept_;
    }
    return false;
  }
  event = {.kind = EventKind::Bytes, .conn = id_of(slot), .bytes = bytes};
  ++counters_.datagrams_received;
  counters_.bytes_received += bytes.size();
  return true;
}

std::size_t StackTransport::tell_pending(std::span<Event> out) noexcept {
  const std::size_t count = std::min(out.size(), pending_.size() - pending_begin_);
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = pending_[pending_begin_ + i];
    counters_.sends_in_flight -= out[i].kind == EventKind::Released ? 1 : 0;
  }
  pending_begin_ += count;
  if (pending_begin_ == pending_.size()) {
    pending_.clear();
    pending_begin_ = 0;
  }
  return count;
}

std::size_t StackTransport::tell_held(std::span<Event> out) noexcept {
  std::size_t count = 0;
  while (!resuming_.empty() && count < out.size()) {
    const std::uint32_t slot = resuming_.back();
    Connection& connection = connections_[slot];
    while (!connection.is_paused && !connection.held.empty() && count < out.size()) {
      const std::string& bytes = told_held_.emplace_back(std::move(connection.held.front()));
      connection.held.pop_front();
      held_bytes_ -= bytes.size();
      out[count++] = {.kind = EventKind::Bytes, .conn = id_of(slot), .bytes = bytes};
    }
    if (connection.is_paused || connection.held.empty()) {
      connection.is_resuming = false;
      resuming_.pop_back();
    }
  }
  return count;
}

void StackTransport::open_waiting(Instant now) noexcept {
  std::erase_if(opening_, [&](std::uint32_t slot) {
    Connection& connection = connections_[slot];
    switch (stack_.reach(now, connection.flow.destination)) {
      case ip::NeighborCache::Reach::Asking:
        return false;
      case ip::NeighborCache::Reach::Known:
        connection.is_opening = false;
        pending_.push_back({.kind = EventKind::Opened, .conn = id_of(slot)});
        return true;
      case ip::NeighborCache::Reach::Nobody:
        connection.is_opening = false;
        close(id_of(slot), connection, CloseReason::ConnectFailed);
        return true;
    }
    return false;
  });
}

/// Last: when nothing is pending, every Send that named them was Released.
std::size_t StackTransport::tell_closed(std::span<Event> out) noexcept {
  std::size_t count = 0;
  while (!closing_.empty() && pending_.empty() && count < out.size()) {
    const std::uint32_t slot = closing_.back();
    closing_.pop_back();
    Connection& connection = connections_[slot];
    out[count++] = {.kind = EventKind::Closed, .reason = connection.reason, .conn = id_of(slot)};
    connection = {.generation = connection.generation + 1};
    free_.push_back(slot);
    --counters_.connections_open;
  }
  return count;
}

void StackTransport::take_refusals() noexcept {
  for (const Refusal& refusal : stack_.refusals()) {
    if (refusal.socket < listeners_) {
      continue;  // a client that left before its answer came
    }
    const ConnId id = id_of(slot_of_[refusal.socket]);
    Connection* connection = find(id);
    if (connection != nullptr && connection->flow == refusal.flow) {
      close(id, *connection, CloseReason::Reset);
    }
  }
}

// --- operations

void StackTransport::submit(Instant now, std::span<const TxOp> ops) noexcept {
  for (const TxOp& op : ops) {
    if (MR_LIKELY(op.kind == TxKind::SendDatagram)) {
      ++datagrams_asked_;
      if (MR_LIKELY(op.room_bytes != 0)) {
        (void)stack_.answer(now, question_of(op), op.room_bytes);
      } else {
        send_datagram(now, op);
      }
      continue;
    }
    if (op.kind == TxKind::Send) {
      send(now, op);
      continue;
    }
    Connection* connection = find(op.conn);
    if (connection == nullptr) {
      continue;
    }
    switch (op.kind) {
      case TxKind::Close:
      case TxKind::Abort:
        close(op.conn, *connection, CloseReason::Requested);
        break;
      case TxKind::Pause:
        pause(*connection, op.unconsumed);
        break;
      case TxKind::Resume:
        resume(op.conn, *connection);
        break;
      case TxKind::Send:
      case TxKind::SendDatagram:
        break;
    }
  }
  stack_.flush(now);
}

/// What an answer in its question's room is about: the flow is the event's own, and so a datagram's of the last poll.
inline const Datagram& StackTransport::question_of(const TxOp& op) const noexcept {
  static_assert(std::is_standard_layout_v<Datagram> && offsetof(Datagram, flow) == 0);
  const auto* question = reinterpret_cast<const Datagram*>(op.flow);
  MR_ASSERT(question >= datagrams_.data() && question < datagrams_.data() + datagrams_.size() && op.slices.empty() &&
            op.token == 0);
  return *question;
}

void StackTransport::send_datagram(Instant now, const TxOp& op) noexcept {
  const dataplane::DatagramFlow& flow = *op.flow;
  const Sent sent = stack_.send(now, {.flow = {.source = address_of(flow.local),
                                               .destination = address_of(flow.peer),
                                               .source_port = flow.local_port,
                                               .destination_port = flow.peer_port},
                                      .slices = op.slices,
                                      .token = op.token,
                                      .may_lend = op.token != 0});
  if (op.token != 0) {
    ++counters_.sends_in_flight;
    if (sent != Sent::Lent) {
      pending_.push_back({.kind = EventKind::Released, .token = op.token});
    }
  }
}

void StackTransport::send(Instant now, const TxOp& op) noexcept {
  if (const Connection* connection = find(op.conn)) {
    // Copied, so that Released keeps its order (rule 3).
    (void)stack_.send(now, {.flow = connection->flow, .slices = op.slices, .may_lend = false});
    ++datagrams_asked_;
    ++counters_.sends;
  }
  ++counters_.sends_in_flight;
  pending_.push_back({.kind = EventKind::Released, .conn = op.conn, .token = op.token});
}

void StackTransport::pause(Connection& connection, std::string_view unconsumed) noexcept {
  connection.is_paused = true;
  if (!unconsumed.empty()) {
    connection.held.emplace(connection.held.begin() + static_cast<std::ptrdiff_t>(connection.handed_back), unconsumed);
    ++connection.handed_back;
    held_bytes_ += unconsumed.size();
  }
}

void StackTransport::resume(ConnId id, Connection& connection) noexcept {
  connection.is_paused = false;
  connection.handed_back = 0;
  if (!connection.held.empty() && !connection.is_resuming) {
    connection.is_resuming = true;
    resuming_.push_back(id.slot);
  }
}

void StackTransport::close(ConnId id, Connection& connection, CloseReason reason) noexcept {
  stack_.unbind_udp(connection.flow.source_port);
  for (const std::string& bytes : connection.held) {
    held_bytes_ -= bytes.size();
  }
  if (connection.is_resuming) {
    std::erase(resuming_, id.slot);
  }
  if (connection.is_opening) {
    std::erase(opening_, id.slot);
    connection.is_opening = false;
  }
  connection.held.clear();
  connection.is_open = false;
  connection.reason = reason;
  closing_.push_back(id.slot);
}

Status StackTransport::connect(const dataplane::Endpoint& to, ConnId& conn) noexcept {
  if (!to.is_datagram) {
    return Status::Unsupported;
  }
  const auto peer = address_of(to);
  if (!peer || to.port() == 0) {
    return Status::Invalid;
  }
  const auto source = stack_.addresses().source_for(*peer);
  if (!source || !stack_.addresses().next_hop(*peer)) {
    return Status::Invalid;
  }
  if (free_.empty()) {
    return Status::Exhausted;
  }
  std::optional<std::uint16_t> socket;
  std::uint16_t port = 0;
  const SpreadWatch* watch = options_.stack.watch;
  for (std::uint32_t tries = 0; tries < kEphemeralPorts && !socket; ++tries) {
    port = static_cast<std::uint16_t>(kEphemeralFirst + next_port_++ % kEphemeralPorts);
    const wire::FlowKey answer{
        .source = *peer, .destination = *source, .source_port = to.port(), .destination_port = port};
    if (watch != nullptr && tries < kPortsTriedForOurs && watch->spread().queue_of(answer) != options_.stack.core) {
      continue;
    }
    socket = stack_.bind_udp(port);
  }
  if (!socket) {
    return Status::Exhausted;
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  slot_of_[*socket] = slot;
  connections_[slot].is_open = true;
  connections_[slot].flow = {
      .source = *source, .destination = *peer, .source_port = port, .destination_port = to.port()};
  conn = id_of(slot);
  ++counters_.connections_open;
  connections_[slot].is_opening = true;
  opening_.push_back(slot);
  return Status::Ok;
}

/// The ports close too: who still asks is told so by ICMP.
void StackTransport::stop_accepting() noexcept {
  for (std::size_t i = 0; i < listeners_; ++i) {
    stack_.unbind_udp(options_.ports[i]);
  }
  listeners_ = 0;  // their numbers may be given to connections now
}

dataplane::Capabilities StackTransport::capabilities() const noexcept {
  const bool lends = port_.capabilities().tx_segments_max > 1 && options_.stack.zero_copy_bytes_min > 0;
  return {.sends_per_connection_max = kSendsPerConnection,
          .slices_per_send_max = 64,
          .connections_max = options_.connections_max,
          .datagram_lend_bytes_min = lends ? options_.stack.zero_copy_bytes_min : 0};
}

const dataplane::TransportCounters& StackTransport::counters() const noexcept {
  counters_.bytes_sent = stack_.counters().bytes_sent;
  counters_.datagrams_sent = stack_.counters().datagrams_sent;
  counters_.datagrams_not_sent = datagrams_asked_ - counters_.datagrams_sent;
  counters_.bytes_held_for_paused = held_bytes_;
  counters_.datagrams_not_received = port_.counters().rx_missed + not_kept_;
  return counters_;
}

StackTransport::Connection* StackTransport::find(ConnId id) noexcept {
  return id.slot < connections_.size() && connections_[id.slot].generation == id.generation &&
                 connections_[id.slot].is_open
             ? &connections_[id.slot]
             : nullptr;
}

const StackTransport::Connection* StackTransport::find(ConnId id) const noexcept {
  return const_cast<StackTransport*>(this)->find(id);
}

std::string StackTransport::peer_text(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? std::string()
                               : text_of(connection->flow.destination, connection->flow.destination_port);
}

std::string StackTransport::listener_text(ConnId conn) const {
  const Connection* connection = find(conn);
  return connection == nullptr ? std::string() : text_of(connection->flow.source, connection->flow.source_port);
}

}  // namespace millrace::stack
