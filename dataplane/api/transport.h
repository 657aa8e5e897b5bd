// THE interface between a network backend and the worker: one core's connections, in bursts.
//
// Thread: every call comes from the owning core's thread, except Waker::wake().
// Ownership: bytes in events belong to the transport until the next poll(); slices of a Send belong to the worker and
// are lent to the transport until its Released event.
// The numbered rules every backend keeps are in transport_contract.md; tests/contract runs them over each backend.
// Virtual, because it is called twice a turn and not once a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/ids.h"
#include "base/status.h"
#include "base/time.h"
#include "dataplane/api/counter_visitor.h"
#include "dataplane/api/endpoint.h"
#include "dataplane/api/event.h"
#include "dataplane/api/tx.h"

namespace millrace::dataplane {

/// Facts about a backend, for the worker to adapt to.
struct Capabilities {
  std::uint32_t sends_per_connection_max = 1;  ///< Sends of one connection that may await Released
  std::uint32_t slices_per_send_max = 64;
  std::uint32_t connections_max = 0;
  /// Slices of a lent SendDatagram at least this long are not copied by the transport; 0: it copies all.
  std::uint32_t datagram_lend_bytes_min = 0;
};

/// What a backend has counted since start. Read by the owning core.
struct TransportCounters {
  std::uint64_t accepted = 0;
  std::uint64_t accept_failed_no_descriptor = 0;  ///< EMFILE, ENFILE: accepting paused for a while
  std::uint64_t accept_failed_other = 0;
  std::uint64_t accept_failed_table_full = 0;  ///< accepted with no slot left, so closed; accepting paused
  std::uint64_t accept_paused_us = 0;          ///< time not accepting because of the above
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t receives_put_off = 0;           ///< so that who has sent less goes first (rule 20)
  std::uint64_t receive_buffers_exhausted = 0;  ///< a receive found no free buffer and was armed again
  std::uint64_t sends = 0;
  std::uint64_t sends_zero_copy = 0;
  std::uint64_t polls_that_slept = 0;
  std::uint64_t connections_open = 0;
  std::uint64_t receive_buffers_lent = 0;  ///< returns to 0 when no event's bytes are out
  std::uint64_t bytes_held_for_paused = 0;
  std::uint64_t sends_in_flight = 0;
  std::uint64_t datagrams_received = 0;  ///< told as Datagram
  std::uint64_t datagrams_sent = 0;
  std::uint64_t datagrams_truncated = 0;     ///< longer than a receive buffer, so dropped
  std::uint64_t datagrams_not_received = 0;  ///< lost before poll() took them in: no buffer, full socket or queue
  std::uint64_t datagrams_not_sent = 0;      ///< no room, no route, too long, or refused by the kernel
  std::uint64_t idle_us = 0;                 ///< turns that found nothing, asleep or not
  std::uint64_t naps = 0;                    ///< of a transport that polls: times it rested
  std::uint64_t napped_us = 0;               ///< the same: how long, as it was meant
  std::uint64_t sleeps = 0;                  ///< the same: times it slept until its device called
};

/// Ends another core's sleep in poll(). The one part of a transport that any thread may call.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void wake() noexcept = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  /// Takes in what has arrived and fills `out` from the front; returns the count. When nothing is there, sleeps until
  /// something is, `wait` has passed or the waker was called; `wait` = 0 never sleeps.
  virtual std::size_t poll(Instant now, std::span<Event> out, Duration wait) noexcept = 0;

  // For two transports as one, of which one sleeps for both (rule 19).

  /// A descriptor that becomes readable when something comes, from here until disarm(); -1: there is none. Look once
  /// more with poll() before the sleep. `waker` is told what the descriptor does not.
  [[nodiscard]] virtual int arm(Waker& waker) noexcept {
    static_cast<void>(waker);
    return -1;
  }
  virtual void disarm() noexcept {}
  /// poll() whose sleep also ends when `descriptor` becomes readable, if this transport can wait for it.
  virtual std::size_t poll_beside(Instant now, std::span<Event> out, Duration wait, int descriptor) noexcept {
    static_cast<void>(descriptor);
    return poll(now, out, wait);
  }

  /// Carries out `ops` in order. Never fails as a whole: an op whose connection is gone is dropped, and a Send's
  /// slices are reported Released.
  virtual void submit(Instant now, std::span<const TxOp> ops) noexcept = 0;

  /// Starts a connection; its Opened, or Closed with ConnectFailed, follows. To a datagram endpoint: rule 14.
  virtual Status connect(const Endpoint& to, ConnId& conn) noexcept = 0;

  /// Stops accepting for good (the process is going down). Open connections stay.
  virtual void stop_accepting() noexcept = 0;

  [[nodiscard]] virtual Capabilities capabilities() const noexcept = 0;
  [[nodiscard]] virtual const TransportCounters& counters() const noexcept = 0;
  /// Tells what else it counts: of its network stack and its device queue, where it has one.
  virtual void visit_counters(CounterVisitor& visitor) const noexcept { static_cast<void>(visitor); }

  /// Lives as long as the transport.
  virtual Waker& waker() noexcept = 0;

  /// For `stats conns`: `tcp:127.0.0.1:4711`, `tcp6:[::1]:4711`, `unix:/path`; empty when the connection is gone.
  /// Cold: asks the kernel and allocates.
  [[nodiscard]] virtual std::string peer_text(ConnId conn) const = 0;
  [[nodiscard]] virtual std::string listener_text(ConnId conn) const = 0;
};

}  // namespace millrace::dataplane
