#include "worker/watch_log.h"

#include <algorithm>

namespace millrace::worker {

Watched watched_of(std::string_view word) noexcept {
  return word == "fetchers"     ? kWatchFetchers
         : word == "mutations"  ? kWatchMutations
         : word == "evictions"  ? kWatchEvictions
         : word == "connevents" ? kWatchConnevents
         : word == "deletions"  ? kWatchDeletions
                                : kWatchNothing;
}

std::optional<std::uint32_t> WatchBoard::enter(WorkerId home, std::uint16_t wanted) noexcept {
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    std::uint32_t free = 0;
    if (slots_[slot].compare_exchange_strong(free, (std::uint32_t{home} + 1) << 16 | wanted,
                                             std::memory_order_acq_rel)) {
      version_.fetch_add(1, std::memory_order_release);
      return slot;
    }
  }
  return std::nullopt;
}

void WatchBoard::leave(std::uint32_t slot) noexcept {
  slots_[slot].store(0, std::memory_order_release);
  version_.fetch_add(1, std::memory_order_release);
}

std::uint32_t WatchBoard::count() const noexcept {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(slots_, [](const auto& slot) { return slot.load(std::memory_order_relaxed) != 0; }));
}

void WatchLog::read(const WatchBoard& board) noexcept {
  version_ = board.version();
  mask_ = 0;
  for (Outlet& outlet : outlets_) {
    outlet.wanted = 0;
  }
  board.visit([this](WorkerId home, std::uint16_t wanted) {
    if (home < outlets_.size()) {
      outlets_[home].wanted |= wanted;
      mask_ |= wanted;
    }
  });
}

void WatchLog::add(Watched kind, std::string_view line) {
  for (Outlet& outlet : outlets_) {
    if ((outlet.wanted & kind) == 0) {
      continue;
    }
    if (outlet.waiting.text.size() + line.size() > kWatchLogBytesMax) {
      ++counters_.dropped;
      continue;
    }
    outlet.waiting.add(kind, line);
    ++waiting_;
    ++counters_.written;
  }
}

bool WatchLog::has_sendable() const noexcept {
  return waiting_ > 0 && std::ranges::any_of(outlets_, [](const Outlet& outlet) {
           return !outlet.waiting.lines.empty() && (outlet.parcel == nullptr || !outlet.parcel->is_under_way());
         });
}

}  // namespace millrace::worker
