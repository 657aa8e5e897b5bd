// Two transports as one, for a worker that serves a device's frames and the kernel's sockets: one that polls (datagrams
// only) and one that can sleep. Knows neither of them but as a Transport.
//
// Thread: the worker's; waker().wake() on any. Ownership: owns both; events are theirs, untouched.
// Which is whose: connections are the kernel's, all of them: connect() goes there. Datagram sockets say it by their
// number: those of the frames begin at `frame_socket_base`. A Released without a connection is passed on as it comes.
// Each turn looks at the frames first, then at the kernel, which enters the ring only if there is reason to.
// Idle: look and pause, then sleep inside the kernel's poll(), so that connections and wakes end it at once. Where the
// frames have a descriptor the ring waits for that as well, kSleepLongest at most (timers, news of other cores, a link
// that comes up); where not it is a nap, and a datagram waits for its end (base/nap.h). Of rule 11: a nap counts as
// long as it was meant, and a sleep may be shorter.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/attributes.h"
#include "base/nap.h"
#include "dataplane/api/transport.h"

namespace millrace::compose {

class CompositeTransport final : public dataplane::Transport {
 public:
  static constexpr Duration kSleepLongest = milliseconds(10);

  CompositeTransport(std::unique_ptr<dataplane::Transport> frames, std::unique_ptr<dataplane::Transport> kernel,
                     std::uint16_t frame_socket_base)
      : frames_(std::move(frames)),
        kernel_(std::move(kernel)),
        frame_socket_base_(frame_socket_base),
        waker_(kernel_->waker()) {}
  CompositeTransport(const CompositeTransport&) = delete;
  CompositeTransport& operator=(const CompositeTransport&) = delete;

  std::size_t poll(Instant now, std::span<dataplane::Event> out, Duration wait) noexcept override;
  void submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept override;
  Status connect(const dataplane::Endpoint& to, ConnId& conn) noexcept override { return kernel_->connect(to, conn); }
  void stop_accepting() noexcept override;
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override;
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override;
  void visit_counters(dataplane::CounterVisitor& visitor) const noexcept override {
    frames_->visit_counters(visitor);
    kernel_->visit_counters(visitor);
  }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId conn) const override { return kernel_->peer_text(conn); }
  [[nodiscard]] std::string listener_text(ConnId conn) const override { return kernel_->listener_text(conn); }

 private:
  /// The kernel's, with a note for us: its poll() does not say why a sleep ended.
  class NotingWaker final : public dataplane::Waker {
   public:
    explicit NotingWaker(dataplane::Waker& inner) : inner_(inner) {}
    void wake() noexcept override {
      is_asked_.store(true, std::memory_order_release);
      inner_.wake();
    }
    [[nodiscard]] bool take() noexcept {
      return is_asked_.load(std::memory_order_relaxed) && is_asked_.exchange(false, std::memory_order_acq_rel);
    }

   private:
    dataplane::Waker& inner_;
    alignas(kCacheLineBytes) std::atomic<bool> is_asked_ = false;
  };

  [[nodiscard]] std::size_t take_in(Instant now, std::span<dataplane::Event> out) noexcept;
  [[nodiscard]] Napped nap(Instant now, std::span<dataplane::Event> out, Duration time, Duration left) noexcept;
  [[nodiscard]] bool is_for_frames(const dataplane::TxOp& op) const noexcept {
    return op.kind == dataplane::TxKind::SendDatagram && op.flow->socket >= frame_socket_base_;
  }

  const std::unique_ptr<dataplane::Transport> frames_;
  const std::unique_ptr<dataplane::Transport> kernel_;
  const std::uint16_t frame_socket_base_;
  NotingWaker waker_;
  NapSchedule naps_;
  mutable dataplane::TransportCounters sum_;
  dataplane::TransportCounters own_;  ///< naps and idle time: only this one knows them
  Instant last_poll_{};
  bool was_idle_ = false;
  bool is_kernels_turn_ = false;
};

}  // namespace millrace::compose
