// The life of a core on one screen.

#include <algorithm>

#include "worker/worker.h"

namespace millrace::worker {

Worker::Worker(const WorkerParts& parts)
    : id_(parts.id),
      workers_(parts.mesh.workers()),
      partition_(parts.partition),
      transport_(parts.transport),
      mesh_(parts.mesh),
      port_(parts.mesh, parts.id),
      clock_(parts.clock),
      shared_(parts.shared),
      session_options_{
          .item_bytes_max = parts.shared.item_bytes_max, .speaks = parts.shared.speaks, .guard = parts.shared.guard},
      sends_per_connection_(std::min(parts.transport.capabilities().sends_per_connection_max,
                                     std::uint32_t{ReplyStream::kSendsInFlightMax})),
      datagram_lend_bytes_min_(parts.transport.capabilities().datagram_lend_bytes_min),
      connections_(parts.transport.capabilities().connections_max),
      prefix_stats_(parts.shared.prefix_delimiter, parts.shared.detail_at_start),
      observes_(parts.shared.detail_at_start),
      events_(kEventsPerTurnMax),
      op_slices_(kEventsPerTurnMax),
      parked_for_(parts.mesh.workers()),
      watch_log_(parts.mesh.workers()) {
  read_clock();
  const Tunables& tunables = shared_.tunables;
  housekeep_every_us_ = tunables.crawl_sleep_us.load(std::memory_order_relaxed);
  partition_.set_crawls(tunables.crawls.load(std::memory_order_relaxed));
  partition_.set_rebalances(tunables.automove.load(std::memory_order_relaxed) != 0);
}

Worker::~Worker() = default;

bool Worker::turn(bool may_sleep) noexcept {
  const Instant before = now_;
  read_clock();
  count_turn(now_ - before);
  weigh_replies();
  if (MR_UNLIKELY(watch_log_.has_changed(shared_.watch_board))) {
    read_watch_board();
  }
  // Answers first: they need nothing from anybody, and everybody else's progress rests on that.
  bool did_something = drain_answers();
  did_something |= advance_reservations();
  did_something |= drain_asks();
  did_something |= retry_parked();
  did_something |= advance_jobs();
  // What the last turn left for the transport goes down with this call, and what has come since comes up.
  did_something |= poll_transport(may_sleep, did_something);
  execute_batch();
  if (MR_UNLIKELY(watch_log_.has_waiting())) {
    send_watched();
  }
  send_replies();
  submit_ops();
  // Last, so that neighbours are woken once for all that the turn made for them.
  port_.publish([this](WorkerId to) { shared_.wakers[to]->wake(); });
  housekeep(!did_something);
  ++counters_.turns;
  counters_.turns_idle += did_something ? 0 : 1;
  return did_something;
}

void Worker::run(Duration drain_limit) noexcept {
  while (!shared_.stops.load(std::memory_order_relaxed)) {
    turn(true);
  }
  transport_.stop_accepting();
  close_all();
  const Instant deadline = clock_.now() + drain_limit;
  bool has_said_drained = false;
  // A drained worker goes on serving: a neighbour may still wait for its answers.
  while (clock_.now() < deadline && shared_.drained.load(std::memory_order_seq_cst) < workers_) {
    turn(true);
    if (!has_said_drained && is_drained()) {
      has_said_drained = true;
      shared_.drained.fetch_add(1, std::memory_order_seq_cst);
      shared_.wake_all();
    }
  }
  // Who has not read until now does not get the rest; the transport must have let go of our buffers before they go.
  abort_all();
  const Instant last = clock_.now() + milliseconds(kAbortLimitMs);
  while (connections_.count() > 0 && clock_.now() < last) {
    turn(true);
  }
  drop_exchanges();
}

/// How long the turn before took, without what it slept: nobody of this core was served in between. What another
/// process took of the core is in it.
void Worker::count_turn(Duration took) noexcept {
  const auto took_ns = static_cast<std::uint64_t>(took.ns);
  if (MR_UNLIKELY(took_ns > counters_.turn_longest_ns) && counters_.turns != 0) {
    counters_.turn_longest_ns = took_ns;
  }
  counters_.turns_over_1ms += took_ns > 1'000'000 ? 1 : 0;
}

bool Worker::is_drained() const noexcept {
  return connections_.count() == 0 && exchanges_.count() == 0 && holes_outstanding_ == 0 && parked_.empty() &&
         reserving_.empty() && jobs_.empty();
}

void Worker::read_clock() noexcept {
  now_ = clock_.now();
  wall_s_ = clock_.wall_s();
  now_s_ = static_cast<store::Seconds>(1 + now_.ns / 1'000'000'000);
}

bool Worker::has_work_waiting() const noexcept {
  return hurries_upkeep() || !parked_.empty() || !reserving_.empty() || !ops_.empty() || !next_turn_.empty() ||
         !to_send_.empty() || watch_log_.has_sendable();
}

void Worker::close_all() noexcept {
  is_draining_ = true;
  for (std::uint32_t slot = 0; slot < connections_.slots(); ++slot) {
    if (Connection* connection = connections_.at(slot)) {
      connection->is_closing = true;
      connection->blocked |= kBlockedByClose;
      want_send(*connection);
    }
  }
}

void Worker::abort_all() noexcept {
  for (std::uint32_t slot = 0; slot < connections_.slots(); ++slot) {
    if (Connection* connection = connections_.at(slot)) {
      if (watches_connections()) {
        remember_peer(*connection);
      }
      connection->close_requested = true;
      queue_op({.kind = dataplane::TxKind::Abort, .conn = connection->id});
    }
  }
}

void Worker::housekeep(bool was_idle) noexcept {
  if (now_ >= housekeep_at_ || (was_idle && hurries_upkeep())) {
    housekeep_at_ = now_ + microseconds(housekeep_every_us_);
    partition_.housekeep(now_s_, kHousekeepItems);
  }
  if (shared_.idle_timeout_s == 0 || connections_.count() == 0) {
    return;
  }
  const std::uint32_t scanned = was_idle && !shared_.polls ? kIdleScanRested : kIdleScanBusy;
  for (std::uint32_t i = 0; i < scanned; ++i) {
    idle_scan_slot_ = idle_scan_slot_ + 1 < connections_.slots() ? idle_scan_slot_ + 1 : 0;
    Connection* connection = connections_.at(idle_scan_slot_);
    if (connection != nullptr && !connection->close_requested && (connection->blocked & kWatches) == 0 &&
        now_.ns / 1'000'000'000 - connection->active_s > shared_.idle_timeout_s) {  // both are cut to seconds
      ++counters_.idle_kicks;
      connection->is_idle_kicked = true;
      if (watches_connections()) {
        remember_peer(*connection);
      }
      connection->close_requested = true;
      queue_op({.kind = dataplane::TxKind::Abort, .conn = connection->id});
    }
  }
}

}  // namespace millrace::worker
