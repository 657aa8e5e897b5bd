#include "worker/tx_buffer.h"

#include <new>

namespace millrace::worker {
namespace {

// A burst of slow readers may take many; what is kept for the next burst is bounded.
constexpr std::uint32_t kFreeBuffersKept = 256;

}  // namespace

TxBufferPool::~TxBufferPool() {
  while (free_ != nullptr) {
    TxBuffer* next = free_->next_free;
    delete free_;
    free_ = next;
  }
}

TxBuffer* TxBufferPool::take() noexcept {
  TxBuffer* buffer = free_;
  if (buffer != nullptr) {
    free_ = buffer->next_free;
    --free_count_;
  } else {
    buffer = new (std::nothrow) TxBuffer;
    MR_ASSERT(buffer != nullptr);  // bounded by connections x kUnsentBytesMax; beyond that the machine itself is out
    ++allocated_;
  }
  buffer->references = 1;
  buffer->used = 0;
  ++in_use_;
  return buffer;
}

void TxBufferPool::give_back(TxBuffer* buffer) noexcept {
  --in_use_;
  if (free_count_ >= kFreeBuffersKept) {
    --allocated_;
    delete buffer;
    return;
  }
  buffer->next_free = free_;
  free_ = buffer;
  ++free_count_;
}

}  // namespace millrace::worker
