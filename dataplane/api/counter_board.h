// A worker's counters, put where other threads may read them: the worker writes all of them every so often, anybody
// reads.
//
// Threads: visit() (told by Transport::visit_counters) on the worker's, after begin(); read() on any.
// Ownership: whoever makes it; outlives both. Each number read is one that was written; two numbers may be of different
// turns, so a sum may be off by what passed in between. No locks, and plain stores for the worker.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/assert.h"
#include "dataplane/api/counter_visitor.h"

namespace millrace::dataplane {

class CounterBoard final : public CounterVisitor {
 public:
  static constexpr std::size_t kCountersMax = 128;

  // --- the worker
  void begin() noexcept { next_ = 0; }
  void visit(CounterKind kind, std::string_view name, std::uint64_t value) noexcept override {
    MR_ASSERT(next_ < kCountersMax);
    Entry& entry = entries_[next_];
    // Names are written once, before readers are let near.
    if (next_ == size_.load(std::memory_order_relaxed)) {
      entry.kind = kind;
      entry.name = name;
      entry.value.store(value, std::memory_order_relaxed);
      size_.store(next_ + 1, std::memory_order_release);
    } else {
      entry.value.store(value, std::memory_order_relaxed);
    }
    ++next_;
  }

  // --- anybody
  /// Calls `read(kind, name, value)` for each that was told so far.
  template <typename Read>
  void read(Read&& read) const {
    const std::size_t size = size_.load(std::memory_order_acquire);
    for (const Entry& entry : std::span(entries_).first(size)) {
      read(entry.kind, entry.name, entry.value.load(std::memory_order_relaxed));
    }
  }

 private:
  struct Entry {
    CounterKind kind{};
    std::string_view name{};
    std::atomic<std::uint64_t> value{0};
  };

  std::array<Entry, kCountersMax> entries_{};
  std::size_t next_ = 0;
  std::atomic<std::size_t> size_{0};
};

}  // namespace millrace::dataplane
