// What one core of a device heard that all have to know. A device with several queues has one MAC and one set of
// addresses, but an answer to one core's question (ARP, neighbour discovery, an ICMP error) may land on any queue: who
// gets it tells the others.
//
// Threads: tell(core) on that core only; take() by each core with a cursor of its own. Ownership: made before the
// cores' stacks and outlives them. No locks: a log a core, written by it alone, read by all. Bounded and lossy: who
// falls kPlaces items behind skips to the newest ones. That costs what a lost frame costs: the question is asked again.
// Nobody is woken: news is for those who look. Invariant: an item is whole or not taken: its words are atomic, and the
// log's head is looked at again behind them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "base/attributes.h"
#include "dataplane/ip/neighbor.h"

namespace millrace::stack {

class LinkNews {
 public:
  static constexpr std::uint64_t kPlaces = 256;

  enum class Kind : std::uint8_t {
    Neighbor,
    PathMtu,
  };
  struct Item {
    Kind kind = Kind::Neighbor;
    ip::Heard::Kind neighbor{};
    std::uint16_t mtu = 0;    ///< PathMtu
    wire::IpAddress about{};  ///< the neighbour, or the path's end
    wire::MacAddress mac{};
  };
  /// How far a reader has read each log.
  using Cursor = std::vector<std::uint64_t>;

  explicit LinkNews(std::size_t cores) : logs_(cores) {}
  [[nodiscard]] std::size_t cores() const noexcept { return logs_.size(); }

  void tell(std::size_t core, const Item& item) noexcept {
    Log& log = logs_[core];
    const std::uint64_t at = log.head.load(std::memory_order_relaxed);
    // A reader that meets a word of this item, instead of the one it wants, finds this number moved.
    log.begun.store(at + 1, std::memory_order_relaxed);
    std::array<std::uint64_t, kWords> words{};
    static_assert(sizeof(Item) <= sizeof words);
    std::memcpy(words.data(), &item, sizeof item);
    for (std::size_t i = 0; i < kWords; ++i) {
      log.places[at % kPlaces][i].store(words[i], std::memory_order_release);
    }
    log.head.store(at + 1, std::memory_order_release);
    told_.fetch_add(1, std::memory_order_release);
  }

  /// The next item that another core than `reader` told, or nothing. `seen` and `cursor` are the reader's: 0 and one 0
  /// a core to begin with.
  [[nodiscard]] std::optional<Item> take(std::size_t reader, std::uint64_t& seen, Cursor& cursor) noexcept {
    const std::uint64_t told = told_.load(std::memory_order_acquire);
    if (MR_LIKELY(told == seen)) {
      return std::nullopt;
    }
    for (std::size_t core = 0; core < logs_.size(); ++core) {
      if (core == reader) {
        continue;
      }
      if (const auto item = take_from(logs_[core], cursor[core])) {
        return item;
      }
    }
    seen = told;  // what was told meanwhile has moved told_ on
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kWords = 4;
  struct alignas(kCacheLineBytes) Log {
    std::atomic<std::uint64_t> head{0};   ///< items that are whole
    std::atomic<std::uint64_t> begun{0};  ///< and one that may be being written
    std::array<std::array<std::atomic<std::uint64_t>, kWords>, kPlaces> places{};
  };

  static std::optional<Item> take_from(const Log& log, std::uint64_t& at) noexcept {
    while (at < log.head.load(std::memory_order_acquire)) {
      std::array<std::uint64_t, kWords> words;
      for (std::size_t i = 0; i < kWords; ++i) {
        words[i] = log.places[at % kPlaces][i].load(std::memory_order_acquire);
      }
      const std::uint64_t begun = log.begun.load(std::memory_order_relaxed);
      if (begun > at + kPlaces) {
        at = begun - kPlaces / 2;  // overwritten meanwhile
        continue;
      }
      ++at;
      Item item;
      std::memcpy(static_cast<void*>(&item), words.data(), sizeof item);
      return item;
    }
    return std::nullopt;
  }

  std::vector<Log> logs_;
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> told_{0};
};

}  // namespace millrace::stack
