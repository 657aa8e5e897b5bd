// The meta commands on one partition: what mg, ms, md, ma and me do to the store, and the words they answer with. The
// flags of a line take effect in the order in which they stand, as in memcached: `T30 t` tells 30, `t T30` what was.
//
// Thread: the partition's owner. Ownership: borrows everything, for one operation.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "mesh/message.h"
#include "protocol/meta/args.h"
#include "protocol/meta/write.h"
#include "protocol/reply.h"
#include "store/partition.h"
#include "worker/operation.h"
#include "worker/worker.h"

namespace millrace::worker {

/// What a command comes to: a text, and perhaps a value behind it.
struct MetaReply {
  std::array<char, mesh::kReplyLineBytesMax> text;
  std::uint32_t text_bytes = 0;
  const store::Item* value = nullptr;

  void set(std::string_view reply) noexcept {
    text_bytes = static_cast<std::uint32_t>(reply.copy(text.data(), text.size()));
  }
  void set_end(const char* end) noexcept { text_bytes = static_cast<std::uint32_t>(end - text.data()); }
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text_bytes}; }
};

class MetaExecutor {
 public:
  MetaExecutor(Worker& worker, const Operation& operation, std::int64_t connection, MetaReply& reply) noexcept
      : worker_(worker),
        partition_(worker.partition_),
        now_s_(worker.now_s_),
        operation_(operation),
        connection_(connection),
        extra_(protocol::meta::read_extra(operation.extra)),
        reply_(reply) {}

  void execute() noexcept;
  /// An ms whose value was received into memory reserved for it.
  void commit(const store::Reservation& reservation) noexcept;

 private:
  /// What T, N and R come to, one after the other.
  struct Times {
    store::Seconds expires_at = store::kNever;  ///< at the end
    store::Seconds shown = store::kNever;       ///< where t stands
    bool is_changed = false;
    bool is_touched = false;
    bool wins = false;
  };

  void get() noexcept;
  void store() noexcept;
  void remove() noexcept;
  void arith() noexcept;
  void debug() noexcept;

  [[nodiscard]] Times follow_times(store::Seconds before, bool is_new, bool has_won) const noexcept;
  [[nodiscard]] protocol::meta::Shown show(const store::Item& item, store::Seconds expires_at) const noexcept;
  [[nodiscard]] store::StoreArgs store_args() const noexcept;
  [[nodiscard]] store::MetaStoreArgs meta_store_args() const noexcept;
  void say_stored(const store::StoreReply& stored, std::uint32_t value_bytes) noexcept;
  /// A code, and what is to be reflected. Nothing if the line asked for quiet and this is what it expected.
  void say(std::string_view code, bool is_expected) noexcept;
  void end_line(char* at) noexcept;

  [[nodiscard]] bool has(std::uint32_t flag) const noexcept { return extra_.args.has(flag); }
  [[nodiscard]] std::optional<store::Cas> new_cas() const noexcept;

  Worker& worker_;
  store::Partition& partition_;
  const store::Seconds now_s_;
  const Operation& operation_;
  const std::int64_t connection_;  ///< for those who watch
  const protocol::meta::Extra extra_;
  MetaReply& reply_;
};

template <typename Sink, typename Run>
void Worker::answer_meta(const Operation& operation, Sink& sink, const Run& run) noexcept {
  MetaReply reply;
  MetaExecutor executor(*this, operation, sink.connection_number(), reply);
  run(executor);
  const store::Item* item = reply.value;
  if (item == nullptr) {
    sink.line(reply.view());
    return;
  }
  const std::uint32_t value_bytes = item->value_bytes();
  if (value_bytes > Sink::kCopiedBytesMax) {
    const store::ItemRef pin = partition_.pin(item);
    if (MR_UNLIKELY(pin == store::ItemRef{})) {
      sink.line(protocol::reply::kOutOfMemoryWriting);
      return;
    }
    sink.line(reply.view());
    sink.lend(item, pin, value_bytes, true);
    return;
  }
  char* const begin = sink.room(reply.text_bytes + value_bytes + 2);
  std::memcpy(begin, reply.text.data(), reply.text_bytes);
  char* at = begin + reply.text_bytes;
  store::ValueCursor cursor;
  for (auto part = partition_.value_next(item, cursor); !part.empty(); part = partition_.value_next(item, cursor)) {
    std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
  std::memcpy(at, "\r\n", 2);
  sink.commit(static_cast<std::uint32_t>(at + 2 - begin));
}

}  // namespace millrace::worker
