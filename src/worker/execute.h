// An operation on the partition, and where its reply goes: into a connection's stream (LocalSink) or into a lane, for
// the neighbour that asked (AnswerSink). The executor is one piece of code over both.
//
// Thread: the partition's owner. Ownership: a sink borrows what it writes to, for one operation.
#pragma once

#include <cstring>
#include <string_view>

#include "mesh/message.h"
#include "protocol/reply.h"
#include "protocol/request.h"
#include "store/partition.h"
#include "worker/execute_binary.h"
#include "worker/execute_meta.h"
#include "worker/operation.h"
#include "worker/worker.h"

namespace millrace::worker {

class LocalSink {
 public:
  LocalSink(Worker& worker, Connection& connection, bool noreply) noexcept
      : worker_(worker), connection_(connection), noreply_(noreply) {}

  static constexpr std::uint32_t kCopiedBytesMax = kCopiedValueBytesMax;

  [[nodiscard]] char* room(std::uint32_t bytes) noexcept { return connection_.replies.room(worker_.memory_, bytes); }
  void commit(std::uint32_t bytes) noexcept { connection_.replies.commit(worker_.memory_, bytes); }
  void line(std::string_view text) noexcept {
    if (!noreply_) {
      std::memcpy(room(static_cast<std::uint32_t>(text.size())), text.data(), text.size());
      commit(static_cast<std::uint32_t>(text.size()));
    }
  }
  [[nodiscard]] std::int64_t connection_number() const noexcept { return worker_.number_of(connection_.id); }
  /// The pinned value, kept in place, and if `ends_line` a CRLF.
  void lend(const store::Item* item, store::ItemRef pin, std::uint32_t value_bytes, bool ends_line) noexcept {
    connection_.replies.append_loan(worker_.memory_, {item, pin, worker_.id_, value_bytes});
    if (ends_line) {
      connection_.replies.append(worker_.memory_, protocol::reply::kCrlf);
    }
  }

 private:
  Worker& worker_;
  Connection& connection_;
  bool noreply_;
};

class AnswerSink {
 public:
  explicit AnswerSink(std::byte* run) noexcept
      : payload_(reinterpret_cast<char*>(run) + sizeof(mesh::Answer)), run_(run) {}

  static constexpr std::uint32_t kCopiedBytesMax = mesh::kMessageValueBytesMax;

  void begin(std::uint64_t token) noexcept {
    answer_.kind = mesh::AnswerKind::Reply;
    answer_.token = token;
  }
  [[nodiscard]] char* room([[maybe_unused]] std::uint32_t bytes) noexcept {
    MR_DCHECK(used_ + bytes <= mesh::kAnswerSlotsMax * mesh::kSlotBytes - sizeof(mesh::Answer));
    return payload_ + used_;
  }
  void commit(std::uint32_t bytes) noexcept { used_ += bytes; }
  void line(std::string_view text) noexcept {
    std::memcpy(room(static_cast<std::uint32_t>(text.size())), text.data(), text.size());
    commit(static_cast<std::uint32_t>(text.size()));
  }
  /// The asker's is not told.
  [[nodiscard]] std::int64_t connection_number() const noexcept { return -1; }
  /// The asker sends the value from where it lies, adds a CRLF if `ends_line`, and says Unpin.
  void lend(const store::Item* item, store::ItemRef pin, std::uint32_t value_bytes, bool ends_line) noexcept {
    answer_.ends_line = ends_line;
    answer_.item = static_cast<std::uint32_t>(pin);
    answer_.value_bytes = value_bytes;
    answer_.lent = item;
  }
  void reserved(std::uint64_t token, store::Outcome outcome, const store::Reservation& reservation) noexcept {
    answer_.kind = mesh::AnswerKind::Reserved;
    answer_.token = token;
    answer_.outcome = static_cast<std::uint8_t>(outcome);
    answer_.item = reservation.is_valid() ? static_cast<std::uint32_t>(reservation.ref) : 0;
    answer_.value_bytes = reservation.value_bytes;
  }
  void visited(std::uint64_t token) noexcept {
    answer_.kind = mesh::AnswerKind::Visited;
    answer_.token = token;
  }
  [[nodiscard]] bool is_wanted() const noexcept { return answer_.token != 0; }
  /// Writes the header; returns the slots of the whole run.
  [[nodiscard]] std::uint32_t finish() noexcept {
    answer_.bytes = used_;
    answer_.slots = static_cast<std::uint16_t>(mesh::slots_for(sizeof(answer_) + used_));
    std::memcpy(run_, &answer_, sizeof(answer_));
    return answer_.slots;
  }

 private:
  char* payload_;
  std::byte* run_;
  std::uint32_t used_ = 0;
  mesh::Answer answer_{};
};

template <typename Sink>
void Worker::execute_retrieval(const Operation& operation, Sink& sink) noexcept {
  const bool touches = operation.command >= protocol::Command::Gat;
  const store::Item* item = touches ? partition_.get_and_touch(operation.key, operation.expires_at, now_s_)
                                    : partition_.get(operation.key, now_s_);
  if (MR_UNLIKELY(observes_)) {
    observe_get(operation, item, sink.connection_number());
  }
  if (item != nullptr) {
    tell_item(operation, item, sink);
  }
}

/// The item's line and value.
template <typename Sink>
void Worker::tell_item(const Operation& operation, const store::Item* item, Sink& sink) noexcept {
  const std::uint32_t value_bytes = item->value_bytes();
  const bool with_cas = operation.command == protocol::Command::Gets || operation.command == protocol::Command::Gats;
  const bool copies = value_bytes <= Sink::kCopiedBytesMax;
  const store::ItemRef pin = copies ? store::ItemRef{} : partition_.pin(item);
  if (MR_UNLIKELY(!copies && pin == store::ItemRef{})) {
    // As many are lent as can be. A copy instead would be memory that clients who do not read make us take.
    sink.line(protocol::reply::kOutOfMemoryWriting);
    return;
  }
  constexpr auto kLineMax = static_cast<std::uint32_t>(protocol::kValueLineBytesMax);
  char* const begin = sink.room(copies ? kLineMax + value_bytes + 2 : kLineMax);
  char* at = with_cas ? protocol::write_value_line(begin, operation.key.bytes, item->client_flags(), value_bytes,
                                                   shared_.cas_enabled ? item->cas() : 0)
                      : protocol::write_value_line(begin, operation.key.bytes, item->client_flags(), value_bytes);
  if (!copies) {
    sink.commit(static_cast<std::uint32_t>(at - begin));
    sink.lend(item, pin, value_bytes, true);
    return;
  }
  if (MR_LIKELY(!item->is_chained())) {
    std::memcpy(at, item->value(), value_bytes);
    at += value_bytes;
  } else {
    for (std::uint32_t done = 0; done < value_bytes;) {
      const auto part = partition_.value_span(item, done);
      std::memcpy(at, part.data(), part.size());
      at += part.size();
      done += static_cast<std::uint32_t>(part.size());
    }
  }
  std::memcpy(at, "\r\n", 2);
  sink.commit(static_cast<std::uint32_t>(at + 2 - begin));
}

template <typename Sink>
void Worker::execute(const Operation& operation, Sink& sink) noexcept {
  using protocol::Command;
  if (MR_UNLIKELY(operation.dialect != protocol::Dialect::Text)) {
    if (operation.dialect == protocol::Dialect::Binary) {
      execute_binary(operation, sink);
    } else {
      answer_meta(operation, sink, [](MetaExecutor& executor) { executor.execute(); });
    }
    return;
  }
  switch (operation.command) {
    case Command::Get:
    case Command::Gets:
    case Command::Gat:
    case Command::Gats:
      execute_retrieval(operation, sink);
      return;
    case Command::Set:
    case Command::Add:
    case Command::Replace:
    case Command::Append:
    case Command::Prepend:
    case Command::Cas: {
      const store::StoreArgs args{.mode = store_mode(operation.command),
                                  .flags = operation.flags,
                                  .expires_at = operation.expires_at,
                                  .cas_compare = operation.number};
      const store::Outcome outcome = partition_.store(operation.key, operation.value, args, now_s_).outcome;
      if (MR_UNLIKELY(observes_)) {
        observe_store(operation, outcome, static_cast<std::uint32_t>(operation.value.size()), sink.connection_number());
      }
      sink.line(outcome_line(outcome));
      return;
    }
    case Command::Delete: {
      if (MR_UNLIKELY(observes_)) {
        observe_delete(operation);
      }
      sink.line(outcome_line(partition_.remove(operation.key, now_s_)));
      return;
    }
    case Command::Incr:
    case Command::Decr: {
      const store::ArithReply reply =
          partition_.arith(operation.key, operation.number, operation.command == Command::Decr, now_s_);
      if (reply.outcome != store::Outcome::Stored) {
        sink.line(reply.outcome == store::Outcome::OutOfMemory ? "SERVER_ERROR out of memory in incr\r\n"
                                                               : outcome_line(reply.outcome));
        return;
      }
      char text[protocol::kNumberLineBytesMax];
      const char* end = protocol::write_number_line(text, reply.number);
      sink.line({text, static_cast<std::size_t>(end - text)});
      return;
    }
    case Command::Touch:
      sink.line(outcome_line(partition_.touch(operation.key, operation.expires_at, now_s_)));
      return;
    default:
      break;
  }
  MR_UNREACHABLE();
}

/// A reserved and filled value becomes the key's.
template <typename Sink>
void Worker::commit(const Operation& operation, const store::Reservation& reservation, Sink& sink) noexcept {
  if (operation.dialect == protocol::Dialect::Binary) {
    commit_binary(operation, reservation, sink);
    return;
  }
  if (operation.dialect == protocol::Dialect::Meta) {
    answer_meta(operation, sink, [&](MetaExecutor& executor) { executor.commit(reservation); });
    return;
  }
  const store::StoreArgs args{.mode = store_mode(operation.command),
                              .flags = operation.flags,
                              .expires_at = operation.expires_at,
                              .cas_compare = operation.number};
  const store::Outcome outcome = partition_.commit(reservation, operation.key.hash, args, now_s_).outcome;
  if (MR_UNLIKELY(observes_)) {
    observe_store(operation, outcome, reservation.value_bytes, sink.connection_number());
  }
  sink.line(outcome_line(outcome));
}

}  // namespace millrace::worker
