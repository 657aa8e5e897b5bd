// One producer, one consumer, a ring of 64-byte slots: how bytes pass from one core to another.
//
// Thread: reserve/commit/publish on the producer's core, front/pop/release on the consumer's.
// Ownership: a slot is the producer's until published and the consumer's until released; the indices say which.
// A message is a run of slots that lie together, its first bytes a MessagePrefix. A run that would wrap is preceded by
// a Skip. Each side keeps a copy of the other's index and looks at the shared one only when its copy says full or
// empty, so that a line changes cores once a batch and not once a message. Memory order: publish() and
// is_empty_for_sleep() are sequentially consistent, because a producer that asks "is the consumer asleep?" after
// publishing and a consumer that asks "is it empty?" after saying that it sleeps must not miss each other (Dekker).
// That costs one locked store a batch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/assert.h"
#include "base/attributes.h"

namespace millrace::mesh {

inline constexpr std::uint32_t kSlotBytes = 64;

/// How each message begins. `kind` 0 is the ring's own Skip.
struct MessagePrefix {
  std::uint8_t kind = 0;
  std::uint8_t detail = 0;
  std::uint16_t slots = 0;
};

[[nodiscard]] constexpr std::uint32_t slots_for(std::size_t bytes) noexcept {
  return static_cast<std::uint32_t>((bytes + kSlotBytes - 1) / kSlotBytes);
}

class SlotRing {
 public:
  /// `slots` is a power of two. Allocates, and writes every page, on the calling thread: call it on the consumer's
  /// core.
  explicit SlotRing(std::uint32_t slots);
  SlotRing(const SlotRing&) = delete;
  SlotRing& operator=(const SlotRing&) = delete;

  // --- producer
  /// Room for a run of `slots`, or null. What was reserved and not committed is simply reserved again.
  [[nodiscard]] std::byte* reserve(std::uint32_t slots) noexcept {
    MR_DCHECK(slots > 0 && slots <= capacity_ / 4);
    const std::uint32_t to_end = capacity_ - (producer_.tail & mask_);
    const std::uint32_t needed = slots <= to_end ? slots : slots + to_end;
    if (MR_UNLIKELY(!has_room(needed))) {
      return nullptr;
    }
    if (MR_UNLIKELY(slots > to_end)) {
      const MessagePrefix skip{.kind = 0, .detail = 0, .slots = static_cast<std::uint16_t>(to_end)};
      std::memcpy(at(producer_.tail), &skip, sizeof(skip));
      producer_.tail += to_end;
    }
    return at(producer_.tail);
  }
  /// Takes the first `slots` of what was reserved into the next publish().
  void commit(std::uint32_t slots) noexcept { producer_.tail += slots; }
  [[nodiscard]] bool has_unpublished() const noexcept { return producer_.tail != producer_.published; }
  void publish() noexcept {
    producer_.published = producer_.tail;
    tail_.store(producer_.tail, std::memory_order_seq_cst);
  }

  // --- consumer
  /// The oldest message, or null.
  [[nodiscard]] const std::byte* front() noexcept {
    while (true) {
      if (consumer_.head == consumer_.tail_seen) {
        consumer_.tail_seen = tail_.load(std::memory_order_acquire);
        if (consumer_.head == consumer_.tail_seen) {
          return nullptr;
        }
      }
      const std::byte* message = at(consumer_.head);
      MessagePrefix prefix;
      std::memcpy(&prefix, message, sizeof(prefix));
      if (MR_LIKELY(prefix.kind != 0)) {
        return message;
      }
      consumer_.head += prefix.slots;
    }
  }
  /// The message `slots` behind front(), for prefetching; null when it is not there yet or the ring wraps.
  [[nodiscard]] const std::byte* behind_front(std::uint32_t slots) const noexcept {
    const std::uint32_t ready = consumer_.tail_seen - consumer_.head;
    const std::uint32_t to_end = capacity_ - (consumer_.head & mask_);
    return slots < ready && slots < to_end ? at(consumer_.head) + std::size_t{slots} * kSlotBytes : nullptr;
  }
  void pop(std::uint32_t slots) noexcept { consumer_.head += slots; }
  /// Gives what was popped back to the producer. Popped messages stay readable until then.
  void release() noexcept {
    if (consumer_.released != consumer_.head) {
      consumer_.released = consumer_.head;
      head_.store(consumer_.head, std::memory_order_release);
    }
  }
  [[nodiscard]] bool is_empty_for_sleep() const noexcept {
    return tail_.load(std::memory_order_seq_cst) == consumer_.head;
  }

 private:
  [[nodiscard]] bool has_room(std::uint32_t slots) noexcept {
    if (capacity_ - (producer_.tail - producer_.head_seen) >= slots) {
      return true;
    }
    producer_.head_seen = head_.load(std::memory_order_acquire);
    return capacity_ - (producer_.tail - producer_.head_seen) >= slots;
  }
  [[nodiscard]] std::byte* at(std::uint32_t index) const noexcept {
    return memory_.get() + std::size_t{index & mask_} * kSlotBytes;
  }

  struct Free {
    void operator()(std::byte* memory) const noexcept;
  };

  const std::uint32_t capacity_;
  const std::uint32_t mask_;
  std::unique_ptr<std::byte[], Free> memory_;

  // Each side's own fields, and each shared index, on a line of its own.
  struct alignas(2 * kCacheLineBytes) {
    std::uint32_t tail = 0;
    std::uint32_t published = 0;
    std::uint32_t head_seen = 0;
  } producer_;
  struct alignas(2 * kCacheLineBytes) {
    std::uint32_t head = 0;
    std::uint32_t released = 0;
    std::uint32_t tail_seen = 0;
  } consumer_;
  alignas(2 * kCacheLineBytes) std::atomic<std::uint32_t> tail_{0};
  alignas(2 * kCacheLineBytes) std::atomic<std::uint32_t> head_{0};
};

}  // namespace millrace::mesh
