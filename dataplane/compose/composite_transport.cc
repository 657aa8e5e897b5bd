#include "dataplane/compose/composite_transport.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/assert.h"

namespace millrace::compose {

using dataplane::Event;
using dataplane::TransportCounters;
using dataplane::TxOp;

std::size_t CompositeTransport::poll(Instant now, std::span<Event> out, Duration wait) noexcept {
  MR_ASSERT(!out.empty());
  if (was_idle_ && now > last_poll_) {
    const std::int64_t whole_us = (now - last_poll_).ns / 1000;
    own_.idle_us += static_cast<std::uint64_t>(whole_us);
    last_poll_ = last_poll_ + microseconds(whole_us);
  } else {
    last_poll_ = now;
  }
  std::size_t count = take_in(now, out);
  if (count > 0) {
    naps_.reset();
  } else if (wait.ns > 0) {
    count = rest(
        naps_, now, wait, own_, [&](Instant at) { return take_in(at, out); },
        [&](Instant at, Duration time, Duration left) { return nap(at, out, time, left); },
        [&] { return waker_.take(); });
  }
  was_idle_ = count == 0;
  return count;
}

std::size_t CompositeTransport::take_in(Instant now, std::span<Event> out) noexcept {
  // A quarter is left for the kernel, however many frames come; of one place each has it every other time.
  std::size_t room = out.size() - out.size() / 4;
  if (room == out.size()) {
    room -= is_kernels_turn_ ? 1 : 0;
    is_kernels_turn_ = !is_kernels_turn_;
  }
  std::size_t count = room > 0 ? frames_->poll(now, out.first(room), {}) : 0;
  if (count < out.size()) {
    count += kernel_->poll(now, out.subspan(count), {});
  }
  return count;
}

/// Where frames can call, the ring waits for them, too. Else a nap.
Napped CompositeTransport::nap(Instant now, std::span<Event> out, Duration time, Duration left) noexcept {
  const int descriptor = frames_->arm(waker_);
  if (descriptor < 0) {
    return {.count = kernel_->poll(now, out, time), .took = time};
  }
  std::size_t count = frames_->poll(now, out, {});
  if (count == 0) {
    count = kernel_->poll_beside(now, out, std::min(left, kSleepLongest), descriptor);
  }
  frames_->disarm();
  return {.count = count, .was_sleep = true};
}

void CompositeTransport::submit(Instant now, std::span<const TxOp> ops) noexcept {
  // In runs: a turn's operations are mostly of one kind.
  while (!ops.empty()) {
    const bool is_frames = is_for_frames(ops.front());
    std::size_t run = 1;
    while (run < ops.size() && is_for_frames(ops[run]) == is_frames) {
      ++run;
    }
    (is_frames ? *frames_ : *kernel_).submit(now, ops.first(run));
    ops = ops.subspan(run);
  }
}

void CompositeTransport::stop_accepting() noexcept {
  frames_->stop_accepting();
  kernel_->stop_accepting();
}

dataplane::Capabilities CompositeTransport::capabilities() const noexcept {
  const dataplane::Capabilities frames = frames_->capabilities();
  dataplane::Capabilities both = kernel_->capabilities();
  both.slices_per_send_max = std::min(both.slices_per_send_max, frames.slices_per_send_max);
  // Whoever copies what was lent releases it at once.
  if (both.datagram_lend_bytes_min == 0 || frames.datagram_lend_bytes_min == 0) {
    both.datagram_lend_bytes_min = std::max(both.datagram_lend_bytes_min, frames.datagram_lend_bytes_min);
  } else {
    both.datagram_lend_bytes_min = std::min(both.datagram_lend_bytes_min, frames.datagram_lend_bytes_min);
  }
  return both;
}

const TransportCounters& CompositeTransport::counters() const noexcept {
  // Plain numbers, all of them: summed as such, so that one that is added to the struct is not forgotten here.
  using Numbers = std::array<std::uint64_t, sizeof(TransportCounters) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Numbers) == sizeof(TransportCounters));
  const auto a = std::bit_cast<Numbers>(frames_->counters());
  const auto b = std::bit_cast<Numbers>(kernel_->counters());
  auto sum = std::bit_cast<Numbers>(own_);
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += a[i] + b[i];
  }
  sum_ = std::bit_cast<TransportCounters>(sum);
  // What the two found idle was not: the other may have had something.
  sum_.idle_us = own_.idle_us;
  sum_.naps = own_.naps;
  sum_.napped_us = own_.napped_us;
  sum_.sleeps = own_.sleeps;
  sum_.polls_that_slept = own_.polls_that_slept;
  return sum_;
}

}  // namespace millrace::compose
