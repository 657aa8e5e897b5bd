#include "worker/prefix_stats.h"

namespace millrace::worker {

PrefixCounts* PrefixStats::of(std::string_view key) noexcept {
  const std::size_t end = key.find(delimiter_);
  if (end == std::string_view::npos) {
    return nullptr;
  }
  const std::string_view prefix = key.substr(0, end);
  const auto found = table_.find(prefix);
  if (found != table_.end()) {
    return &found->second;
  }
  if (table_.size() >= kPrefixesMax) {
    return nullptr;
  }
  return &table_.emplace(prefix, PrefixCounts{}).first->second;
}

}  // namespace millrace::worker
