// One connection of the generator: keeps up to `depth` requests in flight, writes them, and holds each reply against
// the request it answers. Owned by one load thread's ClientSet; never touches a transport itself.
//
// Two buffers: one lent to the transport until its Send is released, one being written. So a connection sends at most
// once a turn, and never waits for a release to write.
// Invariants: replies come in request order, so the oldest pending request is the one being answered; after a refused
// reply nothing more is read; pending requests and missed sets together are at most `depth`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/ids.h"
#include "base/time.h"
#include "bench/load/reply_reader.h"
#include "bench/load/request_writer.h"
#include "bench/load/tally.h"
#include "bench/load/workload.h"

namespace millrace::load {

struct ConnectionSettings {
  std::uint32_t depth = 1;
  std::uint32_t keys_per_get = 1;
  std::uint32_t ttl_s = 0;
  bool verifies = false;
  bool verifies_sizes = true;  ///< off in a replay, whose trace says the sizes
  bool reads_through = false;  ///< remembers each missed get as a set to be made
};

class ClientConnection {
 public:
  ClientConnection(const Workload& workload, const ConnectionSettings& settings);

  // Writing. The caller has seen can_write().
  /// Is there room for a request of up to `bytes` (RequestWriter::bytes_max)?
  [[nodiscard]] bool can_ask(std::size_t bytes) const noexcept {
    return pending_count_ + missed_count_ < settings_.depth && fits(bytes);
  }
  [[nodiscard]] bool can_ask(const Request& request) const noexcept { return can_ask(writer_.bytes_max(request)); }
  /// A missed set takes the place in the pipeline that its get had, so it only has to fit the buffer.
  [[nodiscard]] bool can_set_missed() const noexcept {
    return missed_count_ > 0 && fits(writer_.set_bytes_max(missed_[missed_head_].value_bytes));
  }
  /// Latency counts from `intended`, which may lie before `now`.
  void ask(Instant now, Instant intended, const Request& request) noexcept;
  void set_missed(Instant now) noexcept;

  // Reading. False: the stream cannot be trusted any more; `stats` has it.
  [[nodiscard]] bool read(Instant now, std::string_view bytes, Stats& stats);

  // Lending what was written.
  [[nodiscard]] bool has_to_send() const noexcept { return writing_used_ > 0 && !is_lent_; }
  std::string_view lend() noexcept;
  void give_back() noexcept { is_lent_ = false; }

  [[nodiscard]] std::uint32_t in_flight() const noexcept { return pending_count_; }
  [[nodiscard]] bool is_idle() const noexcept { return pending_count_ == 0 && missed_count_ == 0; }
  /// Is a get or a set of this key yet to be answered, or a set of it yet to be sent?
  [[nodiscard]] bool is_busy_with(std::uint64_t key) const noexcept;
  /// When the last reply was complete, or the first request after an idle time was written. Bytes that trickle in
  /// without completing a reply are no progress.
  [[nodiscard]] Instant last_progress() const noexcept { return last_progress_; }

  // Sink of the reply reader.
  bool on_value(const ValueHeader& value);
  bool on_value_bytes(std::uint32_t offset, std::string_view chunk);
  bool on_line(ReplyLine kind, std::string_view text);

  // Kept by the ClientSet.
  ConnId id{};
  enum class State : std::uint8_t {
    Connecting,
    Open,
    Closing,
    Gone
  } state = State::Connecting;
  bool is_touched = false;

 private:
  /// A set that a miss asks for.
  struct Missed {
    std::uint64_t key = 0;
    std::uint32_t value_bytes = 0;
    std::uint32_t ttl_s = 0;
  };
  struct Pending {
    Instant intended{};
    Missed missed{};  ///< its key; a read: also the set that a miss asks for
    Operation operation = Operation::Get;
    std::uint16_t keys_asked = 0;  ///< by a read
  };

  [[nodiscard]] bool fits(std::size_t bytes) const noexcept { return writing_used_ + bytes <= writing_.size(); }
  Pending& push(Instant now) noexcept;
  Pending& front() noexcept { return pending_[pending_head_]; }
  [[nodiscard]] std::span<std::uint64_t> keys_of(const Pending& pending) noexcept;
  void answered() noexcept;
  bool disagrees(const char* what, std::string_view got);
  bool is_value_expected(const ValueHeader& value);

  RequestWriter writer_;
  const Workload* workload_;
  ConnectionSettings settings_;
  std::vector<char> writing_;
  std::vector<char> lent_;
  std::size_t writing_used_ = 0;
  bool is_lent_ = false;

  std::vector<Pending> pending_;             ///< ring of `depth`
  std::vector<std::uint64_t> pending_keys_;  ///< keys_per_get for each place of the ring
  std::uint32_t pending_head_ = 0;
  std::uint32_t pending_count_ = 0;
  std::vector<Missed> missed_;  ///< ring of `depth`, in a replay
  std::uint32_t missed_head_ = 0;
  std::uint32_t missed_count_ = 0;

  ReplyReader reader_;
  std::uint32_t front_hits_ = 0;    ///< values that have come for the oldest request
  std::uint32_t front_cursor_ = 0;  ///< multi-key get: keys before this one are answered or missed
  std::uint64_t value_key_ = 0;
  std::uint32_t value_bytes_ = 0;
  Instant last_progress_{};
  Instant now_{};
  Stats* stats_ = nullptr;  ///< during read() only
};

}  // namespace millrace::load
