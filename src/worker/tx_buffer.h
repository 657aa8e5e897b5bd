// Memory that replies are written into until the transport has released them.
//
// Thread: one worker. Ownership: a buffer belongs to whoever counts a reference: each reply node with bytes in it, and
// whoever writes into it now. With the last reference it goes back to the pool, the most recent first, so that the next
// reply finds it in the nearest cache.
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "worker/limits.h"

namespace millrace::worker {

struct TxBuffer {
  TxBuffer* next_free = nullptr;
  std::uint32_t references = 0;
  std::uint32_t used = 0;
  char bytes[kTxBufferBytes];

  [[nodiscard]] std::uint32_t room() const noexcept { return kTxBufferBytes - used; }
};

class TxBufferPool {
 public:
  TxBufferPool() = default;
  TxBufferPool(const TxBufferPool&) = delete;
  TxBufferPool& operator=(const TxBufferPool&) = delete;
  ~TxBufferPool();

  /// A buffer with one reference, the caller's.
  [[nodiscard]] TxBuffer* take() noexcept;
  static void add_reference(TxBuffer* buffer) noexcept { ++buffer->references; }
  void drop_reference(TxBuffer* buffer) noexcept {
    MR_DCHECK(buffer->references > 0);
    if (--buffer->references == 0) {
      give_back(buffer);
    }
  }
  [[nodiscard]] std::uint64_t in_use() const noexcept { return in_use_; }
  [[nodiscard]] std::uint64_t allocated() const noexcept { return allocated_; }

 private:
  void give_back(TxBuffer* buffer) noexcept;

  TxBuffer* free_ = nullptr;
  std::uint32_t free_count_ = 0;
  std::uint64_t in_use_ = 0;
  std::uint64_t allocated_ = 0;
};

}  // namespace millrace::worker
