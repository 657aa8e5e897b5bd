// Plays the worker: polls, submits, keeps the memory of Sends until Released, and checks with every event what the
// contract says of all of them. One thread, the transport's.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dataplane/api/transport.h"
#include "tests/contract/patience.h"

namespace millrace::contract {

/// An event with its own copy of the bytes.
struct Seen {
  dataplane::EventKind kind{};
  dataplane::CloseReason reason{};
  std::uint16_t listener = 0;
  ConnId conn{};
  std::uint64_t token = 0;
  std::string bytes{};
  dataplane::DatagramFlow flow{};
};

class Driver {
 public:
  static constexpr std::size_t kRoomMax = 256;
  static constexpr std::size_t kBytesPerPollMax = 64 * 1024;

  explicit Driver(dataplane::Transport& transport) : transport_(transport) {}

  /// One poll, its events checked and appended to seen(). `room` is the size of the span.
  std::size_t poll(Duration wait = milliseconds(0), std::size_t room = kRoomMax);
  /// Polls until `is_done` or out of patience; returns whether it was done.
  bool until(const std::function<bool()>& is_done, std::size_t room = kRoomMax);
  /// One poll that may sleep as long as patience lasts; false when nothing ended its sleep, as after a lost wake.
  bool sleep();
  /// From now on the clock goes on by so much between two polls, as if a worker had taken it.
  void take_turns_of(Duration time) { turn_time_ = time; }
  /// Polls for so long, whatever comes.
  void poll_for(std::chrono::milliseconds time);

  /// Sends a copy of `bytes`, cut into `slices` pieces, and returns the token.
  std::uint64_t send(ConnId conn, std::string_view bytes, std::size_t slices = 1);
  /// Sends a copy of `bytes` to `flow`, cut into `slices` pieces. Lent: with a token, which is returned; else the copy
  /// is spoilt as soon as submit() has returned.
  std::uint64_t send_datagram(const dataplane::DatagramFlow& flow, std::string_view bytes, bool is_lent,
                              std::size_t slices = 1);
  /// Answers a Datagram event of the last poll in its room.
  void answer_in_room(const dataplane::Event& event, std::string_view bytes);
  void close(ConnId conn);
  void abort(ConnId conn);
  void pause(ConnId conn, std::string_view unconsumed = {});
  void resume(ConnId conn);

  /// Overwrites what is lent: for when nobody may read it any more, Released or not.
  void spoil_lent();

  [[nodiscard]] std::vector<Seen>& seen() { return seen_; }
  [[nodiscard]] std::size_t count(dataplane::EventKind kind, ConnId conn) const;
  [[nodiscard]] std::size_t count(dataplane::EventKind kind) const;
  /// Of the lent datagrams.
  [[nodiscard]] std::size_t unreleased_datagrams() const { return stale_.size(); }
  /// The connection opened as the `index`-th of this driver; waits for it.
  ConnId opened(std::size_t index = 0);
  [[nodiscard]] std::vector<ConnId> open_connections() const;
  [[nodiscard]] bool is_closed(ConnId conn) const;
  [[nodiscard]] dataplane::CloseReason close_reason(ConnId conn) const;
  /// All bytes of the connection so far, less what was handed back.
  std::string& received(ConnId conn) { return connections_[conn].received; }
  [[nodiscard]] std::size_t unreleased(ConnId conn) { return connections_[conn].unreleased.size(); }
  [[nodiscard]] const std::vector<dataplane::Event>& last_events() const { return last_; }
  [[nodiscard]] Instant now() { return clock_.now() + taken_; }

  /// Rule 13, to be called when every connection is closed.
  void expect_no_leaks();

  /// Called for each event while its bytes are valid.
  std::function<void(const dataplane::Event&)> on_event;

 private:
  struct Connection {
    bool was_opened = false;
    bool is_closed = false;
    bool peer_has_finished = false;
    bool is_paused = false;
    bool is_closing = false;
    std::uint64_t bytes_poll = 0;
    std::deque<std::uint64_t> unreleased;
    std::string received;
    dataplane::CloseReason reason{};
  };

  void submit(const dataplane::TxOp& op) { transport_.submit(now(), {&op, 1}); }
  void check(const dataplane::Event& event);
  static std::vector<dataplane::Slice> cut(const std::string& bytes, std::size_t slices);

  dataplane::Transport& transport_;
  SystemClock clock_;
  Duration turn_time_{};
  Duration taken_{};  ///< by all turns
  std::vector<Seen> seen_;
  std::vector<dataplane::Event> last_;
  std::vector<ConnId> opened_;
  std::map<ConnId, Connection> connections_;
  std::map<std::uint64_t, std::string> lent_;
  std::map<std::uint64_t, ConnId> stale_;
  std::uint64_t token_ = 1000;
  std::uint64_t polls_ = 0;
};

}  // namespace millrace::contract
