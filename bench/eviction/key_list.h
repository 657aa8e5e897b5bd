// Keys in an order: doubly linked over two arrays, a key in one list at most. One thread; plain value.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace millrace::eviction {

inline constexpr std::uint32_t kNoKey = std::numeric_limits<std::uint32_t>::max();

class KeyList {
 public:
  explicit KeyList(std::uint32_t keys) : newer_(keys, kNoKey), older_(keys, kNoKey) {}

  void push_newest(std::uint32_t key) {
    older_[key] = newest_;
    newer_[key] = kNoKey;
    (newest_ != kNoKey ? newer_[newest_] : oldest_) = key;
    newest_ = key;
  }
  void remove(std::uint32_t key) {
    (newer_[key] != kNoKey ? older_[newer_[key]] : newest_) = older_[key];
    (older_[key] != kNoKey ? newer_[older_[key]] : oldest_) = newer_[key];
  }
  [[nodiscard]] std::uint32_t oldest() const { return oldest_; }
  [[nodiscard]] std::uint32_t newest() const { return newest_; }

 private:
  std::vector<std::uint32_t> newer_;
  std::vector<std::uint32_t> older_;
  std::uint32_t newest_ = kNoKey;
  std::uint32_t oldest_ = kNoKey;
};

}  // namespace millrace::eviction
