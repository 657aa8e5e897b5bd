#include "bench/load/client_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace millrace::load {
namespace {

constexpr std::size_t kBufferBytesMin = 4096;
constexpr std::size_t kBufferBytesMax = 256 << 10;  // unless one request asks for more
constexpr std::size_t kReplyBytesMax = 128 << 10;   // over UDP, where no request is larger than a datagram

/// Bytes of the wire made fit for a sentence.
std::string printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes.substr(0, 80)) {
    if (c >= ' ' && c <= '~') {
      text += c;
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return text;
}

}  // namespace

ClientConnection::ClientConnection(const Workload& workload, const ConnectionSettings& settings)
    : writer_(workload),
      workload_(&workload),
      settings_(settings),
      pending_(settings.depth),
      pending_keys_(std::size_t{settings.depth} * settings.keys_per_get),
      follow_ups_(std::size_t{settings.depth} * (settings.reads_through ? settings.keys_per_get : 1)),
      reader_(workload.protocol) {
  MR_ASSERT(settings.depth > 0);
  MR_ASSERT(settings.keys_per_get > 0 && settings.keys_per_get <= UINT16_MAX);
  if (settings.is_datagram) {
    MR_ASSERT(settings.depth == 1 && settings.keys_per_get == 1);
    join_.emplace(kReplyBytesMax);
  }
  const std::size_t largest =
      protocol::kUdpHeaderBytes + writer_.bytes_max(settings.keys_per_get, workload.value_text.largest());
  const std::size_t bytes = std::clamp(largest * settings.depth, kBufferBytesMin, kBufferBytesMax);
  writing_.resize(bytes);
  lent_.resize(bytes);
}

void ClientConnection::ask(Instant now, Instant intended, const Request& request) {
  MR_ASSERT(pending_count_ < settings_.depth);
  if (writing_used_ == 0) {
    writing_.resize(std::max(writing_.size(), protocol::kUdpHeaderBytes + writer_.bytes_max(request)));
  }
  if (join_) {
    join_->begin(++request_id_);
    const auto header = protocol::udp_header_bytes({.request_id = request_id_});
    std::memcpy(writing_.data(), header.data(), header.size());
    writing_used_ = header.size();
  }
  char* const begin = writing_.data() + writing_used_;
  writing_used_ += static_cast<std::size_t>(writer_.write(request, begin) - begin);
  MR_ASSERT(writing_used_ <= writing_.size());
  const std::uint32_t at = place(pending_head_ + pending_count_, settings_.depth);
  if (pending_count_++ == 0) {
    last_progress_ = now;  // nothing was owed before, so the server's time starts now
  }
  Pending& pending = pending_[at];
  pending.intended = intended;
  pending.key = request.key;
  pending.value_bytes = request.value_bytes;
  pending.ttl_s = request.ttl_s;
  pending.operation = request.operation;
  pending.keys = 1;
  if (request.operation == Operation::MultiGet) {
    MR_ASSERT(request.keys.size() <= settings_.keys_per_get);
    pending.keys = static_cast<std::uint16_t>(request.keys.size());
    std::ranges::copy(request.keys, keys_of(at));
  }
}

void ClientConnection::write_all_follow_ups(Instant now) {
  while (follow_up_count_ > 0 && pending_count_ < settings_.depth &&
         fits(writer_.bytes_max(follow_ups_[follow_up_head_]))) {
    const Request request = follow_ups_[follow_up_head_];
    follow_up_head_ = place(follow_up_head_ + 1, static_cast<std::uint32_t>(follow_ups_.size()));
    --follow_up_count_;
    ask(now, now, request);
  }
}

void ClientConnection::follow_up(Operation operation, std::uint64_t key, std::uint64_t unique) {
  const auto size = static_cast<std::uint32_t>(follow_ups_.size());
  MR_ASSERT(follow_up_count_ < size);
  follow_ups_[place(follow_up_head_ + follow_up_count_++, size)] = {
      .operation = operation,
      .key = key,
      .value_bytes = settings_.sizes_follow_keys ? workload_->value_text.bytes_of(key) : front().value_bytes,
      .ttl_s = front().ttl_s,
      .unique = unique};
}

void ClientConnection::missed(std::uint64_t key) {
  if (settings_.reads_through) {
    follow_up(Operation::Set, key);
  }
}

bool ClientConnection::is_busy_with(std::uint64_t key) const noexcept {
  for (std::uint32_t i = 0; i < pending_count_; ++i) {
    const Pending& pending = pending_[place(pending_head_ + i, settings_.depth)];
    // A set on its way is no obstacle: the server takes this connection's requests in order.
    if (is_read(pending.operation) && pending.key == key) {
      return true;
    }
  }
  for (std::uint32_t i = 0; i < follow_up_count_; ++i) {
    if (follow_ups_[place(follow_up_head_ + i, static_cast<std::uint32_t>(follow_ups_.size()))].key == key) {
      return true;
    }
  }
  return false;
}

std::string_view ClientConnection::lend() noexcept {
  MR_ASSERT(has_to_send());
  writing_.swap(lent_);
  is_lent_ = true;
  return {lent_.data(), std::exchange(writing_used_, 0)};
}

bool ClientConnection::read(Instant now, std::string_view bytes, Stats& stats) {
  now_ = now;
  stats_ = &stats;
  const bool is_sound = join_ ? read_datagram(bytes) : read_stream(bytes);
  stats_ = nullptr;
  return is_sound;
}

bool ClientConnection::read_stream(std::string_view bytes) {
  const Failures& failures = stats_->failures;
  const std::uint64_t explained = failures.protocol + failures.verification;
  if (reader_.read(bytes, *this)) {
    return true;
  }
  return failures.protocol + failures.verification == explained && not_a_reply(reader_.offence());
}

bool ClientConnection::not_a_reply(std::string_view bytes) {
  ++stats_->failures.protocol;
  stats_->failures.note(fmt::format("The server sent what is no reply: \"{}\".", printable(bytes)));
  return false;
}

bool ClientConnection::read_datagram(std::string_view datagram) {
  using Taken = protocol::UdpJoin::Taken;
  switch (join_->take(std::as_bytes(std::span(datagram)))) {
    case Taken::Part:
    case Taken::Duplicate:  // the network may double what it carries
    case Taken::Foreign:    // of a request that was given up
      return true;
    case Taken::Malformed:
      return not_a_reply(datagram);
    case Taken::Complete:
      break;
  }
  const auto response = join_->response();
  const std::string_view reply(reinterpret_cast<const char*>(response.data()), response.size());
  // A whole reply, or none: nothing of the next may be in this one, nor the end of this in the next.
  return read_stream(reply) && (pending_count_ == 0 || not_a_reply(reply));
}

void ClientConnection::give_up_request() {
  MR_ASSERT(join_ && pending_count_ == 1);
  join_->begin(++request_id_);
  reader_ = ReplyReader(workload_->protocol);
  forget_front();
}

void ClientConnection::forget_front() noexcept {
  pending_head_ = place(pending_head_ + 1, settings_.depth);
  --pending_count_;
  front_hits_ = 0;
  front_cursor_ = 0;
}

bool ClientConnection::disagrees(const char* what, std::string_view got) {
  ++stats_->failures.verification;
  std::string key(workload_->key_text.size(value_key_), ' ');
  workload_->key_text.write(value_key_, key.data());
  stats_->failures.note(fmt::format("Wrong {} for key {}: \"{}\".", what, key, printable(got)));
  return false;
}

bool ClientConnection::on_value(const ValueHeader& value) {
  if (front_hits_ >= front().keys) {
    return false;  // nobody asked
  }
  ++front_hits_;
  front_unique_ = value.unique;
  stats_->tally.value_bytes += value.bytes;
  return !follows_keys() || (find_value_key(value) && (!settings_.verifies || is_value_expected(value)));
}

/// Which of the keys asked is this the value of?
bool ClientConnection::find_value_key(const ValueHeader& value) {
  value_key_ = front().key;
  const auto number = value.key.empty() ? std::nullopt : workload_->key_text.number(value.key);
  if (front().operation != Operation::MultiGet) {
    return value.key.empty() || number == value_key_ || disagrees("key in a reply", value.key);
  }
  // Hits come in the order asked; what lies between was missed.
  const std::span keys(keys_of(pending_head_), front().keys);
  while (front_cursor_ < keys.size() && !value.key.empty() && number != keys[front_cursor_]) {
    missed(keys[front_cursor_++]);
  }
  if (front_cursor_ == keys.size()) {
    return disagrees("key in a reply", value.key);
  }
  value_key_ = keys[front_cursor_++];
  return true;
}

bool ClientConnection::is_value_expected(const ValueHeader& value) {
  value_bytes_ = settings_.sizes_follow_keys ? workload_->value_text.bytes_of(value_key_) : value.bytes;
  if (value.has_flags && value.flags != ValueText::flags_of(value_key_)) {
    return disagrees("flags", fmt::format("{}", value.flags));
  }
  const bool has_pieces = settings_.expects_pieces && value.bytes > value_bytes_ &&
                          (value.bytes - value_bytes_) % ValueText::kPieceBytes == 0;
  return value.bytes == value_bytes_ || has_pieces || disagrees("size", fmt::format("{}", value.bytes));
}

bool ClientConnection::on_value_bytes(std::uint32_t offset, std::string_view chunk) {
  if (!settings_.verifies) {
    return true;
  }
  const std::string_view stored = chunk.substr(0, value_bytes_ - std::min(offset, value_bytes_));
  const std::string_view pieces = chunk.substr(stored.size());
  const bool is_right =
      (stored.empty() || workload_->value_text.matches(value_key_, value_bytes_, offset, stored)) &&
      (pieces.empty() ||
       ValueText::matches_pieces(value_key_, value_bytes_, offset + static_cast<std::uint32_t>(stored.size()), pieces));
  return is_right || disagrees("value", chunk);
}

void ClientConnection::on_miss() {
  if (front().operation == Operation::MultiGet && follows_keys()) {
    missed(keys_of(pending_head_)[front_cursor_++]);
  }
}

void ClientConnection::on_error(std::string_view text) {
  ++stats_->failures.error_replies;
  stats_->failures.note(fmt::format("The server replied \"{}\".", printable(text)));
}

void ClientConnection::on_read_done() {
  Tally& tally = stats_->tally;
  tally.keys_asked += front().keys;
  tally.hits += front_hits_;
  OperationTally& counts = tally.of(front().operation);
  ++(front_hits_ > 0 ? counts.done : counts.missed);
  if (front().operation == Operation::Gets && front_hits_ > 0) {
    follow_up(Operation::Cas, front().key, front_unique_);
  } else if (front().operation == Operation::MultiGet && settings_.reads_through) {
    while (front_cursor_ < front().keys) {
      missed(keys_of(pending_head_)[front_cursor_++]);
    }
  } else if (front_hits_ == 0) {
    missed(front().key);
  }
}

void ClientConnection::on_done(Outcome outcome) {
  const Operation operation = front().operation;
  OperationTally& counts = stats_->tally.of(operation);
  switch (outcome) {
    case Outcome::Done:
      if (is_read(operation)) {
        on_read_done();
      } else {
        ++counts.done;
      }
      break;
    case Outcome::Refused:
      ++counts.refused;
      break;
    case Outcome::Missed:
      ++counts.missed;
      if (operation == Operation::Incr) {
        follow_up(Operation::Add, front().key);
      }
      break;
    case Outcome::Error:
      break;
  }
  last_progress_ = now_;
  ++stats_->tally.requests;
  if (settings_.aim != nullptr && settings_.aim->owner(workload_->key_text, front().key) == door) {
    ++stats_->tally.aimed;
  }
  ++counts.requests;
  stats_->latency_ns.record(operation, (now_ - front().intended).ns);
  forget_front();
}

}  // namespace millrace::load
