#include "bench/load/clock_model.h"

#include "base/assert.h"

namespace millrace::load {

bool ClockModel::get(std::uint32_t key) noexcept {
  ++gets_;
  Item& item = items_[key];
  if (!item.is_held) {
    return false;
  }
  ++hits_;
  if (item.count < kCountMax) {
    ++item.count;
  }
  return true;
}

void ClockModel::set(std::uint32_t key, std::uint32_t value_bytes) noexcept {
  Item& item = items_[key];
  if (item.is_held) {
    unlink(key);
  }
  item.value_bytes = value_bytes;
  const std::uint64_t wanted = cost(item);
  if (wanted > memory_bytes_) {
    return;
  }
  while (used_bytes_ + wanted > memory_bytes_) {
    evict_one();
  }
  item.count = 0;
  item.is_held = true;
  used_bytes_ += wanted;
  ++count_;
  push_newest(key);
}

void ClockModel::replay(const TraceRecord& record) noexcept {
  if (record.is_set || !get(record.key)) {
    set(record.key, record.value_bytes);
  }
}

void ClockModel::push_newest(std::uint32_t key) noexcept {
  Item& item = items_[key];
  item.older = newest_;
  item.newer = kNone;
  (newest_ == kNone ? oldest_ : items_[newest_].newer) = key;
  newest_ = key;
}

void ClockModel::unlink(std::uint32_t key) noexcept {
  Item& item = items_[key];
  MR_ASSERT(item.is_held);
  (item.newer == kNone ? newest_ : items_[item.newer].older) = item.older;
  (item.older == kNone ? oldest_ : items_[item.older].newer) = item.newer;
  item.is_held = false;
  used_bytes_ -= cost(item);
  --count_;
}

void ClockModel::evict_one() noexcept {
  MR_ASSERT(oldest_ != kNone);
  while (true) {
    const std::uint32_t key = oldest_;
    Item& item = items_[key];
    if (item.count == 0) {
      unlink(key);
      return;
    }
    --item.count;
    if (newest_ == key) {
      continue;  // alone: put back where it stands
    }
    oldest_ = item.newer;
    items_[oldest_].older = kNone;
    push_newest(key);
  }
}

}  // namespace millrace::load
