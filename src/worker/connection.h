// What a worker keeps for one connection, and the table of them.
//
// Thread: one worker. Ownership: the table owns the records; a record owns its session, its replies and the value that
// is arriving. A slot of the table is the transport's slot; the generation in the id tells an old user of it from the
// new one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/key_hash.h"
#include "protocol/session.h"
#include "store/partition.h"
#include "store/types.h"
#include "worker/command_policy.h"
#include "worker/reply_stream.h"

namespace millrace::worker {

/// Why a connection's bytes are left unread. Bits, because several can hold at once.
enum Blocked : std::uint8_t {
  kNotBlocked = 0,
  kBlockedByOutput = 1,       ///< its client does not read: too much is waiting for it
  kBlockedByLane = 2,         ///< a neighbour's lane is full; the ask is parked
  kBlockedByReservation = 4,  ///< memory for its value is being found, by us or by a neighbour
  kBlockedByJob = 8,          ///< an administrator's command is making its round of the workers
  kBlockedByClose = 16,       ///< quit, or hopeless: what comes is not looked at
  kWatches = 32,              ///< it watches, until it goes: what comes is not looked at
};

/// A value that is not in the store yet: its data block has not arrived whole, or its owner has yet to find memory for
/// it.
struct ArrivingValue {
  enum class Into : std::uint8_t {
    Gather,        ///< small: into `bytes`, then stored like one that came whole
    AwaitingItem,  ///< the owner was asked for memory
    GrowingItem,   ///< ours: memory is found in steps, one a turn
    Item,          ///< into the reserved item
  };

  protocol::Request request;  ///< its key and extra are views of `bytes`
  KeyHash hash;
  WorkerId owner = 0;
  store::Seconds expires_at = store::kNever;  ///< what its header said when it came, however long the rest takes
  Into into = Into::Gather;
  store::Reservation reservation;
  ReplyNode* awaiting = nullptr;  ///< AwaitingItem: comes back with the answer
  std::uint64_t reply_token = 0;  ///< the hole for the reply, when it is linked already
  bool is_whole = false;          ///< AwaitingItem: `bytes` holds the value too
  std::uint32_t key_bytes = 0;
  std::uint32_t received = 0;
  std::unique_ptr<char[]> bytes;  ///< key, extra, then (Gather, is_whole) the value

  [[nodiscard]] std::uint32_t text_bytes() const noexcept { return key_bytes + request.extra_bytes; }
  [[nodiscard]] char* value_at() const noexcept { return bytes.get() + text_bytes(); }
};

struct Connection {
  Connection(ConnId conn_id, const protocol::SessionOptions& options) : id(conn_id), session(options) {}

  ConnId id;
  std::uint8_t blocked = kNotBlocked;
  bool is_paused = false;  ///< the transport was told to stop reading
  bool is_in_send_list = false;
  bool peer_finished = false;    ///< it will send nothing more
  bool close_requested = false;  ///< the transport was told to close
  bool is_closing = false;       ///< close once everything is sent
  bool is_counted = false;       ///< holds one of the -c connections
  bool is_exchange = false;      ///< an Exchange: one datagram long
  bool is_idle_kicked = false;   ///< silent for longer than idle_timeout
  std::uint16_t listener = 0;
  CommandSet refused = 0;  ///< by its listener's policy
  std::int64_t active_s = 0;
  ReplyStream replies;
  protocol::Session session;
  std::unique_ptr<ArrivingValue> arriving;
  std::unique_ptr<std::string> peer;  ///< its address, once somebody has wanted to know

  [[nodiscard]] bool is_blocked() const noexcept { return blocked != kNotBlocked; }
};

class ConnectionTable {
 public:
  explicit ConnectionTable(std::uint32_t slots) : slots_(slots) {}

  Connection& add(ConnId id, const protocol::SessionOptions& options);
  /// Null for an id whose connection is gone.
  [[nodiscard]] Connection* find(ConnId id) const noexcept {
    Connection* found = id.slot < slots_.size() ? slots_[id.slot].get() : nullptr;
    return found != nullptr && found->id == id ? found : nullptr;
  }
  void remove(ConnId id) noexcept;

  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint32_t slots() const noexcept { return static_cast<std::uint32_t>(slots_.size()); }
  /// The connection in a slot, or null: for walks over all.
  [[nodiscard]] Connection* at(std::uint32_t slot) const noexcept { return slots_[slot].get(); }

 private:
  std::vector<std::unique_ptr<Connection>> slots_;
  std::uint32_t count_ = 0;
};

}  // namespace millrace::worker
