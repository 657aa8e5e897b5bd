// Reads a stream of replies from its first byte, piece by piece, and leaves it as it is: for answers that are cut into
// datagrams, whose number stands in the first of them.
//
// Thread: one worker. Ownership: borrows the stream, which must not change meanwhile and holds no hole.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "base/assert.h"
#include "worker/reply_stream.h"

namespace millrace::worker {

class ReplyReader {
 public:
  struct Piece {
    std::span<const char> bytes{};
    bool is_lent = false;  ///< in an item, which stays where it is as long as the stream does
  };

  ReplyReader() = default;
  explicit ReplyReader(const ReplyStream& stream) noexcept : node_(stream.first()) {}

  /// The next piece, at most `bytes_max` (> 0) long; empty at the end.
  [[nodiscard]] Piece next(const LoanReader& loans, std::uint32_t bytes_max) noexcept {
    while (left_.empty()) {
      if (node_ == nullptr) {
        return {};
      }
      refill(loans);
    }
    const auto taken = left_.first(std::min<std::size_t>(left_.size(), bytes_max));
    left_ = left_.subspan(taken.size());
    return {.bytes = taken, .is_lent = is_lent_};
  }

 private:
  void refill(const LoanReader& loans) noexcept {
    MR_DCHECK(node_->kind != NodeKind::Hole);
    is_lent_ = node_->kind == NodeKind::Lent;
    if (!is_lent_) {
      left_ = {node_->buffer->bytes + node_->begin, node_->end - node_->begin};
      node_ = node_->next;
      return;
    }
    if (cursor_.at < node_->loan.value_bytes) {
      left_ = loans.lent_next(node_->loan, cursor_);
    }
    if (cursor_.at >= node_->loan.value_bytes) {
      cursor_ = {};
      node_ = node_->next;
    }
  }

  const ReplyNode* node_ = nullptr;
  store::ValueCursor cursor_{};
  std::span<const char> left_{};
  bool is_lent_ = false;
};

}  // namespace millrace::worker
