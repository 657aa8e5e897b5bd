// Datagrams that are answered at once: an operation of theirs meets the store, and its reply is one datagram, written
// where it leaves from.

#include <array>
#include <cstring>

#include "protocol/ascii/plain_get.h"
#include "protocol/ascii/value_line.h"
#include "protocol/udp_frame.h"
#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {

using dataplane::TxKind;

namespace {

/// Most values are short: for them a call of memcpy costs more than the copy. Returns where `to` ends.
char* copy_short(char* to, const char* from, std::uint32_t bytes) noexcept {
  const auto copy_sixteen = [&](std::uint32_t at) {
    std::array<char, 16> part;
    std::memcpy(part.data(), from + at, part.size());
    std::memcpy(to + at, part.data(), part.size());
  };
  if (MR_LIKELY(bytes - 32 <= 32)) {  // 32 to 64: from both ends
    copy_sixteen(0);
    copy_sixteen(16);
    copy_sixteen(bytes - 32);
    copy_sixteen(bytes - 16);
  } else {
    std::memcpy(to, from, bytes);
  }
  return to + bytes;
}

}  // namespace

/// Where the reply of a DatagramOp goes: into the room its question came with or into the turn's datagrams, or, when it
/// turns out to be a large value, into an exchange.
class DatagramSink {
 public:
  DatagramSink(Worker& worker, const Op& op) noexcept
      : worker_(worker),
        op_(op),
        at_((op.datagram.room != nullptr ? op.datagram.room : worker.datagrams_out_.room()) +
            protocol::kUdpHeaderBytes) {}

  static constexpr std::uint32_t kCopiedBytesMax = kDatagramValueBytesMax;

  /// It belongs to no connection.
  [[nodiscard]] static std::int64_t connection_number() noexcept { return -1; }

  [[nodiscard]] char* room([[maybe_unused]] std::uint32_t bytes) noexcept {
    MR_DCHECK(used_ + bytes <= protocol::kUdpBodyBytesMax);
    return at_ + used_;
  }
  void commit(std::uint32_t bytes) noexcept { used_ += bytes; }
  void line(std::string_view text) noexcept {
    if (!op_.request.noreply) {
      std::memcpy(room(static_cast<std::uint32_t>(text.size())), text.data(), text.size());
      commit(static_cast<std::uint32_t>(text.size()));
    }
  }
  void lend(const store::Item* item, store::ItemRef pin, std::uint32_t value_bytes, bool ends_line) noexcept {
    const Loan loan{.item = item, .ref = pin, .owner = worker_.id_, .value_bytes = value_bytes};
    exchange_ = worker_.begin_exchange({.flow = *op_.datagram.flow,
                                        .request_id = op_.datagram.request_id,
                                        .request_bytes = op_.datagram.request_bytes});
    if (exchange_ == nullptr) {
      worker_.give_back(loan);
      used_ = 0;
      is_dropped_ = true;
      return;
    }
    exchange_->replies.append(worker_.memory_, {at_, used_});
    exchange_->replies.append_loan(worker_.memory_, loan);
    if (ends_line) {
      exchange_->replies.append(worker_.memory_, protocol::reply::kCrlf);
    }
  }
  void finish() noexcept {
    const std::string_view end =
        protocol::is_retrieval(op_.request.command) ? protocol::reply::kEnd : std::string_view{};
    if (MR_UNLIKELY(exchange_ != nullptr)) {
      exchange_->replies.append(worker_.memory_, end);
      worker_.want_send(*exchange_);
      return;
    }
    if (!end.empty()) {
      std::memcpy(at_ + used_, end.data(), end.size());
      used_ += static_cast<std::uint32_t>(end.size());
    }
    if (used_ > 0 && !is_dropped_) {
      worker_.answer_at_once(op_.datagram, used_ + protocol::kUdpHeaderBytes);
    }
  }

 private:
  Worker& worker_;
  const Op& op_;
  char* const at_;
  std::uint32_t used_ = 0;
  Exchange* exchange_ = nullptr;
  bool is_dropped_ = false;
};

/// `bytes` of the question's room are the answer. All of a turn go down together: with sixteen at a time a get over
/// memif took 230 ns instead of 206, for each burst has to look how far the peer is.
inline void Worker::answer_in_room(const DatagramOp& datagram, std::uint32_t bytes) noexcept {
  if (MR_UNLIKELY(!may_answer(*datagram.flow, datagram.request_bytes, bytes))) {
    return;
  }
  write_udp_header(datagram.room, {.request_id = datagram.request_id});
  dataplane::TxOp& op = ops_.emplace_back();
  op.kind = TxKind::SendDatagram;
  op.room_bytes = bytes;
  op.flow = datagram.flow;
}

void Worker::execute_datagram(const Op& op) noexcept {
  if (op.datagram.room == nullptr && MR_UNLIKELY(!datagrams_out_.has_room())) {
    submit_ops();
  }
  DatagramSink sink(*this, op);
  const protocol::Request& request = op.request;
  execute({.command = request.command,
           .key = {request.key, op.hash},
           .flags = request.flags,
           .expires_at = expiry_of(request.exptime),
           .number = request.number,
           .value = request.value},
          sink);
  sink.finish();
}

/// The same for the datagrams that almost all are, as many as follow one another, without what only others need: all
/// are looked up, and then all are answered. How many they were.
std::uint32_t Worker::execute_plain_gets(std::uint32_t first) noexcept {
  std::uint32_t count = 1;
  while (first + count < batch_.size() && batch_[first + count].is_plain_get()) {
    ++count;
  }
  const std::span<const store::Key> keys = batch_.keys().subspan(batch_[first].datagram.key_at, count);
  if (MR_UNLIKELY(observes_)) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Op& op = batch_[first + i];
      op.request = protocol::ascii::plain_get(keys[i].bytes);
      op.hash = keys[i].hash;
      execute_datagram(op);
    }
    return count;
  }
  partition_.get_all(keys, now_s_, std::span(got_).first(count));
  Op* op = &batch_[first];
  for (std::uint32_t i = 0; i < count; ++i, ++op) {
    answer_plain_get(*op, keys[i], got_[i]);
  }
  return count;
}

/// What was got has been counted.
MR_ALWAYS_INLINE void Worker::answer_plain_get(Op& op, const store::Key& key,
                                               const store::Partition::Got& got) noexcept {
  const DatagramOp& datagram = op.datagram;
  if (MR_UNLIKELY(datagram.room == nullptr) && !datagrams_out_.has_room()) {
    submit_ops();
  }
  char* const begin = MR_LIKELY(datagram.room != nullptr) ? datagram.room : datagrams_out_.room();
  char* at = begin + protocol::kUdpHeaderBytes;
  if (MR_LIKELY(got.item != nullptr)) {
    if (MR_UNLIKELY(got.value_bytes > kDatagramValueBytesMax || got.value == nullptr)) {
      answer_plain_get_long_way(op, key, got.item);
      return;
    }
    at = protocol::ascii::write_value_line_here(at, key.bytes, got.client_flags, got.value_bytes);
    at = copy_short(at, got.value, got.value_bytes);
    std::memcpy(at, protocol::reply::kCrlf.data(), protocol::reply::kCrlf.size());
    at += protocol::reply::kCrlf.size();
  }
  std::memcpy(at, protocol::reply::kEnd.data(), protocol::reply::kEnd.size());
  at += protocol::reply::kEnd.size();
  const auto bytes = static_cast<std::uint32_t>(at - begin);
  if (MR_LIKELY(datagram.room != nullptr)) {
    answer_in_room(datagram, bytes);
  } else {
    answer_at_once(datagram, bytes);
  }
}

/// Its value does not lie in one piece that one datagram holds.
void Worker::answer_plain_get_long_way(Op& op, const store::Key& key, const store::Item* item) noexcept {
  op.request = protocol::ascii::plain_get(key.bytes);
  DatagramSink sink(*this, op);
  tell_item({.command = op.request.command, .key = key}, item, sink);
  sink.finish();
}

/// `bytes` of the question's room, or of datagrams_out_'s, are the answer, but for the header.
void Worker::answer_at_once(const DatagramOp& datagram, std::uint32_t bytes) noexcept {
  if (MR_LIKELY(datagram.room != nullptr)) {
    answer_in_room(datagram, bytes);
    return;
  }
  if (MR_UNLIKELY(!may_answer(*datagram.flow, datagram.request_bytes, bytes))) {
    return;
  }
  write_udp_header(datagrams_out_.room(), {.request_id = datagram.request_id});
  datagrams_out_.keep(bytes);
  queue_op({.kind = TxKind::SendDatagram, .slices = datagrams_out_.take_datagram(), .flow = datagram.flow});
}

}  // namespace millrace::worker
