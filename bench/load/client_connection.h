// One connection of the generator: keeps up to `depth` requests in flight, writes them, and holds each reply against
// the request it answers. Owned by one load thread's ClientSet; never touches a transport itself.
//
// Some replies call for another request: a missed read, when reading through, for a set; a gets for its cas; an incr
// that found no counter for an add. These follow-ups go out before anything new.
//
// Two buffers: one lent to the transport until its Send is released, one being written. So a connection sends at most
// once a turn, and never waits for a release to write. They grow for a request that is larger than either.
// Invariants: replies come in request order, so the oldest pending request is the one being answered; after a refused
// reply nothing more is read; nothing new is asked unless pending requests and follow-ups together are below `depth`.
//
// Over UDP (`is_datagram`) every request is one datagram with memcached's frame, and its reply several, put together
// here before it is read. One request is in flight at a time, so that a lost datagram costs that request alone.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/ids.h"
#include "base/time.h"
#include "bench/load/aim_map.h"
#include "bench/load/operation.h"
#include "bench/load/protocol/reply.h"
#include "bench/load/protocol/reply_reader.h"
#include "bench/load/protocol/request_writer.h"
#include "bench/load/tally.h"
#include "bench/load/workload.h"
#include "protocol/udp_join.h"

namespace millrace::load {

struct ConnectionSettings {
  std::uint32_t depth = 1;
  std::uint32_t keys_per_get = 1;
  bool verifies = false;
  bool expects_pieces = false;    ///< values may have been appended to
  bool sizes_follow_keys = true;  ///< false in a replay, whose trace says the sizes
  bool reads_through = false;     ///< a key that a read misses is set
  bool is_datagram = false;       ///< depth is 1 then, and no request asks for several keys
  const AimMap* aim = nullptr;    ///< the doors are its workers', and requests for keys of theirs are counted
};

class ClientConnection {
 public:
  ClientConnection(const Workload& workload, const ConnectionSettings& settings);

  // Writing.
  /// Is there room for a request of up to `bytes` (RequestWriter::bytes_max)? One that is too large for any buffer is
  /// taken when its buffer is empty.
  [[nodiscard]] bool can_ask(std::size_t bytes) const noexcept {
    return pending_count_ + follow_up_count_ < settings_.depth && fits(bytes);
  }
  [[nodiscard]] bool can_ask(const Request& request) const noexcept { return can_ask(writer_.bytes_max(request)); }
  /// The caller has seen can_ask(). Latency counts from `intended`, which may lie before `now`.
  void ask(Instant now, Instant intended, const Request& request);
  /// Writes as many follow-ups as there is room for.
  void write_follow_ups(Instant now) {
    if (follow_up_count_ > 0) [[unlikely]] {
      write_all_follow_ups(now);
    }
  }

  // Reading. False: the stream cannot be trusted any more; `stats` has it.
  [[nodiscard]] bool read(Instant now, std::string_view bytes, Stats& stats);

  /// Over UDP: stops waiting for the reply. Its late parts are known and passed over.
  void give_up_request();

  // Lending what was written.
  [[nodiscard]] bool has_to_send() const noexcept { return writing_used_ > 0 && !is_lent_; }
  std::string_view lend() noexcept;
  void give_back() noexcept { is_lent_ = false; }

  [[nodiscard]] std::uint32_t in_flight() const noexcept { return pending_count_; }
  /// Owes no reply, and no reply calls for more.
  [[nodiscard]] bool is_idle() const noexcept { return pending_count_ == 0 && follow_up_count_ == 0; }
  /// Is a read of this key yet to be answered, or a set of it yet to be sent?
  [[nodiscard]] bool is_busy_with(std::uint64_t key) const noexcept;
  /// When the last reply was complete, or the first request after an idle time was written. Bytes that trickle in
  /// without completing a reply are no progress.
  [[nodiscard]] Instant last_progress() const noexcept { return last_progress_; }

  // Sink of the reply reader.
  [[nodiscard]] Expected expected() const noexcept {
    return pending_count_ == 0 ? Expected{} : Expected{.operation = front().operation, .keys = front().keys};
  }
  bool on_value(const ValueHeader& value);
  bool on_value_bytes(std::uint32_t offset, std::string_view chunk);
  void on_miss();
  void on_error(std::string_view text);
  void on_done(Outcome outcome);

  // Kept by the ClientSet.
  ConnId id{};
  enum class State : std::uint8_t {
    Connecting,
    Open,
    Closing,
    Gone
  } state = State::Connecting;
  bool is_touched = false;
  std::uint32_t door = 0;  ///< which of the server's endpoints it leads to

 private:
  struct Pending {
    Instant intended{};
    std::uint64_t key = 0;
    std::uint32_t value_bytes = 0;
    std::uint32_t ttl_s = 0;
    Operation operation = Operation::Get;
    std::uint16_t keys = 1;
  };

  [[nodiscard]] bool fits(std::size_t bytes) const noexcept {
    return writing_used_ == 0 || (!join_ && writing_used_ + bytes <= writing_.size());
  }
  [[nodiscard]] static std::uint32_t place(std::uint32_t at, std::uint32_t size) noexcept {
    return at >= size ? at - size : at;
  }
  [[nodiscard]] const Pending& front() const noexcept { return pending_[pending_head_]; }
  [[nodiscard]] std::uint64_t* keys_of(std::uint32_t place) noexcept {
    return pending_keys_.data() + std::size_t{place} * settings_.keys_per_get;
  }
  /// Are misses known by key, and hits told apart?
  [[nodiscard]] bool follows_keys() const noexcept { return settings_.verifies || settings_.reads_through; }

  [[nodiscard]] bool read_stream(std::string_view bytes);
  [[nodiscard]] bool read_datagram(std::string_view datagram);
  [[nodiscard]] bool not_a_reply(std::string_view bytes);
  void forget_front() noexcept;
  void write_all_follow_ups(Instant now);
  void follow_up(Operation operation, std::uint64_t key, std::uint64_t unique = 0);
  void missed(std::uint64_t key);
  bool find_value_key(const ValueHeader& value);
  bool is_value_expected(const ValueHeader& value);
  void on_read_done();
  bool disagrees(const char* what, std::string_view got);

  RequestWriter writer_;
  const Workload* workload_;
  ConnectionSettings settings_;
  std::vector<char> writing_;
  std::vector<char> lent_;
  std::size_t writing_used_ = 0;
  bool is_lent_ = false;

  std::vector<Pending> pending_;             ///< ring of `depth`
  std::vector<std::uint64_t> pending_keys_;  ///< keys_per_get for each place of the ring, when more than one
  std::uint32_t pending_head_ = 0;
  std::uint32_t pending_count_ = 0;
  std::vector<Request> follow_ups_;  ///< ring: each key of each pending request may call for one
  std::uint32_t follow_up_head_ = 0;
  std::uint32_t follow_up_count_ = 0;

  ReplyReader reader_;
  std::optional<protocol::UdpJoin> join_;  ///< over UDP
  std::uint16_t request_id_ = 0;           ///< of the request asked last
  std::uint32_t front_hits_ = 0;           ///< values that have come for the oldest request
  std::uint32_t front_cursor_ = 0;         ///< its keys before this one are answered or missed
  std::uint64_t front_unique_ = 0;
  std::uint64_t value_key_ = 0;
  std::uint32_t value_bytes_ = 0;  ///< as it was stored: without what was appended
  Instant last_progress_{};
  Instant now_{};
  Stats* stats_ = nullptr;  ///< during read() only
};

}  // namespace millrace::load
