// A worker's connections over kernel sockets, by one io_uring: the Transport for every Linux >= 6.1.
//
// Thread: create() on any; then poll(), submit(), connect(), stop_accepting() and the destructor on one thread, which
// becomes the owner with the first of these calls. waker().wake() on any.
// Ownership: owns the ring, the receive buffers, every socket and the listening sockets it was given.
// One system call a turn: submit() only fills the submission queue; the enter of the next poll() carries the entries to
// the kernel, runs what has completed and, when there is nothing to report, sleeps.
// The verbs, each in its file: poll.cc the turn, reap.cc completions, report.cc events, submit.cc operations, send.cc
// the stream out, accept.cc, connect.cc and close.cc a connection's first and last moments, datagram.cc what has no
// connection.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/api/transport.h"
#include "dataplane/uring/buffer_ring.h"
#include "dataplane/uring/connection.h"
#include "dataplane/uring/datagram_records.h"
#include "dataplane/uring/datagram_socket.h"
#include "dataplane/uring/measure.h"
#include "dataplane/uring/put_off_queue.h"
#include "dataplane/uring/ring.h"
#include "dataplane/uring/slot_list.h"
#include "dataplane/uring/waker.h"

namespace millrace::uring {

struct UringOptions {
  /// Listening sockets (open_listener), of streams and of datagrams, in the order of their indices in Opened and
  /// Datagram. The transport's from create() on, also when that fails.
  std::vector<int> listeners{};
  /// Slots of the table: the worker's own limit and some more, so that it can say why it turns a client away.
  std::uint32_t connections_max = 1024 + 64;
  std::uint32_t receive_buffers = 256;  ///< a power of two
  std::uint32_t receive_buffer_bytes = 8192;
  /// With listening datagram sockets: a power of two. Each takes the longest there is, but a short one touches only its
  /// first page.
  std::uint32_t datagram_buffers = 256;
  std::uint32_t datagram_bytes_max = kDatagramBytesMax;
  std::uint32_t datagram_sends = 512;     ///< that can be under way at a time
  std::uint32_t zero_copy_bytes_min = 0;  ///< Sends from this size on go out without a copy; 0: never
  bool zero_copy_to_loopback = false;     ///< there the kernel copies anyway: for measuring only
  std::uint32_t submission_entries = 1024;
  std::uint32_t completion_entries = 8192;
};

class UringTransport final : public dataplane::Transport {
 public:
  static Result<std::unique_ptr<UringTransport>> create(const UringOptions& options);
  ~UringTransport() override;
  UringTransport(const UringTransport&) = delete;
  UringTransport& operator=(const UringTransport&) = delete;

  std::size_t poll(Instant now, std::span<dataplane::Event> out, Duration wait) noexcept override;
  std::size_t poll_beside(Instant now, std::span<dataplane::Event> out, Duration wait,
                          int descriptor) noexcept override;
  void submit(Instant now, std::span<const dataplane::TxOp> ops) noexcept override;
  Status connect(const dataplane::Endpoint& to, ConnId& conn) noexcept override;
  void stop_accepting() noexcept override;
  [[nodiscard]] dataplane::Capabilities capabilities() const noexcept override;
  [[nodiscard]] const dataplane::TransportCounters& counters() const noexcept override { return counters_; }
  dataplane::Waker& waker() noexcept override { return *waker_; }
  [[nodiscard]] std::string peer_text(ConnId conn) const override;
  [[nodiscard]] std::string listener_text(ConnId conn) const override;

 private:
  struct Listener {
    int fd = -1;
    bool is_armed = false;
    bool is_cancelled = false;
    bool is_datagram = false;
    bool waits = false;  ///< a datagram socket: until datagrams_wait_until_
    DatagramSocket datagrams{};
  };
  /// What create() makes before there is a transport; the last two only with listening datagram sockets.
  struct Parts {
    std::unique_ptr<Ring> ring;
    std::unique_ptr<BufferRing> buffers;
    std::unique_ptr<EventfdWaker> waker;
    std::vector<Listener> listeners;
    std::unique_ptr<BufferRing> datagram_buffers;
    std::unique_ptr<DatagramRecords> records;
  };
  enum class AcceptState : std::uint8_t {
    Running,
    NoDescriptor,
    TableFull,
    Stopped
  };

  /// Where poll() puts events. Full, or with enough bytes in it: whoever has more to say comes again next time.
  struct Output {
    std::span<dataplane::Event> events;
    std::size_t bytes_enough;
    std::size_t count = 0;
    std::size_t bytes = 0;
    [[nodiscard]] bool is_full() const noexcept { return count == events.size(); }
    [[nodiscard]] bool has_enough() const noexcept { return is_full() || bytes >= bytes_enough; }
    void push(const dataplane::Event& event) noexcept {
      MR_ASSERT(!is_full());
      bytes += event.bytes.size();
      events[count++] = event;
    }
  };

  static Result<Parts> make_parts(const UringOptions& options);
  UringTransport(const UringOptions& options, Parts parts);

  // poll.cc
  void enable() noexcept;
  void take_in(Output& out) noexcept;
  void take_put_off(Output& out) noexcept;
  void stop_put_off() noexcept;
  void take_back_lent() noexcept;
  void revive_waiting() noexcept;
  void sleep(Duration wait) noexcept;
  void arm_doorbell() noexcept;
  void run_timers() noexcept;
  [[nodiscard]] Duration until_next_timer(Duration wait) const noexcept;

  // reap.cc
  void reap(const io_uring_cqe& completion, Output& out) noexcept;
  void on_receive(ConnId id, const io_uring_cqe& completion, Output& out) noexcept;
  void take_receive(ConnId id, Connection& connection, const Received& received, Output& out) noexcept;
  void take_bytes(ConnId id, Connection& connection, std::uint16_t buffer, std::string_view bytes,
                  Output& out) noexcept;
  void on_receive_end(ConnId id, Connection& connection, int result) noexcept;
  void look_for_lost_reset(ConnId id, Connection& connection, bool has_more) noexcept;
  void arm_waker() noexcept;

  /// Half of what this poll() may tell: the other half is for those whose completions come behind. Where bytes are
  /// cheap they wait for all that came before them, which is soon done.
  [[nodiscard]] bool has_had_its_share(const Connection& connection) const noexcept {
    return measure_.is_lowered() && connection.bytes_round == round_ && connection.bytes_told >= measure_.bytes() / 2;
  }

  // report.cc
  void report(Output& out) noexcept;
  void report_connection(std::uint32_t slot, Output& out) noexcept;
  void report_released(ConnId id, Connection& connection, Output& out) noexcept;
  void report_bytes(ConnId id, Connection& connection, std::string_view bytes, Output& out) noexcept;
  void report_held(ConnId id, Connection& connection, Output& out) noexcept;
  void report_peer_finished(ConnId id, Connection& connection, Output& out) noexcept;
  void report_orphans(Output& out) noexcept;

  // submit.cc
  void pause(ConnId id, Connection& connection, std::string_view unconsumed) noexcept;
  void resume(ConnId id, Connection& connection) noexcept;
  void arm_receive(ConnId id, Connection& connection) noexcept;
  void cancel_receive(ConnId id, Connection& connection) noexcept;
  void cancel(UserData target) noexcept;

  // send.cc
  void send(ConnId id, Connection* connection, const dataplane::TxOp& op) noexcept;
  void start_send(ConnId id, Connection& connection) noexcept;
  void on_send(ConnId id, std::uint8_t record, const io_uring_cqe& completion) noexcept;
  [[nodiscard]] bool wants_zero_copy(Connection& connection, std::uint64_t bytes) noexcept;

  // accept.cc
  void arm_accept(std::uint32_t listener) noexcept;
  void on_accept(std::uint32_t listener, const io_uring_cqe& completion) noexcept;
  void open_accepted(std::uint16_t listener, int fd) noexcept;
  void pause_accepting(AcceptState why) noexcept;
  void resume_accepting() noexcept;

  // datagram.cc
  void arm_datagrams(std::uint32_t listener) noexcept;
  void on_datagram(std::uint32_t listener, const io_uring_cqe& completion, Output& out) noexcept;
  void take_datagram(std::uint32_t listener, std::uint16_t buffer, std::size_t size, Output& out) noexcept;
  void on_datagrams_end(std::uint32_t listener, int result) noexcept;
  void wait_with_datagrams(Listener& listener, Duration rest) noexcept;
  void revive_datagrams() noexcept;
  void stop_datagrams() noexcept;
  void send_datagram(const dataplane::TxOp& op) noexcept;
  void send_datagram_at_once(const dataplane::TxOp& op) noexcept;
  void on_datagram_sent(std::uint32_t record, const io_uring_cqe& completion) noexcept;
  void count_datagram_sent(std::uint64_t token, std::int64_t result) noexcept;

  // connect.cc
  void on_connect(ConnId id, const io_uring_cqe& completion) noexcept;

  // close.cc
  void close_orderly(ConnId id, Connection& connection) noexcept;
  void start_draining(ConnId id, Connection& connection) noexcept;
  void abort(ConnId id, Connection& connection, dataplane::CloseReason reason) noexcept;
  static void reset_when_closed(const Connection& connection) noexcept;
  void start_dying(ConnId id, Connection& connection) noexcept;
  void report_end(ConnId id, Connection& connection, Output& out) noexcept;
  void forget_held(Connection& connection) noexcept;

  [[nodiscard]] ConnId id_of(std::uint32_t slot) const noexcept {
    return {.slot = slot, .generation = connections_[slot].generation};
  }
  void open_connection(ConnId id, int fd, ConnectionState state) noexcept;

  // uring_transport.cc
  void cancel_operations() noexcept;
  void close_sockets() noexcept;
  void await_operations() noexcept;

  const UringOptions options_;
  dataplane::TransportCounters counters_;
  Instant now_{};            ///< of the call we are in
  std::uint64_t turn_ = 1;   ///< counts polls
  std::uint64_t round_ = 1;  ///< counts how often all that had arrived was looked at: one poll's work, or many polls'
  ConnectionTable connections_;
  SlicePool slice_pool_;

  SlotList to_report_;                     ///< connections with something to tell
  SlotList starved_;                       ///< their receive found no buffer
  SlotList next_turn_;                     ///< what they have to tell has to wait for the next turn
  SlotList draining_;                      ///< in the order of their deadlines
  std::vector<dataplane::Event> orphans_;  ///< Released of Sends to connections that are gone, and of datagrams
  std::vector<std::uint16_t> lent_buffers_;
  std::vector<std::uint16_t> lent_datagram_buffers_;
  std::unique_ptr<dataplane::DatagramFlow[]> flows_;  ///< one a datagram buffer: of the datagram in it
  HeldBytes::Chunk* lent_chunks_ = nullptr;

  std::vector<Listener> listeners_;
  AcceptState accept_state_ = AcceptState::Running;
  Instant accept_paused_at_{};
  Instant datagrams_wait_until_{};
  bool datagrams_wait_ = false;  ///< a datagram socket is to be armed then
  bool was_woken_ = false;       ///< in this poll()
  bool was_idle_ = false;        ///< the poll() before found nothing
  int doorbell_ = -1;            ///< a descriptor that ends this poll()'s sleep, too
  int doorbell_armed_ = -1;      ///< the one that the ring waits for
  std::uint64_t idle_ns_ = 0;

  Measure measure_;
  std::size_t bytes_told_ = 0;  ///< by the last poll()
  bool turn_slept_ = false;     ///< since now_
  PutOffQueue put_off_;
  bool put_off_waited_ = false;  ///< a whole poll() long, so that one of them goes first in the next

  // Last, in this order: the ring ends before what it is lent, and before the eventfd it watches.
  std::unique_ptr<EventfdWaker> waker_;
  std::unique_ptr<BufferRing> buffers_;
  std::unique_ptr<BufferRing> datagram_buffers_;
  std::unique_ptr<DatagramRecords> records_;
  std::unique_ptr<Ring> ring_;
};

}  // namespace millrace::uring
