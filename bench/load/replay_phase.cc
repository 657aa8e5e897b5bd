#include "bench/load/replay_phase.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cmath>

#include "bench/load/prng.h"

namespace millrace::load {
namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

PhaseResult ReplayPhase::run(const std::atomic<bool>& stop) {
  // Without one of its connections the rest of the trace would be another trace.
  const auto is_whole = [this] { return clients_->open_count() == clients_->all().size() && !clients_->all().empty(); };
  const auto is_idle = [](const auto& connection) { return connection->is_idle(); };
  if (is_paced()) {
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);  // the kernel lets sleepers wake 50 us late unless told otherwise
  }
  bool has_more = true;
  clients_->make_all_ready();
  while (has_more && is_whole() && !stop.load(std::memory_order_relaxed)) {
    window_->tick();
    write_records();
    clients_->flush();
    clients_->poll(wait_max());
    has_more = cursor_ < trace_->records.size() || !std::ranges::all_of(clients_->all(), is_idle);
  }
  PhaseResult result;
  result.is_complete = !has_more && is_whole();
  if (!result.is_complete) {
    clients_->drain();
  }
  window_->close(result);
  result.records_replayed = written_;
  return result;
}

Instant ReplayPhase::due(std::size_t record) const noexcept {
  if (plan_.speed) {
    return plan_.begin + Duration{std::llround(static_cast<double>(trace_->times[record].ns) / *plan_.speed)};
  }
  return plan_.begin + Duration{std::llround(static_cast<double>(record) * 1e9 / *plan_.rate_per_s)};
}

/// Until the next record is due. When that has passed it waits for a reply, which ends the wait too.
Duration ReplayPhase::wait_max() const noexcept {
  if (!is_paced() || cursor_ == trace_->records.size()) {
    return kPollWait;
  }
  const Duration left = due(cursor_) - clients_->now();
  return left.ns > 0 ? std::min(left, kPollWait) : kPollWait;
}

bool ReplayPhase::is_mine(const TraceRecord& record) const noexcept {
  return plan_.threads == 1 || (mix64(record.key) >> 32) % plan_.threads == plan_.thread;
}

ClientConnection& ReplayPhase::connection_of(const TraceRecord& record) const noexcept {
  const auto& all = clients_->all();
  return *all[all.size() == 1 ? 0 : (mix64(record.key) & 0xffff'ffff) % all.size()];
}

void ReplayPhase::write_records() {
  const Instant now = clients_->now();
  for (; cursor_ < trace_->records.size(); ++cursor_) {
    const TraceRecord& record = trace_->records[cursor_];
    if (!is_mine(record)) {
      continue;
    }
    const Instant intended = is_paced() ? due(cursor_) : now;
    if (intended > now) {
      return;
    }
    ClientConnection& connection = connection_of(record);
    if (connection.is_busy_with(record.key)) {
      return;
    }
    const Request request{.operation = record.is_set ? Operation::Set : Operation::Get,
                          .key = record.key,
                          .value_bytes = record.value_bytes,
                          .ttl_s = record.ttl_s != 0 ? record.ttl_s : plan_.ttl_s};
    if (!connection.can_ask(request)) {
      return;
    }
    connection.ask(now, intended, request);
    clients_->touch(connection);
    ++written_;
  }
}

}  // namespace millrace::load
