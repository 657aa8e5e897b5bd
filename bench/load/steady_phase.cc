#include "bench/load/steady_phase.h"

#include <utility>

namespace millrace::load {
namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

SteadyPhase::SteadyPhase(ClientSet& clients, OperationMix mix, const SteadyPlan& plan, MeasuredWindow& window)
    : clients_(&clients), mix_(std::move(mix)), plan_(plan), window_(&window) {}

PhaseResult SteadyPhase::run(const std::atomic<bool>& stop) {
  clients_->make_all_ready();
  bool has_more = true;
  while (has_more && !stop.load(std::memory_order_relaxed) && clients_->open_count() > 0) {
    if (window_->tick()) {
      left_ = plan_.requests.value_or(UINT64_MAX);
    }
    for (ClientConnection* const connection : clients_->ready()) {
      refill(*connection);
    }
    clients_->flush();
    clients_->poll(kPollWait);
    has_more = left_ > 0 && !(plan_.length && window_->age() >= *plan_.length);
  }
  PhaseResult result;
  result.is_complete = !has_more && clients_->open_count() > 0;
  if (plan_.length && result.is_complete && left_ > 0) {
    window_->close(result);
    clients_->drain();
  } else {
    // A counted phase ends with its last reply.
    clients_->drain();
    window_->close(result);
  }
  return result;
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
