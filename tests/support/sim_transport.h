// A Transport without a network: clients are objects, bytes pass when the test says so. Single-threaded, deterministic.
//
// Keeps the rules of transport_contract.md, and bends everything they leave open by the seed: how bytes are cut into
// events, how long a Send stays unreleased, whether a client reads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "dataplane/api/transport.h"

namespace millrace::tests {

/// One client's end. `to_server` is what it has written and the server has yet to see; `received` what came back.
struct SimClient {
  std::string to_server;
  std::string received;
  bool reads = true;          ///< false: Sends to it stay in flight
  bool has_finished = false;  ///< half-closed after to_server
  bool is_gone = false;       ///< reset
  bool is_closed = false;     ///< the server closed it
};

/// What a worker sent with SendDatagram.
struct SimDatagram {
  dataplane::DatagramFlow flow{};
  std::string bytes;
  std::string room{};  ///< of a question that was told: for its answer
};

class SimTransport final : public dataplane::Transport {
 public:
  /// `datagram_lend_bytes_min`: as in Capabilities.
  SimTransport(std::uint64_t seed, std::uint32_t connections_max, std::uint32_t datagram_lend_bytes_min = 0)
      : datagram_lend_bytes_min_(datagram_lend_bytes_min), random_(seed), slots_(connections_max) {}

  /// Told with the next poll().
  void datagram(const dataplane::DatagramFlow& flow, std::string bytes) {
    datagrams_in_.push_back({.flow = flow, .bytes = std::move(bytes)});
  }
  [[nodiscard]] bool has_told_datagrams() const { return datagrams_in_.empty(); }
  /// What was sent since the last call; lent ones only when they were read and released.
  std::vector<SimDatagram> take_datagrams() { return std::exchange(datagrams_out_, {}); }

  /// The client lives as long as the transport.
  SimClient& open() {
    clients_.push_back({});
    SimClient& client = clients_.back();
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (!slots_[slot].is_used) {
        slots_[slot] = Slot{.client = &client, .generation = slots_[slot].generation + 1, .is_used = true};
        events_.push_back({.kind = dataplane::EventKind::Opened, .conn = {slot, slots_[slot].generation}});
        ++counters_.connections_open;
        return client;
      }
    }
    MR_UNREACHABLE();  // no slot left
  }

  std::size_t poll(Instant, std::span<dataplane::Event> out, Duration) noexcept override {
    lent_.clear();
    lent_datagrams_.clear();
    tell_datagrams();
    release_datagrams();
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
      if (slots_[slot].is_used) {
        advance(slot);
      }
    }
    MR_ASSERT(events_.size() <=
              out.size());  // a turn's events are never left over, so Pause always finds a clean table
    std::size_t count = 0;
    while (!events_.empty()) {
      out[count] = events_.front();
      events_.pop_front();
      if (out[count].kind == dataplane::EventKind::Closed) {
        slots_[out[count].conn.slot].is_used = false;
        --counters_.connections_open;
      }
      ++count;
    }
    return count;
  }

  void submit(Instant, std::span<const dataplane::TxOp> ops) noexcept override {
    for (const dataplane::TxOp& op : ops) {
      if (op.kind == dataplane::TxKind::SendDatagram) {
        send_datagram(op);
        continue;
      }
      Slot* slot = find(op.conn);
      if (slot == nullptr) {
        if (op.kind == dataplane::TxKind::Send) {
          events_.push_back({.kind = dataplane::EventKind::Released, .conn = op.conn, .token = op.token});
        }
        continue;
      }
      carry_out(*slot, op);
    }
  }

  Status connect(const dataplane::Endpoint&, ConnId&) noexcept override { return Status::Unsupported; }
  void stop_accepting() noexcept override {}
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override {
    return {.sends_per_connection_max = 3,
            .slices_per_send_max = 64,
            .connections_max = static_cast<std::uint32_t>(slots_.size()),
            .datagram_lend_bytes_min = datagram_lend_bytes_min_};
  }
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return waker_; }
  [[nodiscard]] std::string peer_text(ConnId) const override { return "sim:client"; }
  [[nodiscard]] std::string listener_text(ConnId) const override { return "sim:listener"; }

 private:
  struct Send {
    std::uint64_t token = 0;
    std::vector<dataplane::Slice> slices{};
    std::uint32_t delay = 0;
  };
  struct Slot {
    SimClient* client = nullptr;
    std::uint32_t generation = 0;
    bool is_used = false;
    bool is_paused = false;
    bool wants_close = false;
    bool is_closing = false;  ///< Closed is queued
    bool told_finished = false;
    std::string handed_back{};
    std::deque<Send> sends{};
  };
  class NoWaker final : public dataplane::Waker {
   public:
    void wake() noexcept override {}
  };

  Slot* find(ConnId id) noexcept {
    return id.slot < slots_.size() && slots_[id.slot].is_used && slots_[id.slot].generation == id.generation
               ? &slots_[id.slot]
               : nullptr;
  }
  std::uint64_t draw(std::uint64_t below) noexcept { return random_() % below; }

  void carry_out(Slot& slot, const dataplane::TxOp& op) noexcept {
    switch (op.kind) {
      case dataplane::TxKind::Send:
        MR_ASSERT(slot.sends.size() < 3 && !op.slices.empty());
        slot.sends.push_back({.token = op.token,
                              .slices = {op.slices.begin(), op.slices.end()},
                              .delay = static_cast<std::uint32_t>(draw(4))});
        return;
      case dataplane::TxKind::Close:
        slot.wants_close = true;
        return;
      case dataplane::TxKind::Abort:
        slot.client->is_gone = true;
        return;
      case dataplane::TxKind::Pause:
        slot.is_paused = true;
        slot.handed_back.insert(0, op.unconsumed);  // one Bytes event a turn: what is still held came after these
        return;
      case dataplane::TxKind::Resume:
        slot.is_paused = false;
        return;
      case dataplane::TxKind::SendDatagram:
        MR_UNREACHABLE();
    }
  }

  /// At most 32 a turn, so that a turn's events are never left over.
  void tell_datagrams() noexcept {
    for (std::uint32_t i = 0; i < 32 && !datagrams_in_.empty(); ++i) {
      lent_datagrams_.push_back(std::move(datagrams_in_.front()));
      datagrams_in_.pop_front();
      SimDatagram& told = lent_datagrams_.back();
      if (draw(3) != 0) {
        told.room.assign(1 + draw(3000), 'r');
      }
      events_.push_back({.kind = dataplane::EventKind::Datagram,
                         .bytes = told.bytes,
                         .flow = &told.flow,
                         .room = {told.room.data(), told.room.size()}});
    }
  }
  /// Question and room end with the answer.
  void answer_in_room(const dataplane::TxOp& op) noexcept {
    const auto asked = std::ranges::find(lent_datagrams_, op.flow, [](const SimDatagram& told) { return &told.flow; });
    MR_ASSERT(asked != lent_datagrams_.end() && op.room_bytes <= asked->room.size() && op.slices.empty());
    datagrams_out_.push_back({.flow = asked->flow, .bytes = asked->room.substr(0, op.room_bytes)});
    std::ranges::fill(asked->bytes, '?');
    asked->room.clear();
  }
  void send_datagram(const dataplane::TxOp& op) noexcept {
    if (op.room_bytes != 0) {
      answer_in_room(op);
      return;
    }
    LentSend send{.token = op.token, .flow = *op.flow, .parts = {}, .delay = static_cast<std::uint32_t>(draw(4))};
    for (const dataplane::Slice& slice : op.slices) {
      if (op.token != 0 && !slice.must_copy && slice.size >= datagram_lend_bytes_min_) {
        send.parts.push_back({.lent = slice, .copied = {}});
      } else {
        send.parts.push_back({.lent = {}, .copied = std::string(slice.data, slice.size)});
      }
    }
    if (op.token == 0) {
      read(send);
    } else {
      MR_ASSERT(datagram_lend_bytes_min_ != 0);
      lent_sends_.push_back(std::move(send));
    }
  }
  /// In any order, after any time.
  void release_datagrams() noexcept {
    for (std::size_t i = 0; i < lent_sends_.size() && events_.size() < 64;) {
      if (lent_sends_[i].delay-- > 0) {
        ++i;
        continue;
      }
      read(lent_sends_[i]);
      events_.push_back({.kind = dataplane::EventKind::Released, .token = lent_sends_[i].token});
      lent_sends_.erase(lent_sends_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  void advance(std::uint32_t index) noexcept {
    Slot& slot = slots_[index];
    const ConnId id{index, slot.generation};
    if (slot.is_closing) {
      return;
    }
    release_sends(slot, id);
    if (slot.client->is_gone) {
      close(slot, id, dataplane::CloseReason::Reset);
      return;
    }
    if (slot.wants_close) {
      if (slot.sends.empty()) {
        close(slot, id, dataplane::CloseReason::Requested);
      }
      return;
    }
    if (slot.is_paused) {
      return;
    }
    deliver(slot, id);
  }

  void release_sends(Slot& slot, ConnId id) noexcept {
    while (!slot.sends.empty()) {
      Send& send = slot.sends.front();
      if (!slot.client->is_gone && (!slot.client->reads || send.delay > 0)) {
        send.delay -= send.delay > 0 ? 1 : 0;
        return;
      }
      for (const dataplane::Slice& slice : send.slices) {
        slot.client->received.append(slice.data, slice.size);
      }
      events_.push_back({.kind = dataplane::EventKind::Released, .conn = id, .token = send.token});
      slot.sends.pop_front();
    }
  }

  void deliver(Slot& slot, ConnId id) noexcept {
    std::string& from = !slot.handed_back.empty() ? slot.handed_back : slot.client->to_server;
    if (from.empty()) {
      if (slot.client->has_finished && !slot.told_finished) {
        slot.told_finished = true;
        events_.push_back({.kind = dataplane::EventKind::PeerFinished, .conn = id});
      }
      return;
    }
    if (draw(3) == 0) {
      return;  // not yet
    }
    const std::size_t cut = draw(4) == 0 ? 1 + draw(8) : 1 + draw(9000);
    const std::size_t size = std::min(cut, from.size());
    lent_.push_back(from.substr(0, size));
    from.erase(0, size);
    events_.push_back({.kind = dataplane::EventKind::Bytes, .conn = id, .bytes = lent_.back()});
  }

  void close(Slot& slot, ConnId id, dataplane::CloseReason reason) noexcept {
    slot.is_closing = true;
    slot.client->is_closed = true;
    events_.push_back({.kind = dataplane::EventKind::Closed, .reason = reason, .conn = id});
  }

  struct Part {
    dataplane::Slice lent{};
    std::string copied;
  };
  struct LentSend {
    std::uint64_t token = 0;
    dataplane::DatagramFlow flow{};
    std::vector<Part> parts;
    std::uint32_t delay = 0;
  };
  void read(const LentSend& send) {
    std::string bytes;
    for (const Part& part : send.parts) {
      bytes.append(part.copied);
      bytes.append(part.lent.data, part.lent.size);
    }
    datagrams_out_.push_back({.flow = send.flow, .bytes = std::move(bytes)});
  }

  const std::uint32_t datagram_lend_bytes_min_;
  std::deque<SimDatagram> datagrams_in_;
  std::deque<SimDatagram> lent_datagrams_;
  std::vector<SimDatagram> datagrams_out_;
  std::vector<LentSend> lent_sends_;
  std::mt19937_64 random_;
  std::vector<Slot> slots_;
  std::deque<SimClient> clients_;
  std::deque<dataplane::Event> events_;
  std::deque<std::string> lent_;
  dataplane::TransportCounters counters_;
  NoWaker waker_;
};

}  // namespace millrace::tests
