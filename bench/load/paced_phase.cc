#include "bench/load/paced_phase.h"

#include <sys/prctl.h>

#include <algorithm>
#include <utility>

namespace millrace::load {
namespace {

constexpr Duration kPollWaitMax = milliseconds(20);
constexpr Duration kWakeEarly = microseconds(100);

}  // namespace

PacedPhase::PacedPhase(ClientSet& clients, std::vector<OperationMix> mixes, const Schedule& schedule,
                       const PacedPlan& plan, MeasuredWindow& window)
    : clients_(&clients), mixes_(std::move(mixes)), schedule_(schedule), plan_(plan), window_(&window) {
  // The kernel lets sleepers wake 50 us late unless told otherwise.
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

PhaseResult PacedPhase::run(const std::atomic<bool>& stop) {
  clients_->make_all_ready();
  bool is_stopped = false;
  while (has_more() && clients_->open_count() > 0 && !is_stopped) {
    if (window_->tick()) {
      left_ = plan_.requests.value_or(UINT64_MAX);
    }
    take_in_ready();
    leave_due();
    clients_->flush();
    wait();
    is_stopped = stop.load(std::memory_order_relaxed);
  }
  result_.is_complete = !is_stopped && clients_->open_count() > 0;
  if (plan_.requests && left_ == 0) {
    // A counted phase ends with its last reply.
    clients_->drain();
    window_->close(result_);
    return result_;
  }
  if (!window_->is_open()) {
    window_->close(result_);  // stopped while warming up: nothing was measured
    clients_->drain();
    return result_;
  }
  const Instant end = plan_.length ? std::min(clients_->now(), window_->opens() + *plan_.length) : clients_->now();
  window_->close(result_);
  give_up_due(end);
  clients_->drain();
  result_.latency_ns.merge(clients_->stats().latency_ns);
  return result_;
}

bool PacedPhase::has_more() const noexcept {
  return left_ > 0 && !(plan_.length && clients_->now() - window_->opens() >= *plan_.length);
}

void PacedPhase::take_in_ready() {
  for (ClientConnection* const connection : clients_->ready()) {
    const std::size_t slot = connection->id.slot;
    if (slot >= is_listed_.size()) {
      is_listed_.resize(slot + 1, false);
    }
    if (!is_listed_[slot]) {
      is_listed_[slot] = true;
      with_room_.push_back(connection);
    }
  }
}

ClientConnection* PacedPhase::connection_with_room() {
  while (!with_room_.empty()) {
    ClientConnection* const connection = with_room_.front();
    with_room_.pop_front();
    if (connection->state == ClientConnection::State::Open &&
        connection->can_ask(mixes_[connection->door].bytes_max())) {
      with_room_.push_back(connection);
      return connection;
    }
    is_listed_[connection->id.slot] = false;  // comes back when something of it moves
  }
  return nullptr;
}

void PacedPhase::leave_due() {
  const Instant now = clients_->now();
  if (std::exchange(is_blocked_, false)) {
    blocked_until_ = now;
  }
  for (; left_ > 0 && schedule_.next() <= now; --left_) {
    ClientConnection* const connection = connection_with_room();
    if (connection == nullptr) {
      is_blocked_ = true;
      return;
    }
    const Instant due = schedule_.next();
    connection->ask(now, due, mixes_[connection->door].next());
    clients_->touch(*connection);
    schedule_.take();
    if (window_->is_open()) {
      PacedCounts& counts = result_.paced;
      ++counts.due;
      counts.queued += due < blocked_until_ ? 1 : 0;
      counts.late_ns.record((now - std::max(due, blocked_until_)).ns);
    }
  }
}

void PacedPhase::wait() {
  const Instant before = clients_->now();
  // Blocked, or all have left: a reply ends the wait.
  const bool is_timed = !is_blocked_ && left_ > 0;
  Duration wait = is_timed ? std::min(schedule_.next() - before, kPollWaitMax) : kPollWaitMax;
  if (plan_.idling == Idling::Spin) {
    wait = {};
  } else if (is_timed && plan_.idling == Idling::Near) {
    wait = wait - kWakeEarly;
  }
  wait = std::max(wait, Duration{});
  clients_->poll(wait);
  const bool was_idle = clients_->ready().empty() && schedule_.next() > clients_->now();
  if (wait.ns == 0 && was_idle && window_->is_open()) {
    result_.paced.spun = result_.paced.spun + (clients_->now() - before);
  }
}

/// What was due by `end` and never left.
void PacedPhase::give_up_due(Instant end) {
  for (; left_ > 0 && schedule_.next() < end; --left_, schedule_.take()) {
    result_.latency_ns.record(mixes_.front().next().operation, (end - schedule_.next()).ns);
    ++result_.paced.due;
    ++result_.paced.never_left;
  }
}

}  // namespace millrace::load
