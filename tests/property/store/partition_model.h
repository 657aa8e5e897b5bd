// What a partition promises, as a map: exact about values, flags, expiry, flush and CAS; it learns of evictions by
// looking, and holds the partition to having counted them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <unordered_map>

#include "unit/store/partition_fixture.h"

namespace millrace::store::tests {

struct ModelItem {
  std::string value;
  std::uint32_t flags = 0;
  Seconds expires_at = kNever;
  Cas cas = 0;
};

class Model {
 public:
  explicit Model(Store& store) : store_(store) {}

  /// Every command starts here: due flushes happen, dead items go, and an evicted key is struck off.
  ModelItem* look(const std::string& key, Seconds now) {
    if (now >= flush_at_) {
      clear();
    }
    const auto it = items_.find(key);
    if (it == items_.end()) {
      EXPECT_EQ(store_->peek(make_key(key), now), nullptr) << key << " should not be there";
      return nullptr;
    }
    if (has_expired(it->second.expires_at, now)) {
      EXPECT_EQ(store_->peek(make_key(key), now), nullptr) << key << " should have expired";
      items_.erase(it);
      return nullptr;
    }
    const Item* item = store_->peek(make_key(key), now);
    if (item == nullptr) {
      ++learned_evictions_;
      items_.erase(it);
      return nullptr;
    }
    compare(key, it->second, item);
    return &it->second;
  }

  void compare(const std::string& key, const ModelItem& expected, const Item* item) {
    ASSERT_NE(item, nullptr);
    ASSERT_EQ(item->key(), key);
    ASSERT_EQ(item->value_bytes(), expected.value.size());
    ASSERT_EQ(item->client_flags(), expected.flags);
    ASSERT_EQ(item->cas(), expected.cas);
    ASSERT_EQ(item->expires_at(), expected.expires_at);
    ASSERT_TRUE(store_.value_of(item) == expected.value) << key;
  }

  void put(const std::string& key, ModelItem item) { items_[key] = std::move(item); }
  void erase(const std::string& key) { items_.erase(key); }
  void clear() {
    items_.clear();
    flush_at_ = kNoFlush;
  }
  void flush(Seconds at, Seconds now) {
    if (now >= flush_at_) {
      clear();
    }
    if (at <= now) {
      clear();
    } else {
      flush_at_ = at;
    }
  }

  /// Compares everything, both ways, and the levels with what a walk finds.
  void audit(Seconds now) {
    std::vector<std::string> keys;
    for (const auto& [key, item] : items_) {
      keys.push_back(key);
    }
    for (const std::string& key : keys) {
      look(key, now);
    }
    ASSERT_LE(learned_evictions_, store_->counters().evictions);
    struct Tally final : ItemVisitor {
      bool visit(const Item& item) noexcept override {
        ++items;
        bytes += item.item_bytes();
        return true;
      }
      std::uint64_t items = 0;
      std::uint64_t bytes = 0;
    } tally;
    // A whole crawl takes out what was flushed.
    const MemoryStats memory = store_->memory_stats();
    for (std::uint64_t looked = 0; looked < memory.pages_arena * 2048; looked += 4096) {
      store_->housekeep(now, 4096);
    }
    for (std::uint32_t id = 1; id <= store_->classes(); ++id) {
      store_->visit_class(id, 0, now, tally);
    }
    std::uint64_t left = 0;
    for (const auto& [key, item] : items_) {
      left += store_->peek(make_key(key), now) != nullptr ? 1 : 0;  // housekeeping may have lowered a limit
    }
    ASSERT_EQ(tally.items, left);
    // What has expired may be there yet. Before the first second nothing has.
    tally = {};
    for (std::uint32_t id = 1; id <= store_->classes(); ++id) {
      store_->visit_class(id, 0, 0, tally);
    }
    ASSERT_EQ(tally.items, store_->counters().curr_items);
    ASSERT_EQ(tally.bytes, store_->counters().bytes);
    store_->check();
  }

  [[nodiscard]] std::uint64_t learned_evictions() const { return learned_evictions_; }
  [[nodiscard]] std::size_t size() const { return items_.size(); }

 private:
  static constexpr Seconds kNoFlush = 0xffff'ffff;

  Store& store_;
  std::unordered_map<std::string, ModelItem> items_;
  Seconds flush_at_ = kNoFlush;
  std::uint64_t learned_evictions_ = 0;
};

}  // namespace millrace::store::tests
