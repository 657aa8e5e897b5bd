// A datagram's commands become operations, and their reply datagrams (memcached's protocol.txt, "UDP protocol").
//
//   one key of ours, or one value for it   joins the batch beside the connections' operations; its answer is one
//                                          datagram, written in place and gone with the turn. `get` of one key, which
//                                          almost all datagrams are, has a short way of its own through all of this
//                                          (execute_datagram.cc)
//   everything else                        an Exchange: a connection that lives for one datagram (exchange.h)
//
// Nothing here answers what is no request, and nobody outside --udp-allow gets more bytes than were sent in his name.

#include <algorithm>
#include <cstring>

#include "protocol/ascii/plain_get.h"
#include "protocol/udp_frame.h"
#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

using dataplane::TxKind;
using protocol::UdpDrop;

std::span<const std::byte> as_bytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

DatagramOp datagram_op(const dataplane::Event& event, std::uint16_t request_id) noexcept {
  return {.flow = event.flow,
          .room = event.room.size() >= protocol::kUdpDatagramBytesMax ? event.room.data() : nullptr,
          .request_bytes = static_cast<std::uint32_t>(event.bytes.size()),
          .request_id = request_id};
}

}  // namespace

// --- in

/// Those that the events begin with; what is left.
std::span<const dataplane::Event> Worker::take_datagrams(std::span<const dataplane::Event> events) noexcept {
  std::size_t taken = 0;
  for (; taken < events.size() && events[taken].kind == dataplane::EventKind::Datagram; ++taken) {
    take_datagram(events[taken]);
  }
  return events.subspan(taken);
}

inline void Worker::take_datagram(const dataplane::Event& event) noexcept {
  const protocol::UdpRequest datagram = protocol::read_udp_request(as_bytes(event.bytes));
  if (MR_UNLIKELY(datagram.drop != UdpDrop::None)) {
    ++(datagram.drop == UdpDrop::NoHeader ? counters_.udp_drop_no_header : counters_.udp_drop_not_whole);
    return;
  }
  if (MR_UNLIKELY(is_draining_)) {
    return;
  }
  CommandSet refused = 0;
  if (MR_UNLIKELY(!shared_.policies.empty())) {
    const ListenerPolicy& policy = shared_.policy_of(event.flow->socket);
    if (!policy.admits(event.flow->peer)) {
      ++counters_.udp_drop_not_allowed;
      return;
    }
    refused = policy.refused;
  }
  ++counters_.udp_requests;
  if (batch_.is_full()) {
    execute_batch();
  }
  const std::string_view key = protocol::ascii::plain_get_key(event.bytes.substr(protocol::kUdpHeaderBytes));
  if (MR_LIKELY(!key.empty() && refused == 0)) {
    const KeyHash hash = hash_key(key, shared_.hash_seed);
    if (MR_LIKELY(owner_of(hash) == id_)) {
      ++counters_.requests;
      Op& op = batch_.add();
      op.datagram = datagram_op(event, datagram.request_id);
      op.datagram.is_plain_get = true;
      op.datagram.key_at = static_cast<std::uint8_t>(batch_.will_find({key, hash}));
      op.is_remote = false;
      return;
    }
  }
  take_other_datagram(event, datagram.request_id, refused);
}

void Worker::take_other_datagram(const dataplane::Event& event, std::uint16_t request_id, CommandSet refused) noexcept {
  const std::string_view commands = event.bytes.substr(protocol::kUdpHeaderBytes);
  Op& op = batch_.next();  // parsed into its place: most that come are one
  const bool is_single = is_single_operation(commands, op.request);
  if (MR_LIKELY(is_single && (refused & set_of(op.request.command)) == 0)) {
    op.hash = hash_key(op.request.key, shared_.hash_seed);
    if (MR_LIKELY(owner_of(op.hash) == id_)) {
      ++counters_.requests;
      op.connection = nullptr;
      op.datagram = datagram_op(event, request_id);
      op.is_remote = false;
      batch_.add();
      batch_.will_find({op.request.key, op.hash});
      return;
    }
  }
  Exchange* const exchange = begin_exchange(
      {.flow = *event.flow, .request_id = request_id, .request_bytes = static_cast<std::uint32_t>(event.bytes.size())});
  if (exchange == nullptr) {
    return;
  }
  exchange->listener = event.listener;
  exchange->refused = refused;
  if (is_single) {
    take_request(*exchange, protocol::Request(op.request), commands);
  } else {
    take_commands(*exchange, commands);
  }
  want_send(*exchange);
}

/// One whole command on one key, classic text, and nothing behind it. Other dialects' replies may be too long for the
/// one datagram that is written at once.
bool Worker::is_single_operation(std::string_view commands, protocol::Request& request) noexcept {
  if (const std::string_view key = protocol::ascii::plain_get_key(commands); !key.empty()) {
    request = protocol::ascii::plain_get(key);
    return true;
  }
  if (commands.starts_with(protocol::binary::kRequestMagic)) {
    return false;  // a session has one protocol, and datagrams come from everybody
  }
  if (MR_UNLIKELY(!datagram_session_)) {
    datagram_session_.emplace(session_options_);
  }
  const protocol::Parsed parsed = datagram_session_->next(commands, request, scratch_);
  if (MR_LIKELY(parsed.found == protocol::Found::Request && parsed.consumed == commands.size() &&
                !request.key.empty() && request.dialect == protocol::Dialect::Text &&
                protocol::is_about_key(request.command) &&
                (request.ends_reply || !protocol::is_retrieval(request.command)))) {
    return true;
  }
  datagram_session_.reset();  // it may be in the middle of something
  return false;
}

Exchange* Worker::begin_exchange(const Asker& asker) noexcept {
  Exchange* const exchange = MR_LIKELY(!is_tight_) ? exchanges_.take(session_options_) : nullptr;
  if (exchange == nullptr) {
    ++counters_.udp_drop_no_exchange;
    return nullptr;
  }
  ++counters_.udp_exchanges;
  exchange->asker = asker;
  return exchange;
}

/// All commands of a datagram, or the rest of them. Afterwards either it waits for something, with what is left in
/// `rest`, or nothing of them is left: what does not end in its datagram is forgotten, not continued by the next.
void Worker::take_commands(Exchange& exchange, std::string_view commands) noexcept {
  take_bytes(exchange, commands);
  if (exchange.is_waiting() || exchange.is_closing) {
    return;
  }
  if (exchange.arriving != nullptr || !exchange.session.is_idle()) {
    ++counters_.udp_drop_unfinished;
    abandon_value(exchange);
    exchange.blocked |= kBlockedByClose;
  }
}

// --- out

/// Called by send_replies() whenever something that an exchange may have waited for has come.
void Worker::advance_exchange(Exchange& exchange) noexcept {
  if (exchange.is_answering) {
    continue_answer(exchange);
    return;
  }
  if (exchange.is_waiting()) {
    return;
  }
  if (!exchange.rest.empty()) {
    const std::string rest = std::move(exchange.rest);
    exchange.rest.clear();
    take_commands(exchange, rest);
    execute_batch();  // its views end with `rest`
    if (exchange.is_waiting()) {
      return;
    }
  }
  if (exchange.replies.holes() == 0) {
    begin_answer(exchange);
  }
}

void Worker::begin_answer(Exchange& exchange) noexcept {
  std::uint64_t bytes = exchange.replies.whole_bytes();
  if (exchange.is_too_long || bytes > protocol::kUdpResponseBytesMax) {
    exchange.replies.drop(memory_, *this);
    exchange.replies.append(memory_, protocol::reply::kTooLongForUdp);
    bytes = protocol::reply::kTooLongForUdp.size();
  }
  exchange.answer_bytes = static_cast<std::uint32_t>(bytes);
  const std::uint64_t datagrams = protocol::UdpSplit(exchange.asker.request_id, bytes).count();
  if (!may_answer(exchange.asker.flow, exchange.asker.request_bytes, bytes + datagrams * protocol::kUdpHeaderBytes)) {
    exchange.answer_bytes = 0;
  }
  exchange.is_answering = true;
  exchange.reader = ReplyReader(exchange.replies);
  continue_answer(exchange);
}

void Worker::continue_answer(Exchange& exchange) noexcept {
  const protocol::UdpSplit split(exchange.asker.request_id, exchange.answer_bytes);
  for (std::uint32_t sent = 0; exchange.datagrams_sent < split.count(); ++sent) {
    if (exchange.datagrams_lent == kDatagramsLentMax) {
      return;  // the next Released goes on
    }
    if (sent == kDatagramsPerTurnMax) {
      if (!exchange.is_in_next_turn) {
        exchange.is_in_next_turn = true;
        next_turn_.push_back(&exchange);
      }
      return;
    }
    send_part(exchange, split.part(exchange.datagrams_sent++));
  }
  if (exchange.datagrams_lent == 0) {
    ended_.push_back(&exchange);
  }
}

void Worker::send_part(Exchange& exchange, const protocol::UdpSplit::Part& part) noexcept {
  if (!datagrams_out_.has_room()) {
    submit_ops();
  }
  char* const begin = datagrams_out_.room();
  write_udp_header(begin, part.header);
  std::uint32_t copied = protocol::kUdpHeaderBytes;
  bool is_lent = false;
  for (std::size_t left = part.bytes; left > 0;) {
    const ReplyReader::Piece piece = exchange.reader.next(*this, static_cast<std::uint32_t>(left));
    MR_ASSERT(!piece.bytes.empty());
    left -= piece.bytes.size();
    if (piece.is_lent && piece.bytes.size() >= kDatagramSliceBytesMin) {
      if (copied > 0) {
        datagrams_out_.keep(copied);
        copied = 0;
      }
      datagrams_out_.add({piece.bytes.data(), static_cast<std::uint32_t>(piece.bytes.size())});
      is_lent |= datagram_lend_bytes_min_ != 0 && piece.bytes.size() >= datagram_lend_bytes_min_;
    } else {
      std::memcpy(datagrams_out_.room() + copied, piece.bytes.data(), piece.bytes.size());
      copied += static_cast<std::uint32_t>(piece.bytes.size());
    }
  }
  if (copied > 0) {
    datagrams_out_.keep(copied);
  }
  exchange.datagrams_lent += is_lent ? 1 : 0;
  queue_op({.kind = TxKind::SendDatagram,
            .token = is_lent ? token_of(exchange.id) : 0,
            .slices = datagrams_out_.take_datagram(),
            .flow = &exchange.asker.flow});
}

void Worker::take_released_datagram(std::uint64_t token) noexcept {
  Exchange* const exchange = exchanges_.find(id_of_token(token));
  MR_ASSERT(exchange != nullptr && exchange->datagrams_lent > 0);
  --exchange->datagrams_lent;
  want_send(*exchange);
}

/// Slices and flow of what is queued for the transport lie in ended exchanges: called when it has taken them.
void Worker::end_exchanges() noexcept {
  for (Exchange* exchange : ended_) {
    exchange->replies.drop(memory_, *this);
    exchanges_.give_back(*exchange);
  }
  ended_.clear();
}

/// At the end of everything: the transport has been given all the time there was.
void Worker::drop_exchanges() noexcept {
  exchanges_.for_each([&](Exchange& exchange) {
    abandon_value(exchange);
    cancel_parked(exchange);
    exchange.replies.drop(memory_, *this);
    exchanges_.give_back(exchange);
  });
  next_turn_.clear();
  ended_.clear();
}

bool Worker::may_amplify(const dataplane::DatagramFlow& flow) noexcept {
  const auto& allowed = shared_.udp_allow;
  if (std::ranges::none_of(allowed, [&](const auto& prefix) { return prefix.contains(flow.peer); })) {
    ++counters_.udp_drop_amplifies;
    return false;
  }
  last_allowed_ = flow.peer;
  return true;
}

}  // namespace millrace::worker
