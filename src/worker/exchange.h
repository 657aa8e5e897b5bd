// A request datagram whose answer takes more than a moment: a connection that lives for one datagram. Several commands,
// several keys, a neighbour's key, a large value, an administrator's job: all of a connection's ways serve it, and when
// the reply is whole it is cut into datagrams.
//
// Thread: one worker. Ownership: the table owns the records and uses them again; a record owns what its Connection
// does. Invariant: a record is given back only when nothing names it: no hole, parked ask, job, or lent datagram.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "dataplane/api/datagram.h"
#include "worker/connection.h"
#include "worker/limits.h"
#include "worker/reply_reader.h"

namespace millrace::worker {

/// Where a request datagram came from, and what an answer to it has to know.
struct Asker {
  dataplane::DatagramFlow flow{};
  std::uint16_t request_id = 0;
  std::uint32_t request_bytes = 0;  ///< of the datagram: whom we do not know gets no longer answer
};

struct Exchange final : Connection {
  Exchange(ConnId conn_id, const protocol::SessionOptions& options) : Connection(conn_id, options) {
    is_exchange = true;
  }

  Asker asker;
  std::string rest;              ///< commands of the datagram that could not be taken yet
  bool is_too_long = false;      ///< its answer passed a bound: it says so instead
  bool is_answering = false;     ///< the reply is whole and being sent
  bool is_in_next_turn = false;  ///< in the worker's list of those with more to send
  ReplyReader reader;
  std::uint32_t answer_bytes = 0;
  std::uint32_t datagrams_sent = 0;
  std::uint32_t datagrams_lent = 0;  ///< not yet Released

  [[nodiscard]] bool is_waiting() const noexcept {
    return (blocked & (kBlockedByLane | kBlockedByReservation | kBlockedByJob)) != 0;
  }
};

class ExchangeTable {
 public:
  /// Ids that no connection has.
  static constexpr std::uint32_t kFirstSlot = 0x8000'0000;
  [[nodiscard]] static bool is_exchange(ConnId id) noexcept { return id.is_valid() && id.slot >= kFirstSlot; }

  /// Null: kExchangesMax are out.
  [[nodiscard]] Exchange* take(const protocol::SessionOptions& options) {
    if (free_.empty()) {
      if (slots_.size() == kExchangesMax) {
        return nullptr;
      }
      const auto slot = static_cast<std::uint32_t>(slots_.size());
      slots_.push_back(std::make_unique<Exchange>(ConnId{kFirstSlot + slot, 0}, options));
      free_.push_back(slot);
      free_.reserve(slots_.capacity());
    }
    Exchange* const exchange = slots_[free_.back()].get();
    free_.pop_back();
    const ConnId id{exchange->id.slot, exchange->id.generation + 1};
    std::destroy_at(exchange);
    std::construct_at(exchange, id, options);
    ++count_;
    return exchange;
  }
  void give_back(Exchange& exchange) noexcept {
    free_.push_back(exchange.id.slot - kFirstSlot);
    ++exchange.id.generation;
    --count_;
  }
  [[nodiscard]] Exchange* find(ConnId id) const noexcept {
    const std::uint32_t slot = id.slot - kFirstSlot;
    Exchange* found = slot < slots_.size() ? slots_[slot].get() : nullptr;
    return found != nullptr && found->id == id ? found : nullptr;
  }
  [[nodiscard]] std::uint32_t count() const noexcept { return count_; }

  /// Calls `visit(Exchange&)` for each that is out.
  template <typename Visit>
  void for_each(Visit&& visit) {
    std::vector<bool> is_free(slots_.size());
    for (const std::uint32_t slot : free_) {
      is_free[slot] = true;
    }
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (!is_free[slot]) {
        visit(*slots_[slot]);
      }
    }
  }

 private:
  std::vector<std::unique_ptr<Exchange>> slots_;
  std::vector<std::uint32_t> free_;  ///< the one used last is used next
  std::uint32_t count_ = 0;
};

/// A token of SendDatagram that comes back in Released.
[[nodiscard]] inline std::uint64_t token_of(ConnId id) noexcept {
  return std::uint64_t{id.slot} << 32U | id.generation;
}
[[nodiscard]] inline ConnId id_of_token(std::uint64_t token) noexcept {
  return {static_cast<std::uint32_t>(token >> 32U), static_cast<std::uint32_t>(token)};
}

}  // namespace millrace::worker
