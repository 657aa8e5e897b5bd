// Bytes of one paused connection that its worker has still to get: what it handed back, then what arrived meanwhile.
//
// Thread: the transport's. Ownership: owns copies, on the heap: a receive buffer kept here would starve every other
// connection. Bounded by what the kernel had already taken in when reading was cancelled, plus what one turn lent.
// Invariant: the order of the list is the order of the stream.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace millrace::uring {

class HeldBytes {
 public:
  struct Chunk {
    Chunk* next;
    std::size_t size;
    [[nodiscard]] std::string_view bytes() const noexcept { return {reinterpret_cast<const char*>(this + 1), size}; }
  };

  HeldBytes() = default;
  ~HeldBytes() { clear(); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  /// Bytes that came from the network: last.
  void append(std::string_view bytes) noexcept;
  /// Bytes that came back from the worker: first, but behind those it handed back earlier in the same turn.
  void hand_back(std::string_view bytes, std::uint64_t turn) noexcept;
  /// Takes the first chunk out; the caller frees it with free_chunk() when nobody looks at it any more.
  Chunk* pop() noexcept;
  /// Drops everything; returns how many bytes that was.
  std::size_t clear() noexcept;

  static void free_chunk(Chunk* chunk) noexcept { std::free(chunk); }

 private:
  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
  Chunk* handed_back_last_ = nullptr;  ///< of `turn_`
  std::uint64_t turn_ = 0;
};

}  // namespace millrace::uring
