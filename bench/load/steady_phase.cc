#include "bench/load/steady_phase.h"

#include <algorithm>
#include <utility>

namespace millrace::load {
namespace {

constexpr Duration kPollWait = milliseconds(20);

}  // namespace

SteadyPhase::SteadyPhase(ClientSet& clients, std::vector<OperationMix> mixes, const SteadyPlan& plan,
                         MeasuredWindow& window)
    : clients_(&clients), mixes_(std::move(mixes)), plan_(plan), window_(&window) {}

PhaseResult SteadyPhase::run(const std::atomic<bool>& stop) {
  clients_->make_all_ready();
  bool has_more = true;
  bool is_cut_off = false;
  while (has_more && !is_cut_off && !stop.load(std::memory_order_relaxed) && clients_->open_count() > 0) {
    if (window_->tick()) {
      left_ = plan_.requests.value_or(UINT64_MAX);
    }
    for (ClientConnection* const connection : clients_->ready()) {
      refill(*connection);
    }
    clients_->flush();
    clients_->poll(kPollWait);
    is_cut_off = clients_->ready().empty() && is_stuck();
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
  OperationMix& mix = mixes_[connection.door];
  if (!mix.has_next() || !connection.can_ask(mix.bytes_max())) {
    return false;
  }
  const Instant now = clients_->now();
  connection.ask(now, now, mix.next());
  return true;
}

/// What is left can only be asked by connections that are gone.
bool SteadyPhase::is_stuck() {
  return std::ranges::none_of(clients_->all(), [&](const auto& connection) {
    return connection->state == ClientConnection::State::Open &&
           (!connection->is_idle() || mixes_[connection->door].has_next());
  });
}

}  // namespace millrace::load
