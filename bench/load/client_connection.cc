#include "bench/load/client_connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace millrace::load {
namespace {

constexpr std::size_t kBufferBytesMin = 4096;
constexpr std::size_t kBufferBytesMax = 256 << 10;  // unless one request is larger

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
      missed_(settings.reads_through ? settings.depth : 0) {
  MR_ASSERT(settings.depth > 0);
  MR_ASSERT(settings.keys_per_get > 0);
  const std::size_t largest =
      std::max(writer_.get_bytes(settings.keys_per_get), writer_.set_bytes_max(workload.value_text.largest()));
  const std::size_t all = largest * settings.depth;
  const std::size_t bytes = std::max(largest, std::clamp(all, kBufferBytesMin, kBufferBytesMax));
  writing_.resize(bytes);
  lent_.resize(bytes);
}

ClientConnection::Pending& ClientConnection::push(Instant now) noexcept {
  MR_ASSERT(pending_count_ < settings_.depth);
  std::uint32_t at = pending_head_ + pending_count_;
  at = at >= settings_.depth ? at - settings_.depth : at;
  if (pending_count_++ == 0) {
    last_progress_ = now;  // nothing was owed before, so the server's time starts now
  }
  return pending_[at];
}

std::span<std::uint64_t> ClientConnection::keys_of(const Pending& pending) noexcept {
  const auto at = static_cast<std::size_t>(&pending - pending_.data());
  return {pending_keys_.data() + at * settings_.keys_per_get, pending.keys_asked};
}

void ClientConnection::ask(Instant now, Instant intended, const Request& request) noexcept {
  char* const begin = writing_.data() + writing_used_;
  writing_used_ += static_cast<std::size_t>(writer_.write(request, begin) - begin);
  MR_ASSERT(writing_used_ <= writing_.size());
  MR_ASSERT(request.keys.size() <= settings_.keys_per_get);
  Pending& pending = push(now);
  pending.intended = intended;
  pending.missed = {.key = request.key, .value_bytes = request.value_bytes, .ttl_s = request.ttl_s};
  pending.operation = request.operation;
  pending.keys_asked = is_read(request.operation) ? 1 : 0;
  if (request.operation == Operation::MultiGet) {
    pending.keys_asked = static_cast<std::uint16_t>(request.keys.size());
    std::ranges::copy(request.keys, keys_of(pending).begin());
  }
}

void ClientConnection::set_missed(Instant now) noexcept {
  MR_ASSERT(missed_count_ > 0);
  const Missed missed = missed_[missed_head_];
  missed_head_ = missed_head_ + 1 == settings_.depth ? 0 : missed_head_ + 1;
  --missed_count_;
  ask(now, now,
      {.operation = Operation::Set, .key = missed.key, .value_bytes = missed.value_bytes, .ttl_s = missed.ttl_s});
}

bool ClientConnection::is_busy_with(std::uint64_t key) const noexcept {
  for (std::uint32_t i = 0; i < pending_count_; ++i) {
    const std::uint32_t at = pending_head_ + i;
    const Pending& pending = pending_[at >= settings_.depth ? at - settings_.depth : at];
    // A set on its way is no obstacle: the server takes this connection's requests in order.
    if (pending.keys_asked > 0 && pending.missed.key == key) {
      return true;
    }
  }
  for (std::uint32_t i = 0; i < missed_count_; ++i) {
    const std::uint32_t at = missed_head_ + i;
    if (missed_[at >= settings_.depth ? at - settings_.depth : at].key == key) {
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
  const Failures& failures = stats.failures;
  const std::uint64_t explained = failures.protocol + failures.verification;
  const bool is_sound = reader_.read(bytes, *this);
  if (!is_sound && failures.protocol + failures.verification == explained) {
    ++stats.failures.protocol;
    stats.failures.note(fmt::format("The server sent what is no reply: \"{}\".", printable(reader_.offence())));
  }
  stats_ = nullptr;
  return is_sound;
}

bool ClientConnection::disagrees(const char* what, std::string_view got) {
  ++stats_->failures.verification;
  std::string key(workload_->key_text.size(), ' ');
  workload_->key_text.write(value_key_, key.data());
  stats_->failures.note(fmt::format("Wrong {} for key {}: \"{}\".", what, key, printable(got)));
  return false;
}

bool ClientConnection::on_value(const ValueHeader& value) {
  if (pending_count_ == 0 || front_hits_ >= front().keys_asked) {
    return false;  // nobody asked
  }
  ++front_hits_;
  value_bytes_ = value.bytes;
  stats_->tally.value_bytes += value.bytes;
  return !settings_.verifies || is_value_expected(value);
}

bool ClientConnection::is_value_expected(const ValueHeader& value) {
  const Pending& pending = front();
  value_key_ = pending.missed.key;
  const auto number = workload_->key_text.number(value.key);
  if (pending.operation == Operation::MultiGet) {
    // Hits come in the order asked; what lies between was missed.
    const auto keys = keys_of(pending);
    while (front_cursor_ < keys.size() && number != keys[front_cursor_]) {
      ++front_cursor_;
    }
    if (front_cursor_ == keys.size()) {
      return disagrees("key in a reply", value.key);
    }
    value_key_ = keys[front_cursor_++];
  } else if (number != value_key_) {
    return disagrees("key in a reply", value.key);
  }
  if (value.flags != ValueText::flags_of(value_key_)) {
    return disagrees("flags", fmt::format("{}", value.flags));
  }
  if (settings_.verifies_sizes && value.bytes != workload_->value_text.bytes_of(value_key_)) {
    return disagrees("size", fmt::format("{}", value.bytes));
  }
  return true;
}

bool ClientConnection::on_value_bytes(std::uint32_t offset, std::string_view chunk) {
  if (settings_.verifies && !workload_->value_text.matches(value_key_, value_bytes_, offset, chunk)) {
    return disagrees("value", chunk);
  }
  return true;
}

bool ClientConnection::on_line(ReplyLine kind, std::string_view text) {
  if (pending_count_ == 0) {
    return false;
  }
  const Pending& pending = front();
  const bool is_get = pending.keys_asked > 0;
  Tally& tally = stats_->tally;
  OperationTally& counts = tally.of(pending.operation);
  switch (kind) {
    case ReplyLine::End:
      if (!is_get) {
        return false;
      }
      tally.keys_asked += pending.keys_asked;
      tally.hits += front_hits_;
      ++(front_hits_ > 0 ? counts.done : counts.missed);
      if (settings_.reads_through && front_hits_ == 0) {
        const std::uint32_t at = missed_head_ + missed_count_;
        ++missed_count_;
        missed_[at >= settings_.depth ? at - settings_.depth : at] = pending.missed;
      }
      break;
    case ReplyLine::Stored:
    case ReplyLine::NotStored:
      if (is_get) {
        return false;
      }
      ++(kind == ReplyLine::Stored ? counts.done : counts.refused);
      break;
    case ReplyLine::Error:
      ++stats_->failures.error_replies;
      stats_->failures.note(fmt::format("The server replied \"{}\".", printable(text)));
      break;
  }
  answered();
  return true;
}

void ClientConnection::answered() noexcept {
  last_progress_ = now_;
  const Operation operation = front().operation;
  ++stats_->tally.requests;
  ++stats_->tally.of(operation).requests;
  stats_->latency_ns.record(operation, (now_ - front().intended).ns);
  pending_head_ = pending_head_ + 1 == settings_.depth ? 0 : pending_head_ + 1;
  --pending_count_;
  front_hits_ = 0;
  front_cursor_ = 0;
}

}  // namespace millrace::load
