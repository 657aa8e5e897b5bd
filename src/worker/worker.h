// One core's life: its connections, its partition, its end of the mesh. The only room where network, protocol, mesh and
// store meet.
//
// Thread: everything here runs on the worker's own core; nothing is locked. Other workers reach it only through lanes,
// and read a lent value's bytes or write a reserved one's. Ownership: borrows partition, transport, clock and shared
// state (they outlive it); owns connections and replies. A turn is one function of the world outside (transport, mesh,
// clock), so a simulator can run many workers in one thread.
//
// Members are declared in the order in which a request meets them; each group names its file.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dataplane/api/transport.h"
#include "mesh/mesh.h"
#include "protocol/binary/parse.h"
#include "protocol/binary/write.h"
#include "protocol/session.h"
#include "protocol/udp_frame.h"
#include "store/partition.h"
#include "worker/admin_job.h"
#include "worker/batch.h"
#include "worker/connection.h"
#include "worker/counters.h"
#include "worker/datagram_out.h"
#include "worker/exchange.h"
#include "worker/hot_keys.h"
#include "worker/prefix_stats.h"
#include "worker/reply_stream.h"
#include "worker/shared_state.h"
#include "worker/watch_log.h"

namespace millrace::worker {

struct WorkerParts {
  WorkerId id = 0;
  store::Partition& partition;
  dataplane::Transport& transport;
  mesh::Mesh& mesh;
  Clock& clock;
  SharedState& shared;
};

struct Operation;
class AnswerSink;

/// What stands behind an Ask's header.
struct AskText {
  std::string_view key{};
  std::string_view extra{};
  std::string_view value{};
};

/// An ask that found its lane full, with what it says. Bounded: one for each connection, and one for each value on
/// loan.
struct ParkedAsk {
  Connection* connection = nullptr;  ///< waits until it is sent; null: nobody waits
  WorkerId owner = 0;
  mesh::Ask ask;
  std::string key;
  std::string extra;
  std::string value;
};

/// Memory that is being found for a large value, some steps a turn. Bounded: at most one for each connection of each
/// worker.
struct OpenReservation {
  std::string key;
  KeyHash hash;
  std::uint32_t value_bytes = 0;
  store::StoreMode mode{};
  bool with_given_cas = false;
  store::Reservation reservation{};  ///< not valid: not begun
  store::Outcome outcome = store::Outcome::Stored;
  Connection* connection = nullptr;  ///< ours, which is blocked meanwhile; null: a neighbour asked
  WorkerId asker = 0;
  std::uint64_t token = 0;  ///< the asker's
};

class Worker final : private LoanReader {
 public:
  explicit Worker(const WorkerParts& parts);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // --- loop.cc
  /// One turn. `may_sleep` false: never waits. Returns whether there was anything to do.
  bool turn(bool may_sleep) noexcept;
  /// Turns until told to stop, then drains: replies in flight are sent, connections closed, within `drain_limit`.
  void run(Duration drain_limit) noexcept;
  [[nodiscard]] bool is_drained() const noexcept;

  // --- inspection, own core only
  [[nodiscard]] WorkerId id() const noexcept { return id_; }
  [[nodiscard]] store::Partition& partition() noexcept { return partition_; }
  [[nodiscard]] const dataplane::Transport& transport() const noexcept { return transport_; }
  [[nodiscard]] WorkerCounters& counters() noexcept { return counters_; }
  [[nodiscard]] const ConnectionTable& connections() const noexcept { return connections_; }
  [[nodiscard]] const ExchangeTable& exchanges() const noexcept { return exchanges_; }
  [[nodiscard]] ReplyMemory& reply_memory() noexcept { return memory_; }
  [[nodiscard]] PrefixStats& prefix_stats() noexcept { return prefix_stats_; }
  void count_prefixes(bool on) noexcept;
  /// Samples one in so many operations from now on; 0: none, and what was counted is forgotten.
  void sample_hot_keys(std::uint32_t sample);
  [[nodiscard]] const HotKeys* hot_keys() const noexcept { return hot_keys_.get(); }
  [[nodiscard]] WatchLog& watch_log() noexcept { return watch_log_; }
  /// For WatchParcel: a neighbour's lines, or our own.
  void take_watched(const WatchLines& lines) noexcept;
  void set_housekeep_every_us(std::uint32_t every_us) noexcept { housekeep_every_us_ = every_us; }
  [[nodiscard]] std::uint64_t holes_outstanding() const noexcept { return holes_outstanding_; }
  [[nodiscard]] Instant now() const noexcept { return now_; }
  [[nodiscard]] store::Seconds now_s() const noexcept { return now_s_; }
  [[nodiscard]] std::int64_t wall_s() const noexcept { return wall_s_; }

 private:
  friend class LocalSink;
  friend class DatagramSink;
  friend class AnswerSink;
  friend class MetaExecutor;

  // --- loop.cc
  void read_clock() noexcept;
  void count_turn(Duration took) noexcept;
  void housekeep(bool was_idle) noexcept;
  [[nodiscard]] bool has_work_waiting() const noexcept;
  /// Housekeeping has something to do, and nobody asked it to take its time (lru_crawler sleep).
  [[nodiscard]] bool hurries_upkeep() const noexcept {
    return partition_.has_upkeep() && housekeep_every_us_ <= kHousekeepEveryUs;
  }
  void close_all() noexcept;
  void abort_all() noexcept;

  // --- stage_receive.cc: answers and asks from neighbours, events from the transport
  bool drain_answers() noexcept;
  void take_answer(WorkerId from, const mesh::Answer& answer, std::string_view bytes) noexcept;
  bool drain_asks() noexcept;
  std::uint32_t serve_asks_from(WorkerId from, Instant until, bool& is_late) noexcept;
  void serve_ask(WorkerId asker, const mesh::Ask& ask, const char* payload_bytes, AnswerSink& sink) noexcept;
  bool poll_transport(bool may_sleep, bool did_something) noexcept;
  /// But for a Datagram.
  void take_event(const dataplane::Event& event) noexcept;
  void open_connection(const dataplane::Event& event) noexcept;
  [[nodiscard]] bool admits(Connection& connection) noexcept;
  void forget_connection(Connection& connection, dataplane::CloseReason reason) noexcept;

  // --- stage_parse.cc: bytes of a connection become operations
  void take_bytes(Connection& connection, std::string_view bytes) noexcept;
  void take_request(Connection& connection, const protocol::Request& request, std::string_view in) noexcept;
  void refuse(Connection& connection, std::string_view error) noexcept;
  MR_COLD void refuse_command(Connection& connection, const protocol::Request& request) noexcept;
  void hand_back(Connection& connection, std::string_view bytes) noexcept;
  void unblock(Connection& connection, Blocked reason) noexcept;

  // --- stage_datagram.cc: a datagram's commands, and its answer
  std::span<const dataplane::Event> take_datagrams(std::span<const dataplane::Event> events) noexcept;
  void take_datagram(const dataplane::Event& event) noexcept;
  void take_other_datagram(const dataplane::Event& event, std::uint16_t request_id, CommandSet refused) noexcept;
  [[nodiscard]] bool is_single_operation(std::string_view commands, protocol::Request& request) noexcept;
  [[nodiscard]] Exchange* begin_exchange(const Asker& asker) noexcept;
  void take_commands(Exchange& exchange, std::string_view commands) noexcept;
  void advance_exchange(Exchange& exchange) noexcept;
  void begin_answer(Exchange& exchange) noexcept;
  void continue_answer(Exchange& exchange) noexcept;
  void send_part(Exchange& exchange, const protocol::UdpSplit::Part& part) noexcept;
  void take_released_datagram(std::uint64_t token) noexcept;
  void end_exchanges() noexcept;
  void drop_exchanges() noexcept;
  [[nodiscard]] bool may_answer(const dataplane::DatagramFlow& flow, std::uint64_t request_bytes,
                                std::uint64_t answer_bytes) noexcept {
    return answer_bytes <= request_bytes || is_last_allowed(flow.peer) || may_amplify(flow);
  }
  [[nodiscard]] bool is_last_allowed(const dataplane::IpBytes& peer) const noexcept {
    std::uint64_t words[4];  // a comparison of arrays would call memcmp, for each answer
    std::memcpy(words, peer.data(), 16);
    std::memcpy(words + 2, last_allowed_.data(), 16);
    return ((words[0] ^ words[2]) | (words[1] ^ words[3])) == 0;
  }
  [[nodiscard]] MR_COLD bool may_amplify(const dataplane::DatagramFlow& flow) noexcept;
  void execute_datagram(const Op& op) noexcept;
  std::uint32_t execute_plain_gets(std::uint32_t first) noexcept;
  MR_ALWAYS_INLINE void answer_plain_get(Op& op, const store::Key& key, const store::Partition::Got& got) noexcept;
  MR_COLD void answer_plain_get_long_way(Op& op, const store::Key& key, const store::Item* item) noexcept;
  void answer_at_once(const DatagramOp& datagram, std::uint32_t bytes) noexcept;
  void answer_in_room(const DatagramOp& datagram, std::uint32_t bytes) noexcept;

  // --- stage_value.cc: a value that arrives in pieces
  void begin_value(Connection& connection, const protocol::Request& request) noexcept;
  std::uint32_t take_value(Connection& connection, std::string_view bytes) noexcept;
  void finish_value(Connection& connection, bool is_bad) noexcept;
  void commit_value(Connection& connection, const ArrivingValue& value) noexcept;
  void begin_local_value(Connection& connection, const protocol::Request& request, KeyHash hash) noexcept;
  void reserve_remotely(Connection& connection, WorkerId owner, const protocol::Request& request, KeyHash hash,
                        std::uint64_t token) noexcept;
  void receive_into_item(ArrivingValue& value, std::string_view bytes) noexcept;
  void refuse_value(Connection& connection, store::Outcome outcome) noexcept;
  void take_reserved(WorkerId from, const mesh::Answer& answer) noexcept;
  /// Steps for the reservations that are not whole, in turn, and their answers once they are.
  bool advance_reservations() noexcept;
  void advance_reservation(OpenReservation& open) noexcept;
  bool settle_reservation(const OpenReservation& open) noexcept;
  void give_back_reservation(const ArrivingValue& value) noexcept;
  void abandon_value(Connection& connection) noexcept;

  // --- stage_forward.cc: to the core that owns the key, and back
  [[nodiscard]] WorkerId owner_of(KeyHash hash) const noexcept { return hash.partition(workers_); }
  void forward(Connection& connection, WorkerId owner, const protocol::Request& request, KeyHash hash,
               std::uint64_t token) noexcept;
  bool push_ask(WorkerId owner, const mesh::Ask& ask, const AskText& text) noexcept;
  /// For what may not be refused (Unpin, Abort) and for what may wait (`connection` is parked): sent now or in order
  /// later.
  void push_or_park(Connection* connection, WorkerId owner, const mesh::Ask& ask, const AskText& text) noexcept;
  bool retry_parked() noexcept;

  void cancel_parked(Connection& connection) noexcept;

  // --- stage_execute.cc: operations meet the store
  void execute_batch() noexcept;
  template <typename Sink>
  void execute(const Operation& operation, Sink& sink) noexcept;
  template <typename Sink>
  void execute_retrieval(const Operation& operation, Sink& sink) noexcept;
  template <typename Sink>
  void tell_item(const Operation& operation, const store::Item* item, Sink& sink) noexcept;
  template <typename Sink>
  void commit(const Operation& operation, const store::Reservation& reservation, Sink& sink) noexcept;
  // execute_binary.h, admin/execute_binary_admin.cc: the same in the binary dialect
  template <typename Sink>
  void execute_binary(const Operation& operation, Sink& sink) noexcept;
  template <typename Sink>
  void execute_binary_retrieval(const Operation& operation, const protocol::binary::Args& args, Sink& sink) noexcept;
  template <typename Sink>
  void execute_binary_arith(const Operation& operation, const protocol::binary::Args& args, Sink& sink) noexcept;
  template <typename Sink>
  void commit_binary(const Operation& operation, const store::Reservation& reservation, Sink& sink) noexcept;
  template <typename Sink>
  void answer_binary_store(const Operation& operation, const protocol::binary::Args& args,
                           const store::StoreReply& reply, std::uint32_t value_bytes, Sink& sink) noexcept;
  void execute_binary_admin(Connection& connection, const protocol::Request& request) noexcept;
  std::string answer_sasl(Connection& connection, const protocol::Request& request,
                          protocol::binary::Asked asked) noexcept;
  /// What a client is told of an item's number; with -C there are none.
  [[nodiscard]] store::Cas told_cas(store::Cas cas) const noexcept { return shared_.cas_enabled ? cas : 0; }
  void execute_admin(Connection& connection, const protocol::Request& request) noexcept;
  // execute_meta.h, execute_meta.cc: in the meta dialect. `run` says what of the executor.
  template <typename Sink, typename Run>
  void answer_meta(const Operation& operation, Sink& sink, const Run& run) noexcept;
  std::string_view answer_watch(Connection& connection, std::string_view arguments) noexcept;
  [[nodiscard]] std::string_view answer_login(Connection& connection, const protocol::Request& request) noexcept;
  store::Seconds expiry_of(std::int64_t exptime) const noexcept;
  /// The way back: what a client would have to say now.
  std::int64_t exptime_until(store::Seconds expires_at) const noexcept;

  // --- observe.cc: what is looked at closely while somebody wants it
  struct EvictionWatcher final : store::ItemVisitor {
    explicit EvictionWatcher(Worker& owner) noexcept : worker(owner) {}
    bool visit(const store::Item& item) noexcept override;
    Worker& worker;
  };
  MR_COLD void observe_get(const Operation& operation, const store::Item* item, std::int64_t connection) noexcept;
  MR_COLD void observe_store(const Operation& operation, store::Outcome outcome, std::uint32_t value_bytes,
                             std::int64_t connection) noexcept;
  MR_COLD void observe_delete(const Operation& operation) noexcept;
  MR_COLD void observe_open(Connection& connection) noexcept;
  MR_COLD void observe_close(Connection& connection, dataplane::CloseReason reason) noexcept;
  void set_observes() noexcept;
  MR_COLD void remember_peer(Connection& connection) noexcept;
  std::string begin_watched_line(std::string_view type);
  std::string_view add_watcher(Connection& connection, std::uint16_t wanted) noexcept;
  void remove_watcher(const Connection& connection) noexcept;
  MR_COLD void read_watch_board() noexcept;
  MR_COLD void send_watched() noexcept;
  [[nodiscard]] bool watches_connections() const noexcept { return (watch_log_.mask() & kWatchConnevents) != 0; }
  /// What `stats conns` calls a connection.
  [[nodiscard]] std::int64_t number_of(ConnId conn) const noexcept { return std::int64_t{conn.slot} * workers_ + id_; }

  // --- stage_reply.cc: replies in order, to the transport
  void want_send(Connection& connection) noexcept;
  void block_for_output(Connection& connection) noexcept {
    connection.blocked |= kBlockedByOutput;
    ++counters_.paused_for_output;
  }
  /// A connection that was stopped because of its output may go on.
  [[nodiscard]] bool may_grow(const ReplyStream& replies) const noexcept {
    return MR_UNLIKELY(is_tight_) ? replies.is_empty() : replies.is_below_half_limit();
  }
  /// Sees whether the replies of all connections together take as much memory as they may.
  void weigh_replies() noexcept {
    is_tight_ =
        memory_.bytes_in_use() + holes_outstanding_ * mesh::kSlotBytes * mesh::kAnswerSlotsMax > kReplyMemoryMax;
  }
  void send_replies() noexcept;
  void send_replies_of(Connection& connection) noexcept;
  void close_if_done(Connection& connection) noexcept;
  void request_close(Connection& connection) noexcept;
  void queue_op(const dataplane::TxOp& op) noexcept { ops_.push_back(op); }
  void submit_ops() noexcept;

  // --- LoanReader: stage_reply.cc
  std::span<const char> lent_next(const Loan& loan, store::ValueCursor& cursor) const noexcept override;
  void give_back(const Loan& loan) noexcept override;

  // --- admin_job.cc
  void start_job(Connection& connection, std::unique_ptr<AdminJob> job) noexcept;
  bool advance_jobs() noexcept;
  bool send_visits(AdminJob& job) noexcept;
  bool step_job(AdminJob& job) noexcept;
  void finish_job(AdminJob& job) noexcept;
  void take_visited(std::uint64_t token) noexcept;

  const WorkerId id_;
  const std::uint32_t workers_;
  store::Partition& partition_;
  dataplane::Transport& transport_;
  mesh::Mesh& mesh_;
  mesh::Port port_;
  Clock& clock_;
  SharedState& shared_;
  const protocol::SessionOptions session_options_;
  const std::uint32_t sends_per_connection_;
  const std::uint32_t datagram_lend_bytes_min_;

  Instant now_{};
  Instant housekeep_at_{};
  std::uint32_t housekeep_every_us_ = kHousekeepEveryUs;  ///< lru_crawler sleep
  store::Seconds now_s_ = 1;
  std::int64_t wall_s_ = 0;

  ConnectionTable connections_;
  ReplyMemory memory_;
  Batch batch_;
  std::array<store::Partition::Got, kBatchOpsMax> got_;  ///< for gets of the batch
  protocol::Scratch scratch_;                            ///< of the request parsed last
  WorkerCounters counters_;
  PrefixStats prefix_stats_;
  bool observes_ = false;  ///< prefixes are counted, hot keys looked for, or somebody watches
  std::uint64_t holes_outstanding_ = 0;
  bool is_tight_ = false;  ///< replies take all the memory they may (limits.h)

  std::vector<dataplane::Event> events_;
  std::vector<Connection*> to_send_;
  std::vector<dataplane::TxOp> ops_;
  std::vector<std::array<dataplane::Slice, kSlicesPerSendMax>> op_slices_;
  std::size_t op_slices_used_ = 0;
  ExchangeTable exchanges_;
  std::vector<Exchange*> next_turn_;  ///< answers of more datagrams than one turn sends
  std::vector<Exchange*> ended_;      ///< answered; given back after the next submit
  DatagramOut datagrams_out_;
  std::optional<protocol::Session> datagram_session_;  ///< looks at datagrams before anything is kept for them
  dataplane::IpBytes last_allowed_{};
  std::vector<std::unique_ptr<ParkedAsk>> parked_;
  std::vector<std::uint32_t> parked_for_;  ///< how many of them wait for each neighbour
  std::vector<OpenReservation> reserving_;
  std::size_t reserving_next_ = 0;  ///< whose turn it is
  std::vector<std::unique_ptr<AdminJob>> jobs_;
  std::unique_ptr<HotKeys> hot_keys_;
  WatchLog watch_log_;
  EvictionWatcher eviction_watcher_{*this};
  std::vector<Watcher> watchers_;
  std::uint32_t idle_scan_slot_ = 0;
  WorkerId first_asker_ = 0;  ///< whose asks are looked at first
  bool is_draining_ = false;
};

}  // namespace millrace::worker
