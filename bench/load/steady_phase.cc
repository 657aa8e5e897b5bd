#include "bench/load/steady_phase.h"

#include <utility>

namespace millrace::load {
namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

SteadyPhase::SteadyPhase(ClientSet& clients, OperationMix mix, const SteadyPlan& plan)
    : clients_(&clients), mix_(std::move(mix)), plan_(plan) {}

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
  if (!connection.can_ask(mix_.bytes_max())) {
    return false;
  }
  const Instant now = clients_->now();
  connection.ask(now, now, mix_.next());
  return true;
}

}  // namespace millrace::load
