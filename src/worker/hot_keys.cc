#include "worker/hot_keys.h"

#include <algorithm>

namespace millrace::worker {

void HotKeys::count(std::string_view key, KeyHash hash, bool is_write, std::uint32_t bytes) {
  ++samples_;
  auto entry =
      std::ranges::find_if(entries_, [&](const HotKey& one) { return one.hash == hash.bits && one.key == key; });
  if (entry == entries_.end()) {
    if (entries_.size() < kEntriesMax) {
      entry = entries_.insert(entries_.end(), HotKey{});
    } else {
      entry = std::ranges::min_element(entries_, {}, &HotKey::count);
      entry->error = entry->count;
      entry->writes = 0;
      entry->bytes = 0;
    }
    entry->hash = hash.bits;
    entry->key = key;
  }
  ++entry->count;
  entry->writes += is_write ? 1 : 0;
  entry->bytes += bytes;
}

}  // namespace millrace::worker
