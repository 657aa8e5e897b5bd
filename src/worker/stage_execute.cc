// Operations meet the store: items are asked for while earlier ones are still on their way, then all are executed in
// order.

#include "worker/execute.h"
#include "worker/worker.h"

namespace millrace::worker {
namespace {

/// memcached's rule: up to 30 days is from now on, more is a date.
constexpr std::int64_t kRelativeMax = 60 * 60 * 24 * 30;

}  // namespace

store::Seconds Worker::expiry_of(std::int64_t exptime) const noexcept {
  if (exptime == 0) {
    return store::kNever;
  }
  const std::int64_t from_now = exptime > kRelativeMax ? exptime - wall_s_ : exptime;
  if (from_now <= 0) {
    return store::kAlreadyExpired;
  }
  constexpr std::int64_t kLast = 0xffff'fffe;
  return static_cast<store::Seconds>(from_now < kLast - now_s_ ? now_s_ + from_now : kLast);
}

std::int64_t Worker::exptime_until(store::Seconds expires_at) const noexcept {
  if (expires_at == store::kNever) {
    return 0;
  }
  const std::int64_t from_now = std::int64_t{expires_at} - now_s_;
  if (from_now <= 0) {
    return -1;
  }
  return from_now > kRelativeMax ? wall_s_ + from_now : from_now;
}

void Worker::execute_batch() noexcept {
  if (batch_.is_empty()) {
    return;
  }
  ++counters_.batches;
  const std::uint32_t count = batch_.size();
  partition_.prefetch_all(batch_.keys());
  for (std::uint32_t i = 0; i < count; ++i) {
    Op& op = batch_[i];
    if (op.datagram.flow != nullptr) {
      if (MR_LIKELY(op.datagram.is_plain_get)) {
        i += execute_plain_gets(i) - 1;
      } else {
        execute_datagram(op);
      }
      continue;
    }
    const protocol::Request& request = op.request;
    Connection& connection = *op.connection;
    if (!op.is_remote) {
      LocalSink sink(*this, connection, request.noreply);
      execute({.command = request.command,
               .dialect = request.dialect,
               .key = {request.key, op.hash},
               .flags = request.flags,
               .expires_at = expiry_of(request.exptime),
               .number = request.number,
               .extra = request.extra(),
               .value = request.value},
              sink);
    } else if (op.token != 0) {
      connection.replies.link_hole(reinterpret_cast<ReplyNode*>(op.token));
    }
    if (protocol::is_retrieval(request.command) && request.ends_reply) {
      connection.replies.append(memory_, protocol::reply::kEnd);
    }
    want_send(connection);
  }
  batch_.clear();
  weigh_replies();
}

}  // namespace millrace::worker
