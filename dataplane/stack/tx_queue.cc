// Frames on their way to the port, and fresh packets: taken from the port by the burst, where they will be queued.
#include <algorithm>

#include "dataplane/stack/host_stack.h"

namespace millrace::stack {

using wire::Drop;

/// What is queued goes to the front, fresh ones behind it.
void HostStack::make_room(Instant now) noexcept {
  flush(now);
  if (tx_begin_ > 0) {
    const auto at = [this](std::size_t index) { return tx_.begin() + static_cast<std::ptrdiff_t>(index); };
    std::move(at(tx_begin_), at(tx_ready_), at(0));
    tx_ready_ -= tx_begin_;
    tx_end_ -= tx_begin_;
    tx_begin_ = 0;
  }
}

bool HostStack::make_fresh(Instant now) noexcept {
  if (tx_ready_ + kAllocBurst > kTxQueue) {
    make_room(now);
  }
  const std::size_t wanted = std::min(kAllocBurst, kTxQueue - tx_ready_);
  tx_ready_ += port_.alloc(std::span(tx_).subspan(tx_ready_, wanted));
  return tx_end_ < tx_ready_;
}

bool HostStack::alloc(Instant now, buf::Packet& packet) noexcept {
  if (has_fresh(now)) {
    packet = std::move(tx_[--tx_ready_]);
    return true;
  }
  if (tx_ready_ == kTxQueue && port_.alloc({&packet, 1}) == 1) {
    return true;  // the queue is full of what the port does not take; this one may still wait for a neighbour
  }
  counters_.drops.count(Drop::NoBuffer);
  return false;
}

bool HostStack::enqueue(Instant now, buf::Packet& packet) noexcept {
  if (tx_ready_ == kTxQueue) {
    make_room(now);
  }
  if (tx_ready_ == kTxQueue) {
    if (tx_end_ == tx_ready_) {
      counters_.drops.count(Drop::TxQueueFull);
      return false;
    }
    tx_[--tx_ready_] = buf::Packet{};
  }
  // The fresh one whose place this is goes behind the others.
  if (tx_end_ < tx_ready_) {
    tx_[tx_ready_] = std::move(tx_[tx_end_]);
  }
  ++tx_ready_;
  tx_[tx_end_++] = std::move(packet);
  return true;
}

void HostStack::release_fresh() noexcept {
  buf::release_burst(std::span(tx_).subspan(tx_end_, tx_ready_ - tx_end_));
  tx_ready_ = tx_end_;
}

void HostStack::flush_answers(Instant now) noexcept {
  const std::span<buf::Packet> answers = std::span(rx_).subspan(answers_begin_, answers_end_ - answers_begin_);
  answers_begin_ = answers_end_;  // first: what is queued below may flush
  for (buf::Packet& packet : answers.subspan(port_.tx_burst(now, answers))) {
    counters_.datagrams_sent -= enqueue(now, packet) ? 0 : 1;
  }
}

void HostStack::flush(Instant now) noexcept {
  if (answers_begin_ != answers_end_) {
    flush_answers(now);
  }
  if (tx_begin_ == tx_end_) {
    return;
  }
  tx_begin_ += port_.tx_burst(now, std::span(tx_).subspan(tx_begin_, tx_end_ - tx_begin_));
  if (tx_begin_ == tx_ready_) {
    tx_begin_ = tx_end_ = tx_ready_ = 0;
  }
}

}  // namespace millrace::stack
