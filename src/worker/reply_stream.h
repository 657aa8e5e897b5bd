// The replies of one connection, in the order of its requests, some of them still being made by a neighbour.
//
//   head                                                                       tail
//   [bytes a..b) -> [hole: asked core 3] -> [bytes b..c) -> [value lent by core 0] -> [bytes c..d)
//   `--- may be sent ---'                `--- waits for the hole ----------------------------'
//
// Thread: one worker. Ownership: the stream owns its nodes; a node owns a reference to its buffer or a loan of a value.
// A Send lends a prefix of the stream to the transport; the nodes of that Send are kept until it is Released.
// Invariants: 1 a Bytes node's range lies within what its buffer has used; 2 holes() counts the hole nodes in the list;
// 3 nodes of Sends in flight are not in the list; 4 a stream that is dropped leaves its holes behind as orphans, which
// free themselves when their answer comes.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "dataplane/api/tx.h"
#include "store/partition.h"
#include "store/types.h"
#include "worker/limits.h"
#include "worker/tx_buffer.h"

namespace millrace::worker {

struct Connection;

/// A value that a partition (ours or a neighbour's) keeps in place until we give it back.
struct Loan {
  const store::Item* item = nullptr;
  store::ItemRef ref{};
  WorkerId owner = 0;
  std::uint32_t value_bytes = 0;
};

enum class NodeKind : std::uint8_t {
  Bytes,
  Lent,
  Hole
};

struct ReplyNode {
  ReplyNode* next = nullptr;
  Connection* connection = nullptr;  ///< Hole: whose; null: the connection is gone
  TxBuffer* buffer = nullptr;        ///< Bytes
  std::uint32_t begin = 0;           ///< Bytes
  std::uint32_t end = 0;             ///< Bytes
  Loan loan{};                       ///< Lent
  store::ValueCursor cursor{};       ///< Lent: how far the Sends have come
  NodeKind kind = NodeKind::Bytes;
  bool is_silent = false;  ///< Hole: noreply; the answer is waited for and says nothing
};

/// Nodes and buffers of one worker, and the buffer that its replies share.
class ReplyMemory {
 public:
  ReplyMemory() = default;
  ReplyMemory(const ReplyMemory&) = delete;
  ReplyMemory& operator=(const ReplyMemory&) = delete;
  ~ReplyMemory();

  [[nodiscard]] ReplyNode* take_node(NodeKind kind) noexcept;
  void free_node(ReplyNode* node) noexcept;

  /// The shared buffer, with at least `bytes` of room.
  [[nodiscard]] TxBuffer* shared(std::uint32_t bytes) noexcept;
  [[nodiscard]] TxBufferPool& buffers() noexcept { return buffers_; }
  [[nodiscard]] std::uint64_t nodes_in_use() const noexcept { return nodes_in_use_; }
  /// Of the heap, without what is kept for the next burst.
  [[nodiscard]] std::uint64_t bytes_in_use() const noexcept {
    return buffers_.in_use() * sizeof(TxBuffer) + nodes_in_use_ * sizeof(ReplyNode);
  }
  /// Buffers that hold somebody's bytes: the shared one does not count while nothing in it is waiting.
  [[nodiscard]] std::uint64_t buffers_in_use() const noexcept;

 private:
  TxBufferPool buffers_;
  TxBuffer* shared_ = nullptr;
  ReplyNode* free_nodes_ = nullptr;
  std::uint64_t nodes_in_use_ = 0;
  std::vector<std::unique_ptr<ReplyNode[]>> node_blocks_;
};

/// Reads lent values piece by piece, and gives them back; the worker knows the partitions.
class LoanReader {
 public:
  virtual std::span<const char> lent_next(const Loan& loan, store::ValueCursor& cursor) const noexcept = 0;
  virtual void give_back(const Loan& loan) noexcept = 0;

 protected:
  ~LoanReader() = default;
};

/// What one Send carries.
struct GatheredSend {
  std::array<dataplane::Slice, kSlicesPerSendMax> slices;
  std::uint32_t slice_count = 0;
  std::uint32_t bytes = 0;
};

class ReplyStream {
 public:
  /// `bytes` (at most a buffer's half) of contiguous room at the end; what is used is said with commit().
  [[nodiscard]] char* room(ReplyMemory& memory, std::uint32_t bytes) noexcept;
  void commit(ReplyMemory& memory, std::uint32_t bytes) noexcept;
  /// Any length, copied.
  void append(ReplyMemory& memory, std::string_view bytes) noexcept;
  void append_loan(ReplyMemory& memory, const Loan& loan) noexcept;

  /// A place for a reply that a neighbour is making: made when the neighbour is asked, linked when it is its turn. A
  /// silent one keeps what is said later from saying it before the request was carried out.
  [[nodiscard]] static ReplyNode* make_hole(ReplyMemory& memory, Connection* owner, bool is_silent = false) noexcept;
  void link_hole(ReplyNode* hole) noexcept;
  /// The reply for `hole`: bytes, and for a large value the loan and, if `ends_line`, the CRLF behind it. `hole` is
  /// used up.
  void fill_hole(ReplyMemory& memory, ReplyNode* hole, std::string_view bytes, const Loan* loan,
                 bool ends_line = true) noexcept;

  /// Takes the next sendable prefix out of the list; false when nothing can be sent now.
  bool gather(ReplyMemory& memory, const LoanReader& reader, GatheredSend& out) noexcept;
  /// The oldest Send in flight was released.
  void on_released(ReplyMemory& memory, LoanReader& reader) noexcept;
  /// The connection is gone and all Sends were released: frees everything but holes, which become orphans.
  void drop(ReplyMemory& memory, LoanReader& reader) noexcept;

  [[nodiscard]] bool is_empty() const noexcept { return head_ == nullptr && sends_in_flight_ == 0; }
  [[nodiscard]] bool has_sendable() const noexcept { return head_ != nullptr && head_->kind != NodeKind::Hole; }
  /// For ReplyReader.
  [[nodiscard]] const ReplyNode* first() const noexcept { return head_; }
  /// All that is in the list; holes count nothing.
  [[nodiscard]] std::uint64_t whole_bytes() const noexcept;
  /// Whether more was said than an answer by datagrams may be.
  [[nodiscard]] bool is_over_exchange_limit() const noexcept {
    return unsent_bytes_ > kExchangeBytesMax || node_count_ > kExchangeNodesMax || lent_count_ > kExchangeLentValuesMax;
  }
  [[nodiscard]] std::uint32_t sends_in_flight() const noexcept { return sends_in_flight_; }
  [[nodiscard]] std::uint32_t holes() const noexcept { return holes_; }
  [[nodiscard]] bool is_over_limit() const noexcept {
    return unsent_bytes_ > kUnsentBytesMax || node_count_ > kUnsentNodesMax || lent_count_ >= kLentValuesMax;
  }
  [[nodiscard]] bool is_below_half_limit() const noexcept {
    return unsent_bytes_ <= kUnsentBytesMax / 2 && node_count_ <= kUnsentNodesMax / 2 &&
           lent_count_ <= kLentValuesMax / 2;
  }

  static constexpr std::uint32_t kSendsInFlightMax = 4;

 private:
  /// Nodes whose bytes are wholly in this Send or an earlier one.
  struct Flight {
    ReplyNode* nodes = nullptr;
    std::uint32_t bytes = 0;
  };

  TxBuffer* buffer_with_room(ReplyMemory& memory, std::uint32_t bytes) noexcept;
  void link_after(ReplyNode* where, ReplyNode* node) noexcept;
  void free_chain(ReplyMemory& memory, LoanReader& reader, ReplyNode* node) noexcept;
  void drop_own_buffer(ReplyMemory& memory) noexcept;
  ReplyNode* pop_head() noexcept;
  void copy_together(ReplyMemory& memory, Flight& flight, GatheredSend& out) noexcept;

  ReplyNode* head_ = nullptr;
  ReplyNode* tail_ = nullptr;
  TxBuffer* own_ = nullptr;  ///< written into while Sends are in flight, so that a slow reader holds no shared buffer
  TxBuffer* writing_ = nullptr;  ///< between room() and commit()
  std::array<Flight, kSendsInFlightMax> flights_{};
  std::uint32_t first_flight_ = 0;
  std::uint32_t sends_in_flight_ = 0;
  std::uint32_t unsent_bytes_ = 0;
  std::uint32_t node_count_ = 0;
  std::uint32_t lent_count_ = 0;
  std::uint32_t holes_ = 0;
};

}  // namespace millrace::worker
