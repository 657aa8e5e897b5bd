// Requests that are executed together, so that the cache misses of one hide behind those of the others.
//
// Thread: one worker. Ownership: views only, into the transport's bytes and into `kept_` below; all are gone with
// the turn.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "dataplane/api/datagram.h"
#include "protocol/request.h"
#include "store/types.h"
#include "worker/connection.h"
#include "worker/limits.h"

namespace millrace::worker {

/// A datagram that is answered at once: no connection, no exchange.
struct DatagramOp {
  const dataplane::DatagramFlow* flow = nullptr;  ///< the event's; null: the operation is a connection's
  char* room = nullptr;                           ///< the event's, for the longest datagram; null: there is none
  std::uint32_t request_bytes = 0;
  std::uint16_t request_id = 0;
  bool is_plain_get = false;  ///< `get` of one key: nothing of the request is written
  std::uint8_t key_at = 0;    ///< is_plain_get: which of the batch's keys() it is
};

struct Op {
  protocol::Request request;
  KeyHash hash;
  Connection* connection = nullptr;
  DatagramOp datagram;
  /// A neighbour was asked already: this only keeps the place of its reply.
  bool is_remote = false;
  std::uint64_t token = 0;  ///< is_remote with a reply: the hole waiting to be put in its place

  [[nodiscard]] bool is_plain_get() const noexcept { return datagram.flow != nullptr && datagram.is_plain_get; }
};

class Batch {
 public:
  [[nodiscard]] bool is_full() const noexcept { return count_ == kBatchOpsMax; }
  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
  [[nodiscard]] Op& operator[](std::uint32_t i) noexcept { return ops_[i]; }
  Op& add() noexcept { return ops_[count_++]; }
  /// An operation of the batch will look this key up here. Which of the keys() it is.
  std::uint32_t will_find(const store::Key& key) noexcept {
    keys_[key_count_] = key;
    return key_count_++;
  }
  [[nodiscard]] std::span<const store::Key> keys() const noexcept { return std::span(keys_).first(key_count_); }
  /// What add() would return: to be written in place before it is known whether it will be an operation.
  [[nodiscard]] Op& next() noexcept { return ops_[count_]; }

  /// For the key and the extra of one more request.
  [[nodiscard]] bool has_key_room() const noexcept {
    return kept_bytes_ + protocol::kKeyBytesMax + protocol::kExtraBytesMax <= kBatchKeyBytes;
  }
  /// A copy that lives as long as the batch: for what lies in a carry or a scratch that the next parse overwrites.
  [[nodiscard]] std::string_view keep(std::string_view bytes) noexcept {
    char* at = kept_.data() + kept_bytes_;
    std::memcpy(at, bytes.data(), bytes.size());
    kept_bytes_ += static_cast<std::uint32_t>(bytes.size());
    return {at, bytes.size()};
  }
  void clear() noexcept {
    count_ = 0;
    key_count_ = 0;
    kept_bytes_ = 0;
  }

 private:
  std::uint32_t count_ = 0;
  std::uint32_t key_count_ = 0;
  std::uint32_t kept_bytes_ = 0;
  static_assert(kBatchOpsMax <= 256, "DatagramOp::key_at");
  std::array<store::Key, kBatchOpsMax> keys_;
  std::array<Op, kBatchOpsMax> ops_;
  std::array<char, kBatchKeyBytes> kept_;
};

}  // namespace millrace::worker
