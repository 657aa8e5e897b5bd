#include "bench/load/steady_phase.h"

#include "base/assert.h"

namespace millrace::load {
namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

SteadyPhase::SteadyPhase(ClientSet& clients, const Workload& workload, KeySequence keys, const SteadyPlan& plan)
    : clients_(&clients),
      workload_(&workload),
      keys_(keys),
      plan_(plan),
      prng_(mix64(plan.seed ^ 0x6d69'78)),
      asked_(plan.mode == Mode::MultiGet ? plan.keys_per_get : 1) {
  MR_ASSERT(plan.mode != Mode::Replay);
}

PhaseResult SteadyPhase::run(const std::atomic<bool>& stop) {
  clients_->poll(Duration{});
  const Instant begin = clients_->now();
  bool is_open = false;
  bool has_more = true;
  clients_->make_all_ready();
  while (has_more && !stop.load(std::memory_order_relaxed) && clients_->open_count() > 0) {
    if (!is_open && clients_->now() - begin >= plan_.warmup) {
      open_window();
      is_open = true;
    }
    for (ClientConnection* const connection : clients_->ready()) {
      refill(*connection);
    }
    clients_->flush();
    clients_->poll(kPollWait);
    const bool is_late = is_open && plan_.length && clients_->now() - opened_ >= *plan_.length;
    has_more = left_ > 0 && !is_late;
  }
  result_.is_complete = !has_more && clients_->open_count() > 0;
  if (!is_open) {
    open_window();  // stopped while warming up: an empty window
  }
  if (plan_.length && result_.is_complete && left_ > 0) {
    close_window();
    clients_->drain();
  } else {
    // A counted phase ends with its last reply.
    clients_->drain();
    close_window();
  }
  return result_;
}

void SteadyPhase::open_window() {
  opened_ = clients_->now();
  clients_->stats().open_window();
  usage_at_open_ = this_thread_usage();
  if (plan_.requests) {
    left_ = *plan_.requests;
  }
}

void SteadyPhase::close_window() {
  result_.usage = this_thread_usage() - usage_at_open_;
  result_.window = clients_->now() - opened_;
  result_.tally = clients_->stats().tally;
  result_.latency_ns = clients_->stats().latency_ns;
}

void SteadyPhase::refill(ClientConnection& connection) {
  while (left_ > 0 && write_one(connection)) {
    --left_;
  }
}

bool SteadyPhase::write_one(ClientConnection& connection) {
  const Instant now = clients_->now();
  // Both kinds must fit before the dice are thrown, or a full buffer would favour the smaller.
  const std::uint32_t largest = workload_->value_text.largest();
  const bool may_get = plan_.mode == Mode::Get || plan_.mode == Mode::MultiGet;
  if (!connection.can_get() || (!may_get && !connection.can_set(largest))) {
    return false;
  }
  if (may_get || (plan_.mode == Mode::Mix && prng_.unit() < plan_.get_share)) {
    for (std::uint64_t& key : asked_) {
      key = keys_.next();
    }
    connection.get(now, asked_);
  } else {
    const std::uint64_t key = keys_.next();
    connection.set(now, key, workload_->value_text.bytes_of(key), plan_.ttl_s);
  }
  return true;
}

}  // namespace millrace::load
