// Our own network stack as a Transport: datagrams only. As a server its bound ports are datagram listeners (rules 15 to
// 17), as a client each connection is a local port of its own (rule 14), and open once the next hop's MAC is known: so
// many may send their first datagram at once. Connections of streams are Unsupported.
//
// Thread: create() on any; then the core that owns the port; waker().wake() on any.
// Ownership: borrows the port, which outlives it. Bytes and flows of events are its own (or the port's) until the next
// poll(). Slices are copied during submit(), but for those of a SendDatagram with a token that the stack lends.
// By itself it sleeps on no descriptor: poll() with a wait looks, pauses, and then naps (base/nap.h), so a datagram
// that comes to an idle core waits for the end of a nap: NapSchedule::kLongest at most. It reads no clock: a nap counts
// as long as it was meant. arm() is for a transport beside it that sleeps for both.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/nap.h"
#include "base/result.h"
#include "dataplane/api/counter_board.h"
#include "dataplane/api/transport.h"
#include "dataplane/stack/futex_waker.h"
#include "dataplane/stack/host_stack.h"

namespace millrace::stack {

struct StackTransportOptions {
  std::vector<std::uint16_t> ports{};  ///< UDP ports to serve, in the order of their indices
  /// What the first of them has for its number, in Event::listener and DatagramFlow::socket.
  std::uint16_t socket_base = 0;
  std::uint32_t connections_max = 0;  ///< to connect() at once
  /// With a `watch` connect() takes a port for which the peer's answer lands on this core, if it finds one.
  StackOptions stack{};
  dataplane::CounterBoard* board = nullptr;  ///< shows visit_counters() to other threads; outlives the transport
};

class StackTransport final : public dataplane::Transport {
 public:
  /// Datagrams a connection that is paused keeps; more are lost.
  static constexpr std::size_t kHeldMax = 64;

  static Result<std::unique_ptr<StackTransport>> create(port::FramePort& port, const ip::HostAddresses& addresses,
                                                        const StackTransportOptions& options);
  StackTransport(const StackTransport&) = delete;
  StackTransport& operator=(const StackTransport&) = delete;

  std::size_t poll(Instant now, std::span<dataplane::Event> out, Duration wait) noexcept override;
  [[nodiscard]] int arm(dataplane::Waker& waker) noexcept override;
  void disarm() noexcept override;
  void submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept override;
  Status connect(const dataplane::Endpoint& to, ConnId& conn) noexcept override;
  void stop_accepting() noexcept override;
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override;
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override;
  void visit_counters(dataplane::CounterVisitor& visitor) const noexcept override;
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId conn) const override;
  [[nodiscard]] std::string listener_text(ConnId conn) const override;

  [[nodiscard]] const HostStack& stack() const noexcept { return stack_; }

 private:
  struct Connection {
    std::uint32_t generation = 0;
    bool is_open = false;     ///< not: free, or in closing_
    bool is_opening = false;  ///< in opening_; is_open too
    bool is_paused = false;
    bool is_resuming = false;  ///< in resuming_
    dataplane::CloseReason reason{};
    wire::FlowKey flow{};  ///< source: ours
    std::size_t handed_back = 0;
    std::deque<std::string> held{};  ///< those handed back, then what came while paused
  };

  StackTransport(port::FramePort& port, const ip::HostAddresses& addresses, const StackTransportOptions& options);

  // Events
  [[nodiscard]] std::size_t take_in(Instant now, std::span<dataplane::Event> out) noexcept;
  [[nodiscard]] std::size_t tell_pending(std::span<dataplane::Event> out) noexcept;
  [[nodiscard]] std::size_t tell_held(std::span<dataplane::Event> out) noexcept;
  void open_waiting(Instant now) noexcept;
  [[nodiscard]] std::size_t tell_closed(std::span<dataplane::Event> out) noexcept;
  void tell_server(Datagram& datagram, dataplane::Event& event) const noexcept;
  [[nodiscard]] bool tell_client(const Datagram& datagram, dataplane::Event& event) noexcept;
  void take_refusals() noexcept;
  void count_idle(Instant now) noexcept;
  void show_counters(Instant now) noexcept;

  // Operations
  [[nodiscard]] const Datagram& question_of(const dataplane::TxOp& op) const noexcept;
  void send_datagram(Instant now, const dataplane::TxOp& op) noexcept;
  void send(Instant now, const dataplane::TxOp& op) noexcept;
  void pause(Connection& connection, std::string_view unconsumed) noexcept;
  void resume(ConnId id, Connection& connection) noexcept;
  void close(ConnId id, Connection& connection, dataplane::CloseReason reason) noexcept;
  void release(ConnId conn, std::uint64_t token) noexcept;

  [[nodiscard]] Connection* find(ConnId id) noexcept;
  [[nodiscard]] const Connection* find(ConnId id) const noexcept;
  [[nodiscard]] ConnId id_of(std::uint32_t slot) const noexcept {
    return {.slot = slot, .generation = connections_[slot].generation};
  }

  port::FramePort& port_;
  const StackTransportOptions options_;
  HostStack stack_;
  FutexWaker waker_;
  NapSchedule naps_;
  mutable dataplane::TransportCounters counters_;

  std::array<Datagram, HostStack::kBurst> datagrams_{};  ///< of the last poll; events name their flows
  std::vector<dataplane::Event> pending_;                ///< to be told, before anything that comes
  std::size_t pending_begin_ = 0;
  std::vector<Connection> connections_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> slot_of_;  ///< of the stack's socket number; those of listeners come first
  std::uint16_t listeners_ = 0;
  std::uint32_t next_port_ = 0;
  std::vector<std::uint32_t> resuming_;  ///< connections with something held to tell
  std::vector<std::uint32_t> opening_;   ///< connections whose next hop is being asked for
  std::vector<std::uint32_t> closing_;   ///< connections whose Closed is to be told
  std::deque<std::string> told_held_;    ///< viewed by events until the next poll()
  std::uint64_t held_bytes_ = 0;
  std::uint64_t not_kept_ = 0;
  std::uint64_t datagrams_asked_ = 0;  ///< to be sent
  Instant last_poll_{};
  Instant show_at_{};  ///< when the board is written next; never without one
  bool was_idle_ = false;
  bool was_woken_ = false;  ///< in a nap
};

}  // namespace millrace::stack
