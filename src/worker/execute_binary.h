// Binary requests meet the store, and their replies are written: beside execute.h, over the same sinks.
//
// Thread: the partition's owner. Ownership: none. What differs from text is memcached's: a comparison of cas in any
// command, numbers that a missing key may begin with, and quiet requests, which say only what is not expected.
#pragma once

#include <array>
#include <charconv>
#include <cstring>

#include "mesh/message.h"
#include "protocol/binary/opcodes.h"
#include "protocol/binary/parse.h"
#include "protocol/binary/write.h"
#include "store/partition.h"
#include "worker/operation.h"
#include "worker/worker.h"

namespace millrace::worker {

static_assert(protocol::binary::kHitHeadBytesMax <= mesh::kReplyLineBytesMax);

/// How a change that did not happen is told. `command` decides what "not stored" means.
[[nodiscard]] constexpr protocol::binary::Status binary_status(store::Outcome outcome,
                                                               protocol::Command command) noexcept {
  using protocol::Command;
  using protocol::binary::Status;
  switch (outcome) {
    case store::Outcome::Stored:
    case store::Outcome::Deleted:
    case store::Outcome::Touched:
      return Status::Ok;
    case store::Outcome::NotStored:
      return command == Command::Add       ? Status::Exists
             : command == Command::Replace ? Status::NotFound
                                           : Status::NotStored;
    case store::Outcome::Exists:
      return Status::Exists;
    case store::Outcome::NotFound:
      return Status::NotFound;
    case store::Outcome::TooLarge:
      return Status::TooLarge;
    case store::Outcome::OutOfMemory:
      return Status::OutOfMemory;
    case store::Outcome::NotNumeric:
      return Status::NotNumeric;
  }
  return Status::Invalid;
}

[[nodiscard]] inline protocol::binary::Args binary_args(std::string_view extra) noexcept {
  protocol::binary::Args args;
  MR_ASSERT(extra.size() == sizeof args);
  std::memcpy(&args, extra.data(), sizeof args);
  return args;
}

/// One request's replies, written into a sink.
template <typename Sink>
class BinaryAnswer {
 public:
  BinaryAnswer(const protocol::binary::Args& args, Sink& sink) noexcept
      : asked_{.opcode = args.opcode, .opaque = args.opaque},
        is_quiet_(protocol::binary::facts_of(args.opcode).is_quiet),
        sink_(sink) {}

  /// Errors are told whoever asked.
  void error(protocol::binary::Status status) noexcept {
    write<protocol::binary::kErrorBytesMax>([&](char* at) { return write_error(at, asked_, status); });
  }
  /// It is done, and has this cas from now on.
  void done(store::Cas cas) noexcept {
    if (!is_quiet_) {
      write<protocol::binary::kHeaderBytes>([&](char* at) { return write_done(at, asked_, cas); });
    }
  }
  void number(std::uint64_t number, store::Cas cas) noexcept {
    if (!is_quiet_) {
      write<protocol::binary::kNumberReplyBytes>([&](char* at) { return write_number(at, asked_, number, cas); });
    }
  }
  void miss(std::string_view key) noexcept {
    if (is_quiet_) {
      return;
    }
    if (protocol::binary::returns_key(asked_.opcode)) {
      write<protocol::binary::kHitHeadBytesMax>([&](char* at) { return write_miss_with_key(at, asked_, key); });
    } else {
      error(protocol::binary::Status::NotFound);
    }
  }
  /// Everything of a hit but the value, into the sink's room; the value comes behind it.
  [[nodiscard]] char* hit_head(char* at, std::string_view key, const store::Item& item, std::uint32_t value_bytes,
                               store::Cas cas) const noexcept {
    const std::string_view told = protocol::binary::returns_key(asked_.opcode) ? key : std::string_view{};
    return write_hit_head(at, asked_, told, item.client_flags(), value_bytes, cas);
  }

 private:
  template <std::size_t kBytesMax, typename Write>
  void write(Write&& write_at) noexcept {
    char* const begin = sink_.room(kBytesMax);
    sink_.commit(static_cast<std::uint32_t>(write_at(begin) - begin));
  }

  protocol::binary::Asked asked_;
  bool is_quiet_;
  Sink& sink_;
};

template <typename Sink>
void Worker::execute_binary_retrieval(const Operation& operation, const protocol::binary::Args& args,
                                      Sink& sink) noexcept {
  BinaryAnswer answer(args, sink);
  const store::Item* item = operation.command == protocol::Command::Get
                                ? partition_.get(operation.key, now_s_)
                                : partition_.get_and_touch(operation.key, operation.expires_at, now_s_);
  if (MR_UNLIKELY(observes_)) {
    observe_get(operation, item, sink.connection_number());
  }
  if (item == nullptr) {
    answer.miss(operation.key.bytes);
    return;
  }
  const bool wants_value = operation.command != protocol::Command::Touch;
  const std::uint32_t value_bytes = wants_value ? item->value_bytes() : 0;
  const bool copies = value_bytes <= Sink::kCopiedBytesMax;
  const store::ItemRef pin = copies ? store::ItemRef{} : partition_.pin(item);
  if (MR_UNLIKELY(!copies && pin == store::ItemRef{})) {
    answer.error(protocol::binary::Status::OutOfMemory);  // as many are lent as can be
    return;
  }
  constexpr auto kHeadMax = static_cast<std::uint32_t>(protocol::binary::kHitHeadBytesMax);
  char* const begin = sink.room(copies ? kHeadMax + value_bytes : kHeadMax);
  char* at = answer.hit_head(begin, operation.key.bytes, *item, value_bytes, told_cas(item->cas()));
  if (!copies) {
    sink.commit(static_cast<std::uint32_t>(at - begin));
    sink.lend(item, pin, value_bytes, false);
    return;
  }
  for (std::uint32_t copied = 0; copied < value_bytes;) {  // once, unless the value is in pieces
    const auto part = partition_.value_span(item, copied);
    std::memcpy(at, part.data(), part.size());
    at += part.size();
    copied += static_cast<std::uint32_t>(part.size());
  }
  sink.commit(static_cast<std::uint32_t>(at - begin));
}

template <typename Sink>
void Worker::execute_binary_arith(const Operation& operation, const protocol::binary::Args& args, Sink& sink) noexcept {
  BinaryAnswer answer(args, sink);
  if (args.cas != 0 || args.creates) {
    const store::Item* item = partition_.peek(operation.key, now_s_);
    if (item == nullptr && args.creates) {
      std::array<char, 20> digits;
      const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), args.initial).ptr;
      const store::StoreReply made =
          partition_.store(operation.key, {digits.data(), static_cast<std::size_t>(end - digits.data())},
                           {.mode = store::StoreMode::Add, .expires_at = operation.expires_at}, now_s_);
      if (made.outcome == store::Outcome::Stored) {
        answer.number(args.initial, told_cas(made.cas));
      } else {
        answer.error(binary_status(made.outcome, operation.command));
      }
      return;
    }
    if (item != nullptr && args.cas != 0 && args.cas != item->cas()) {
      // memcached's order: an empty value is no number, whatever its cas.
      answer.error(item->value_bytes() == 0 ? protocol::binary::Status::NotNumeric : protocol::binary::Status::Exists);
      return;
    }
  }
  const store::ArithReply reply =
      partition_.arith(operation.key, operation.number, operation.command == protocol::Command::Decr, now_s_);
  if (reply.outcome == store::Outcome::Stored) {
    answer.number(reply.number, told_cas(reply.cas));
  } else {
    answer.error(binary_status(reply.outcome, operation.command));
  }
}

/// A storing command with a cas is a compare-and-swap, whichever it is; append and prepend compare beside.
[[nodiscard]] inline store::StoreArgs binary_store_args(const Operation& operation,
                                                        const protocol::binary::Args& args) noexcept {
  const store::StoreMode mode = store_mode(operation.command);
  const bool concatenates = mode == store::StoreMode::Append || mode == store::StoreMode::Prepend;
  return {.mode = args.cas != 0 && !concatenates ? store::StoreMode::Cas : mode,
          .flags = operation.flags,
          .expires_at = operation.expires_at,
          .cas_compare = args.cas};
}

template <typename Sink>
void Worker::execute_binary(const Operation& operation, Sink& sink) noexcept {
  using protocol::Command;
  const protocol::binary::Args args = binary_args(operation.extra);
  switch (operation.command) {
    case Command::Get:
    case Command::Gat:
    case Command::Touch:
      execute_binary_retrieval(operation, args, sink);
      return;
    case Command::Set:
    case Command::Add:
    case Command::Replace:
    case Command::Append:
    case Command::Prepend:
      answer_binary_store(operation, args,
                          partition_.store(operation.key, operation.value, binary_store_args(operation, args), now_s_),
                          static_cast<std::uint32_t>(operation.value.size()), sink);
      return;
    case Command::Delete: {
      if (MR_UNLIKELY(observes_)) {
        observe_delete(operation);
      }
      BinaryAnswer answer(args, sink);
      const store::Item* item = args.cas != 0 ? partition_.peek(operation.key, now_s_) : nullptr;
      if (item != nullptr && item->cas() != args.cas) {
        answer.error(protocol::binary::Status::Exists);
      } else if (partition_.remove(operation.key, now_s_) == store::Outcome::Deleted) {
        answer.done(0);
      } else {
        answer.error(protocol::binary::Status::NotFound);
      }
      return;
    }
    case Command::Incr:
    case Command::Decr:
      execute_binary_arith(operation, args, sink);
      return;
    default:
      break;
  }
  MR_UNREACHABLE();
}

template <typename Sink>
void Worker::answer_binary_store(const Operation& operation, const protocol::binary::Args& args,
                                 const store::StoreReply& reply, std::uint32_t value_bytes, Sink& sink) noexcept {
  if (MR_UNLIKELY(observes_)) {
    observe_store(operation, reply.outcome, value_bytes, sink.connection_number());
  }
  BinaryAnswer answer(args, sink);
  if (reply.outcome == store::Outcome::Stored) {
    answer.done(told_cas(reply.cas));
  } else {
    answer.error(binary_status(reply.outcome, operation.command));
  }
}

template <typename Sink>
void Worker::commit_binary(const Operation& operation, const store::Reservation& reservation, Sink& sink) noexcept {
  const protocol::binary::Args args = binary_args(operation.extra);
  answer_binary_store(operation, args,
                      partition_.commit(reservation, operation.key.hash, binary_store_args(operation, args), now_s_),
                      reservation.value_bytes, sink);
}

}  // namespace millrace::worker
