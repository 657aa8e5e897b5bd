// The connections of one load thread over one transport: connects them, hands their bytes over, carries out what they
// wrote, and notices the ones that die or fall silent. Owned and used by one load thread.
// A turn is: poll(), write requests on the connections in ready(), flush().
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/time.h"
#include "bench/load/client_connection.h"
#include "bench/load/tally.h"
#include "dataplane/api/transport.h"

namespace millrace::load {

class ClientSet {
 public:
  /// The transport and the clock outlive this.
  ClientSet(dataplane::Transport& transport, Clock& clock, Duration patience) noexcept
      : transport_(&transport), clock_(&clock), patience_(patience) {}

  /// Opens `count` connections, to each of the doors in turn; comes back when each is open or has failed, or `stop` was
  /// set. Failures are in stats().
  void connect(std::span<const dataplane::Endpoint> doors, std::uint32_t count, const Workload& workload,
               const ConnectionSettings& settings, const std::atomic<bool>& stop);

  /// Takes in what has come, sleeping up to `wait` for it, and writes what that calls for. Afterwards now() is fresh.
  void poll(Duration wait);
  /// Connections that may be able to write since the last flush(): something of theirs moved. Open ones only.
  [[nodiscard]] std::span<ClientConnection* const> ready() const noexcept { return ready_; }
  /// Every connection counts as ready: a phase begins.
  void make_all_ready();
  /// A connection that was written to without being ready.
  void touch(ClientConnection& connection);
  void flush();

  /// Reads until nothing is owed any more, and nothing called for, or patience is lost.
  void drain();
  /// Ends all connections and waits for their end.
  void close();

  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] std::uint32_t open_count() const noexcept { return open_count_; }
  [[nodiscard]] std::span<const std::unique_ptr<ClientConnection>> all() const noexcept { return connections_; }
  [[nodiscard]] Stats& stats() noexcept { return stats_; }

 private:
  static constexpr std::size_t kEventsPerPoll = 256;
  static constexpr Duration kLookEvery = milliseconds(100);

  ClientConnection* find(ConnId id) noexcept;
  void on_event(const dataplane::Event& event);
  void on_closed(ClientConnection& connection, dataplane::CloseReason reason);
  void note_end(const ClientConnection& connection, dataplane::CloseReason reason);
  void give_up(ClientConnection& connection);
  void abort(ClientConnection& connection);
  void give_up_on_the_silent();

  dataplane::Transport* transport_;
  Clock* clock_;
  Duration patience_;
  bool is_datagram_ = false;  ///< the connections made last
  Instant now_{};
  Instant next_look_{};
  Stats stats_;
  std::vector<std::unique_ptr<ClientConnection>> connections_;
  std::vector<ClientConnection*> by_slot_;  ///< the transport's slot -> connection
  std::vector<ClientConnection*> ready_;
  std::vector<dataplane::TxOp> ops_;
  std::vector<dataplane::Slice> slices_;
  std::array<dataplane::Event, kEventsPerPoll> events_{};
  std::uint32_t open_count_ = 0;
  std::uint32_t waiting_count_ = 0;  ///< Connecting
  std::uint32_t closing_count_ = 0;
};

}  // namespace millrace::load
