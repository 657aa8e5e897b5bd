// Lent bytes in mbufs: a table of what DPDK wants to know of each external buffer, all made beforehand, and the tokens
// of those that nobody reads any longer.
//
// Thread: the worker's. DPDK calls on_free() from whoever frees the mbuf last: almost always the worker, within
// tx_burst; a driver's interrupt thread (a peer went away) or the control thread (the device was stopped) otherwise,
// and those leave the slot on an atomic list. Invariants: a slot is free, in an mbuf, or released and its token not
// taken; a token is given once for each take().
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "base/assert.h"

namespace millrace::dpdk {

class ExternalTable;

struct ExternalSlot {
  rte_mbuf_ext_shared_info info{};
  std::uint64_t token = 0;
  ExternalTable* table = nullptr;
  ExternalSlot* next = nullptr;
};

class ExternalTable {
 public:
  explicit ExternalTable(std::uint32_t slots) : slots_(slots) {
    for (ExternalSlot& slot : slots_) {
      slot.info.free_cb = &ExternalTable::on_free;
      slot.info.fcb_opaque = &slot;
      slot.table = this;
      slot.next = free_;
      free_ = &slot;
    }
  }
  ExternalTable(const ExternalTable&) = delete;
  ExternalTable& operator=(const ExternalTable&) = delete;

  /// Null: all are lent out.
  ExternalSlot* take(std::uint64_t token) noexcept {
    ExternalSlot* slot = free_;
    if (slot != nullptr) {
      worker_.store(this_thread(), std::memory_order_relaxed);
      free_ = slot->next;
      slot->token = token;
      rte_mbuf_ext_refcnt_set(&slot->info, 1);
      ++lent_;
    }
    return slot;
  }
  /// Undoes take(): no token will come.
  void put_back(ExternalSlot* slot) noexcept {
    slot->next = free_;
    free_ = slot;
    --lent_;
  }
  /// Slots whose tokens were not taken yet.
  [[nodiscard]] std::uint32_t lent() const noexcept { return lent_; }

  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept {
    std::size_t count = 0;
    for (; count < tokens.size(); ++count) {
      if (released_ == nullptr) {
        if (foreign_.load(std::memory_order_relaxed) == nullptr) {
          break;
        }
        released_ = foreign_.exchange(nullptr, std::memory_order_acquire);
      }
      ExternalSlot* slot = released_;
      released_ = slot->next;
      tokens[count] = slot->token;
      put_back(slot);
    }
    return count;
  }

 private:
  static const void* this_thread() noexcept {
    static thread_local char mark;
    return &mark;
  }
  static void on_free(void*, void* opaque) {
    auto* slot = static_cast<ExternalSlot*>(opaque);
    ExternalTable& table = *slot->table;
    if (table.worker_.load(std::memory_order_relaxed) == this_thread()) {
      slot->next = table.released_;
      table.released_ = slot;
      return;
    }
    slot->next = table.foreign_.load(std::memory_order_relaxed);
    while (
        !table.foreign_.compare_exchange_weak(slot->next, slot, std::memory_order_release, std::memory_order_relaxed)) {
    }
  }

  std::vector<ExternalSlot> slots_;  // never moved: mbufs point into it
  ExternalSlot* free_ = nullptr;
  ExternalSlot* released_ = nullptr;
  std::uint32_t lent_ = 0;
  std::atomic<const void*> worker_{nullptr};
  std::atomic<ExternalSlot*> foreign_{nullptr};
};

}  // namespace millrace::dpdk
