// What a transport knows of one connection, and the table of them.
//
// Thread: the transport's. Ownership: the table owns the records and, through them, held bytes and send records; the
// transport closes the descriptors.
//
//   Free ──accept──► Open ──Close──► Flushing ──all sent──► Draining ──peer's end, limit──► Dying ──► Free
//     └──connect──► Connecting ──► Open      └── Abort, reset: from any state straight to ──┘
//
// Invariants:
//  1. At most one receive, one send and one connect of a connection are with the kernel (`receive_is_armed`,
//     `send_is_running`, `connect_is_running`).
//  2. A slot is Free only when none of these is, and no zero-copy notification is outstanding: a completion always
//  finds
//     the connection it was made for.
//  3. An id (slot, generation) is given out once: a slot whose generations are used up is never taken again.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "base/ids.h"
#include "dataplane/api/event.h"
#include "dataplane/uring/held_bytes.h"
#include "dataplane/uring/send_queue.h"

namespace millrace::uring {

enum class ConnectionState : std::uint8_t {
  Free,
  Connecting,
  Open,
  Flushing,  ///< Close was submitted; Sends before it are still going out
  Draining,  ///< our end is shut; what the peer still sends is read and dropped, so that no reset overtakes our bytes
  Dying,     ///< waiting for the kernel to be done with every operation
};

struct Connection {
  int fd = -1;
  std::uint32_t generation = 0;
  ConnectionState state = ConnectionState::Free;
  dataplane::CloseReason reason = dataplane::CloseReason::None;
  std::uint16_t listener = 0;

  bool receive_is_armed = false;
  bool receive_is_cancelled = false;  ///< armed, and its cancellation submitted
  bool receives_singly = false;       ///< one buffer a turn: it sends much, and turns are long
  bool send_is_running = false;
  bool connect_is_running = false;
  bool is_paused = false;
  bool peer_has_finished = false;
  bool is_datagram = false;  ///< boundaries are kept, and there is no end of the stream

  bool owes_opened = false;  ///< events that report() has still to tell
  bool owes_peer_finished = false;

  bool peer_is_known = false;  ///< whether zero copy makes sense has been looked up
  bool takes_zero_copy = false;

  std::uint64_t bytes_turn = 0;         ///< the last turn in which Bytes were told
  std::uint64_t bytes_round = 0;        ///< and the last round
  std::size_t bytes_told = 0;           ///< in that round
  std::uint32_t receives_in_a_row = 0;  ///< completions behind which the socket had more
  std::uint32_t drained_bytes = 0;
  std::int64_t drain_until_ns = 0;

  HeldBytes held;
  SendQueue sends;

  [[nodiscard]] bool has_operations() const noexcept {
    return receive_is_armed || send_is_running || connect_is_running;
  }
};

class ConnectionTable {
 public:
  explicit ConnectionTable(std::uint32_t slots) : connections_(std::make_unique<Connection[]>(slots)), slots_(slots) {
    free_.reserve(slots);
    for (std::uint32_t slot = slots; slot > 0; --slot) {
      free_.push_back(slot - 1);
    }
  }

  [[nodiscard]] std::uint32_t slots() const noexcept { return slots_; }
  [[nodiscard]] bool is_full() const noexcept { return free_.empty(); }

  /// An invalid id when the table is full. The slot freed last is taken first: its record is warm.
  [[nodiscard]] ConnId take() noexcept {
    if (free_.empty()) {
      return {};
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    return {.slot = slot, .generation = connections_[slot].generation};
  }

  void give_back(std::uint32_t slot) noexcept {
    Connection& connection = connections_[slot];
    MR_ASSERT(connection.state == ConnectionState::Free);
    if (connection.generation == std::numeric_limits<std::uint32_t>::max()) {
      return;
    }
    ++connection.generation;
    free_.push_back(slot);
  }

  [[nodiscard]] Connection& operator[](std::uint32_t slot) const noexcept {
    MR_ASSERT(slot < slots_);
    return connections_[slot];
  }

  /// Null when the id names no connection, or no longer.
  [[nodiscard]] Connection* find(ConnId id) const noexcept {
    if (id.slot >= slots_) {
      return nullptr;
    }
    Connection& connection = connections_[id.slot];
    return connection.generation == id.generation && connection.state != ConnectionState::Free ? &connection : nullptr;
  }

 private:
  std::unique_ptr<Connection[]> connections_;
  std::vector<std::uint32_t> free_;
  std::uint32_t slots_;
};

}  // namespace millrace::uring
