// The Sends of one connection from submit() to their Released: at most one of them is with the kernel at a time.
//
// Thread: the transport's. Ownership: the slices belong to the worker until Released; the list of them is copied here.
// Invariants: records are released in the order in which they came; a record is released when all its bytes went out
// (or were dropped) and no zero-copy notification of it is outstanding.
//
//   head            next_unsent      head + count
//    | done, waits for | one may be with   |
//    | a notification  | the kernel        |
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/assert.h"
#include "dataplane/api/tx.h"

namespace millrace::uring {

inline constexpr std::uint32_t kSendsPerConnection = 4;
inline constexpr std::uint32_t kSlicesPerSend = 64;

/// Room for a Send of several slices: the kernel reads it until the send completes.
struct SliceBlock {
  msghdr message;
  iovec slices[kSlicesPerSend];
  SliceBlock* next_free;
};

/// Blocks are taken and given back in constant time. Grows by 64 when all are out, which is bounded by the connections
/// (kSendsPerConnection each), and keeps what it has: after warm-up nothing is allocated.
class SlicePool {
 public:
  SliceBlock* take() noexcept;
  void give_back(SliceBlock* block) noexcept;

 private:
  static constexpr std::size_t kBlocksPerGrowth = 64;
  std::vector<std::unique_ptr<SliceBlock[]>> memory_;
  SliceBlock* free_ = nullptr;
};

struct SendRecord {
  std::uint64_t token = 0;
  std::uint64_t bytes_left = 0;
  iovec* next = nullptr;  ///< the first slice with bytes to send
  std::uint32_t slices_left = 0;
  std::uint32_t notifications = 0;  ///< zero-copy sends the kernel may still read the slices for
  iovec single{};                   ///< the slice, when it is just one
  SliceBlock* block = nullptr;      ///< the slices, when they are more
  bool is_done = false;
};

class SendQueue {
 public:
  [[nodiscard]] bool has_room() const noexcept { return count_ < kSendsPerConnection; }
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool has_unsent() const noexcept { return unsent_ < count_; }

  /// Needs has_room(). Empty slices are left out; a Send of nothing is done at once.
  void push(std::uint64_t token, std::span<const dataplane::Slice> slices, SlicePool& pool) noexcept;

  /// The record whose bytes go out now, and its index for user_data.
  [[nodiscard]] SendRecord& current() noexcept { return at(unsent_); }
  [[nodiscard]] std::uint8_t current_index() const noexcept { return index(unsent_); }
  [[nodiscard]] SendRecord& record(std::uint8_t index) noexcept { return records_[index % kSendsPerConnection]; }

  /// `bytes` of the current record went out; when that was all of it, the next is current.
  void advance(std::uint64_t bytes, SlicePool& pool) noexcept;
  /// Nothing more of any record will go out.
  void drop_unsent(SlicePool& pool) noexcept;

  /// The first record may be reported Released and popped.
  [[nodiscard]] bool is_first_released() const noexcept {
    return count_ > 0 && records_[head_].is_done && records_[head_].notifications == 0;
  }
  std::uint64_t pop_released() noexcept;

 private:
  [[nodiscard]] std::uint8_t index(std::uint32_t offset) const noexcept {
    return static_cast<std::uint8_t>((head_ + offset) % kSendsPerConnection);
  }
  [[nodiscard]] SendRecord& at(std::uint32_t offset) noexcept { return records_[index(offset)]; }
  void finish_current(SlicePool& pool) noexcept;

  SendRecord records_[kSendsPerConnection];
  std::uint8_t head_ = 0;
  std::uint8_t count_ = 0;
  std::uint8_t unsent_ = 0;  ///< offset from head_ of the first record that is not done
};

}  // namespace millrace::uring
