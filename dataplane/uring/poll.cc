// One turn: give back what was lent, enter the kernel once if there is reason to, take in what it says, report.
#include "dataplane/uring/uring_transport.h"

#include <poll.h>

#include <algorithm>

namespace millrace::uring {
namespace {

/// How long accepting rests after descriptors ran out, unless a connection closes before.
constexpr Duration kAcceptRest = milliseconds(100);

}  // namespace

std::size_t UringTransport::poll(Instant now, std::span<dataplane::Event> events, Duration wait) noexcept {
  MR_ASSERT(!events.empty());
  if (MR_UNLIKELY(!ring_->is_enabled())) {
    enable();
  }
  if (was_idle_) {  // the turn before found nothing: it lasted until now, asleep or not
    idle_ns_ += static_cast<std::uint64_t>((now - now_).ns);
    counters_.idle_us = idle_ns_ / 1000;
  }
  if (!turn_slept_) {
    measure_.learn(bytes_told_, now - now_);
  }
  now_ = now;
  turn_slept_ = false;
  ++turn_;
  was_woken_ = false;
  take_back_lent();
  revive_waiting();
  run_timers();

  Output out{.events = events, .bytes_enough = measure_.bytes()};
  if (ring_->front() != nullptr) {
    // What the poll before has left goes first: were more taken in now, the newest would wait for all of it.
    ring_->submit_all();
  } else if (ring_->wants_enter()) {
    ring_->enter();
  }
  take_in(out);
  // A completion that nobody but us cares for is no reason to return: hence asleep only after having looked.
  if (out.count == 0 && wait.ns > 0 && !was_woken_) {
    sleep(wait);
    take_in(out);
  }
  was_idle_ = out.count == 0;
  bytes_told_ = out.bytes;
  return out.count;
}

std::size_t UringTransport::poll_beside(Instant now, std::span<dataplane::Event> events, Duration wait,
                                        int descriptor) noexcept {
  doorbell_ = descriptor;
  const std::size_t count = poll(now, events, wait);
  doorbell_ = -1;
  return count;
}

/// Once: what has not rung stays for the next sleep. One that is armed for a descriptor which was closed meanwhile
/// never rings; its number may be another's by then, and that one's sleep is then as long as it may be.
void UringTransport::arm_doorbell() noexcept {
  if (doorbell_ >= 0 && doorbell_ != doorbell_armed_) {
    io_uring_sqe* sqe = ring_->entry();
    io_uring_prep_poll_add(sqe, doorbell_, POLLIN);
    io_uring_sqe_set_data64(sqe, UserData{.kind = OpKind::Doorbell}.bits());
    doorbell_armed_ = doorbell_;
  }
}

void UringTransport::take_in(Output& out) noexcept {
  // Reports go out before the next completion is looked at: so Opened precedes the first Bytes, and a completion that
  // finds room is never left half told.
  report(out);
  // And no more than one: it may be all that a turn is to bring, and the next turn is then the others'.
  const bool has_gone_first = put_off_waited_ && !out.has_enough();
  if (has_gone_first) {
    take_put_off(out);
  }
  while (!out.has_enough()) {
    const io_uring_cqe* front = ring_->front();
    if (front == nullptr) {
      break;
    }
    const io_uring_cqe completion{.user_data = front->user_data, .res = front->res, .flags = front->flags};
    ring_->pop();
    reap(completion, out);
    report(out);
  }
  if (ring_->front() == nullptr) {
    ++round_;
  }
  put_off_waited_ = !put_off_.empty() && !has_gone_first;
  while (!put_off_.empty() && !out.has_enough()) {
    take_put_off(out);
  }
  if (MR_UNLIKELY(!put_off_.empty())) {
    stop_put_off();
  }
}

/// Who still waits receives no more meanwhile, else it would take every buffer there is. The receive's end waits behind
/// its bytes, and arms the next: where turns are long one of a single buffer, since the kernel itself takes a
/// millisecond for all that it would take in at once (kReceivesInARow).
void UringTransport::stop_put_off() noexcept {
  put_off_.for_each_connection([this](std::uint32_t slot) {
    cancel_receive(id_of(slot), connections_[slot]);
    connections_[slot].receives_singly = true;
  });
}

/// Its connection may have had its share: nobody else wanted the rest.
void UringTransport::take_put_off(Output& out) noexcept {
  const auto [slot, received] = put_off_.pop();
  put_off_waited_ = false;
  take_receive(id_of(slot), connections_[slot], received, out);
  report(out);
}

void UringTransport::sleep(Duration wait) noexcept {
  ++counters_.polls_that_slept;
  turn_slept_ = true;
  arm_doorbell();
  ring_->enter_and_sleep(until_next_timer(wait));
}

void UringTransport::enable() noexcept {
  ring_->enable();
  arm_waker();
  for (std::uint32_t listener = 0; listener < listeners_.size(); ++listener) {
    if (listeners_[listener].is_datagram) {
      arm_datagrams(listener);
    } else if (accept_state_ == AcceptState::Running) {
      arm_accept(listener);
    }
  }
}

void UringTransport::take_back_lent() noexcept {
  for (const std::uint16_t buffer : lent_buffers_) {
    buffers_->give_back(buffer);
  }
  lent_buffers_.clear();
  for (const std::uint16_t buffer : lent_datagram_buffers_) {
    datagram_buffers_->give_back(buffer);
  }
  lent_datagram_buffers_.clear();
  counters_.receive_buffers_lent = 0;
  while (lent_chunks_ != nullptr) {
    HeldBytes::Chunk* chunk = lent_chunks_;
    lent_chunks_ = chunk->next;
    HeldBytes::free_chunk(chunk);
  }
}

/// What had to wait for this turn.
void UringTransport::revive_waiting() noexcept {
  while (!next_turn_.empty()) {
    to_report_.push_back(next_turn_.pop_front());
  }
  while (!starved_.empty()) {
    const std::uint32_t slot = starved_.pop_front();
    arm_receive(id_of(slot), connections_[slot]);
  }
  revive_datagrams();
}

void UringTransport::run_timers() noexcept {
  while (!draining_.empty() && connections_[draining_.first()].drain_until_ns <= now_.ns) {
    const std::uint32_t slot = draining_.first();
    start_dying(id_of(slot), connections_[slot]);
    MR_ASSERT(!draining_.contains(slot));
  }
  if (accept_state_ == AcceptState::NoDescriptor && now_ - accept_paused_at_ >= kAcceptRest) {
    resume_accepting();
  }
}

Duration UringTransport::until_next_timer(Duration wait) const noexcept {
  if (!draining_.empty()) {
    wait.ns = std::min(wait.ns, connections_[draining_.first()].drain_until_ns - now_.ns);
  }
  if (accept_state_ == AcceptState::NoDescriptor) {
    wait = std::min(wait, accept_paused_at_ + kAcceptRest - now_);
  }
  if (datagrams_wait_) {
    wait = std::min(wait, std::max(datagrams_wait_until_ - now_, Duration{}));
  }
  return wait;
}

}  // namespace millrace::uring
