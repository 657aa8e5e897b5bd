// Records of Sends, and the memory of their slice lists.
#include "dataplane/uring/send_queue.h"

#include <new>

namespace millrace::uring {

SliceBlock* SlicePool::take() noexcept {
  if (MR_UNLIKELY(free_ == nullptr)) {
    memory_.push_back(std::make_unique<SliceBlock[]>(kBlocksPerGrowth));
    for (std::size_t i = 0; i < kBlocksPerGrowth; ++i) {
      give_back(&memory_.back()[i]);
    }
  }
  SliceBlock* block = free_;
  free_ = block->next_free;
  return block;
}

void SlicePool::give_back(SliceBlock* block) noexcept {
  block->next_free = free_;
  free_ = block;
}

void SendQueue::push(std::uint64_t token, std::span<const dataplane::Slice> slices, SlicePool& pool) noexcept {
  MR_ASSERT(has_room());
  MR_ASSERT(slices.size() <= kSlicesPerSend);
  SendRecord& record = at(count_);
  MR_ASSERT(record.notifications == 0 && record.block == nullptr);
  record = SendRecord{.token = token};
  ++count_;
  record.next = &record.single;
  if (slices.size() > 1) {
    record.block = pool.take();
    record.next = record.block->slices;
  }
  for (const dataplane::Slice& slice : slices) {
    if (slice.size != 0) {
      // sendmsg takes a non-const pointer and only reads.
      record.next[record.slices_left++] = {.iov_base = const_cast<char*>(slice.data), .iov_len = slice.size};
      record.bytes_left += slice.size;
    }
  }
  if (record.bytes_left == 0) {
    // Done when its turn comes; when it is first in line, that is now.
    if (unsent_ + 1 == count_) {
      finish_current(pool);
    }
  }
}

void SendQueue::finish_current(SlicePool& pool) noexcept {
  while (has_unsent() && current().bytes_left == 0) {
    SendRecord& record = current();
    record.is_done = true;
    if (record.block != nullptr) {
      pool.give_back(record.block);
      record.block = nullptr;
    }
    ++unsent_;
  }
}

void SendQueue::advance(std::uint64_t bytes, SlicePool& pool) noexcept {
  SendRecord& record = current();
  MR_ASSERT(bytes <= record.bytes_left);
  record.bytes_left -= bytes;
  while (bytes > 0) {
    iovec& slice = *record.next;
    if (bytes < slice.iov_len) {
      slice.iov_base = static_cast<char*>(slice.iov_base) + bytes;
      slice.iov_len -= bytes;
      return;
    }
    bytes -= slice.iov_len;
    ++record.next;
    --record.slices_left;
  }
  finish_current(pool);
}

void SendQueue::drop_unsent(SlicePool& pool) noexcept {
  while (has_unsent()) {
    current().bytes_left = 0;
    finish_current(pool);
  }
}

std::uint64_t SendQueue::pop_released() noexcept {
  MR_ASSERT(is_first_released());
  const std::uint64_t token = records_[head_].token;
  head_ = index(1);
  --count_;
  --unsent_;
  return token;
}

}  // namespace millrace::uring
