// How a device says that it spreads flows over its queues, and whether it does: now and then a stack compares the queue
// that a datagram came on with the one that the device's hash and table say. Drivers exist that take a table, tell it
// back unchanged, and bring every frame to queue 0.
//
// Threads: FlowSpread is filled in before the stacks and then only read. note() by each core of its own; verdict() on
// any thread. Ownership: both are made before the cores' stacks and outlive them. Invariant: what is counted here
// decides nothing: whatever queue a datagram comes on, it is served there.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/attributes.h"
#include "dataplane/wire/toeplitz.h"

namespace millrace::stack {

struct FlowSpread {
  wire::RssKey key{};
  std::vector<std::uint16_t> table{};  ///< queue of each entry; empty: nothing is known
  bool udp4_by_ports = true;           ///< ports are hashed too; else addresses alone
  bool udp6_by_ports = true;
  /// Rules come before the hash: UDP ports from here on lead to queue 0, 1, ...; 0: there are none.
  std::uint16_t aim_port = 0;
  std::uint16_t queues = 0;
  bool aims_v4 = false;
  bool aims_v6 = false;

  [[nodiscard]] bool is_known() const noexcept { return !table.empty(); }
  /// Where a whole UDP datagram of this flow comes, as it will come. Only when is_known().
  [[nodiscard]] std::uint16_t queue_of(const wire::FlowKey& flow) const noexcept {
    const auto aimed = static_cast<std::uint16_t>(flow.destination_port - aim_port);
    if ((flow.source.is_v4() ? aims_v4 : aims_v6) && aimed < queues) {
      return aimed;
    }
    return table[wire::rss_hash(key, flow, flow.source.is_v4() ? udp4_by_ports : udp6_by_ports) % table.size()];
  }
};

class SpreadWatch {
 public:
  /// So few say nothing: one flow alone comes on a wrong queue or on the right one each time.
  static constexpr std::uint64_t kLooksMin = 64;

  SpreadWatch(const FlowSpread& spread, std::size_t cores) : spread_(spread), cores_(cores) {}

  [[nodiscard]] const FlowSpread& spread() const noexcept { return spread_; }
  /// `core` got a datagram of `flow`; returns whether that was foretold.
  bool note(std::uint16_t core, const wire::FlowKey& flow) noexcept {
    const bool is_as_told = spread_.queue_of(flow) == core;
    std::atomic<std::uint64_t>& count = is_as_told ? cores_[core].as_told : cores_[core].not_as_told;
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return is_as_told;
  }

  /// A sentence for the operator when a quarter or more were not as told; nothing: all is well, or too few were looked
  /// at.
  [[nodiscard]] std::optional<std::string> verdict() const;

 private:
  struct alignas(kCacheLineBytes) Core {
    std::atomic<std::uint64_t> as_told{0};
    std::atomic<std::uint64_t> not_as_told{0};
  };

  const FlowSpread& spread_;
  std::vector<Core> cores_;
};

}  // namespace millrace::stack
