// The list of held chunks.
#include "dataplane/uring/held_bytes.h"

#include <cstring>

#include "base/assert.h"

namespace millrace::uring {
namespace {

HeldBytes::Chunk* make_chunk(std::string_view bytes) noexcept {
  MR_ASSERT(!bytes.empty());
  void* memory = std::malloc(sizeof(HeldBytes::Chunk) + bytes.size());
  MR_ASSERT(memory != nullptr);
  auto* chunk = static_cast<HeldBytes::Chunk*>(memory);
  chunk->next = nullptr;
  chunk->size = bytes.size();
  std::memcpy(chunk + 1, bytes.data(), bytes.size());
  return chunk;
}

}  // namespace

void HeldBytes::append(std::string_view bytes) noexcept {
  Chunk* chunk = make_chunk(bytes);
  (first_ == nullptr ? first_ : last_->next) = chunk;
  last_ = chunk;
}

void HeldBytes::hand_back(std::string_view bytes, std::uint64_t turn) noexcept {
  Chunk* chunk = make_chunk(bytes);
  if (turn_ != turn) {
    turn_ = turn;
    handed_back_last_ = nullptr;
  }
  Chunk*& link = handed_back_last_ == nullptr ? first_ : handed_back_last_->next;
  chunk->next = link;
  link = chunk;
  handed_back_last_ = chunk;
  if (chunk->next == nullptr) {
    last_ = chunk;
  }
}

HeldBytes::Chunk* HeldBytes::pop() noexcept {
  MR_ASSERT(first_ != nullptr);
  Chunk* chunk = first_;
  first_ = chunk->next;
  if (first_ == nullptr) {
    last_ = nullptr;
  }
  if (handed_back_last_ == chunk) {
    handed_back_last_ = nullptr;
  }
  chunk->next = nullptr;
  return chunk;
}

std::size_t HeldBytes::clear() noexcept {
  std::size_t bytes = 0;
  while (first_ != nullptr) {
    Chunk* chunk = pop();
    bytes += chunk->size;
    free_chunk(chunk);
  }
  return bytes;
}

}  // namespace millrace::uring
