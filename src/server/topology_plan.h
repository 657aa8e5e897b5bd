// Where each worker goes and how much memory it gets: a pure function from a machine and a wish to a plan or a
// sentence.
//
// Any thread; plain values. Called once at start and by --show-plan.
// Invariants of a plan: 1. worker i has id i; ids follow (node, core, CPU), so that neighbours in number are neighbours
// in the machine, unless the request lists cores: then their order is kept. 2. No CPU has two workers unless the
// request may oversubscribe. 3. All partitions have the same size, a multiple of kStorePageBytes, no smaller than the
// least that holds the largest item twice, no larger than kPartitionBytesMax; together they do not exceed the memory
// asked for. 4. No node is asked for more than it has. Why equal partitions: keys spread evenly over them by hash, so
// unequal ones would evict unequally.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/topology.h"

namespace millrace::server {

/// Memory is dealt out in the store's pages.
inline constexpr std::uint64_t kStorePageBytes = 64ULL << 10;
inline constexpr std::uint64_t kPartitionBytesMin = 1ULL << 20;
/// The store names items with 32-bit references of 8 bytes each.
inline constexpr std::uint64_t kPartitionBytesMax = 32ULL << 30;

struct PlanRequest {
  std::optional<std::uint32_t> workers = {};  ///< -t; unset: one per core, as far as the memory goes
  std::vector<std::uint32_t> cores = {};      ///< --cores: OS CPU numbers; empty: the plan chooses
  std::uint64_t memory_bytes = 64ULL << 20;   ///< -m: all partitions together
  std::uint64_t memory_bytes_max = 0;         ///< --memory-max: what they may grow to; 0: no further
  std::uint64_t item_bytes_max = 1ULL << 20;  ///< -I: a partition holds at least two of these
  bool may_oversubscribe = false;             ///< --oversubscribe
  /// --nic: the node of the card, where its frames lie. Workers go there first, and by default no further.
  std::optional<std::uint32_t> card_node = {};
};

struct WorkerPlacement {
  WorkerId worker = 0;
  std::uint32_t os_cpu = 0;
  std::uint32_t core = 0;  ///< Core::id
  std::uint32_t node = 0;  ///< NumaNode::os_index
  std::uint64_t partition_bytes = 0;
  std::uint64_t arena_bytes = 0;  ///< addresses for it: more than partition_bytes where it may grow
};

struct Plan {
  std::vector<WorkerPlacement> workers;
  std::vector<std::string> notes;  ///< what the operator may not expect; each a sentence
};

Result<Plan> plan_workers(const Topology& topology, const PlanRequest& request);

/// The node of the card that `port` (--nic) names, a PCI address or a packet socket's interface; none: it is no card,
/// or the machine does not say.
std::optional<std::uint32_t> card_node(const Topology& topology, const std::string& port);

/// The plan as a table, for --show-plan and the log.
std::string describe(const Plan& plan, const Topology& topology);

}  // namespace millrace::server
