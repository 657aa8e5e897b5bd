// What the machine has that a worker can be placed on: cores with their hardware threads, and NUMA nodes.
//
// Any thread; a plain value, owned by whoever holds it. Read once at start, so cold: Result, strings, vectors.
// Invariants: 1. `cores` is sorted by (node, package, first CPU); core i has id i. 2. Each core has at least one
// allowed CPU and `cpus.front() == os_cpu`. 3. Each core's `node` names an entry of `nodes`, which is sorted by
// os_index. Why a value and not the hwloc handle: the plan is then a pure function that tests feed with machines nobody
// here owns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace millrace {

/// Memory with one distance to everything. `os_index` is the kernel's number (/sys/devices/system/node/nodeN).
struct NumaNode {
  std::uint32_t os_index = 0;
  std::uint64_t memory_bytes = 0;           ///< 0: a node of cores only
  std::optional<std::uint64_t> free_bytes;  ///< free just now; known only of the running machine
};

/// One physical core, with those of its hardware threads that we may run on.
struct Core {
  std::uint32_t id = 0;
  std::uint32_t os_cpu = 0;         ///< its first allowed hardware thread: where a worker goes
  std::vector<std::uint32_t> cpus;  ///< all its allowed hardware threads (SMT siblings), ascending
  std::uint32_t node = 0;           ///< os_index of the nearest NUMA node
  std::uint32_t package = 0;        ///< socket
};

/// A network card, as far as the machine tells. Kept for where it is, whatever driver has it.
struct NetworkCard {
  std::string pci;                      ///< "0000:03:00.0"
  std::vector<std::string> interfaces;  ///< the kernel's names for it; none while DPDK's driver has it
  std::optional<std::uint32_t> node;    ///< os_index of the one NUMA node it is nearest to, if it is one
};

struct Topology {
  std::vector<NumaNode> nodes;
  std::vector<NetworkCard> cards;
  std::vector<Core> cores;
  std::vector<std::uint32_t> cpus_allowed;  ///< what cpuset and affinity let us use, ascending
  std::vector<std::uint32_t> cpus_present;  ///< what the machine has, ascending
  std::string source;                       ///< "this machine", a synthetic description or the file it was read from

  [[nodiscard]] const NumaNode* find_node(std::uint32_t os_index) const;
  /// `name`: a PCI address, with or without its domain, or an interface; null: there is no such card.
  [[nodiscard]] const NetworkCard* find_card(const std::string& name) const;
  /// The core that has this hardware thread; null when there is none that we may use.
  [[nodiscard]] const Core* find_core_of_cpu(std::uint32_t os_cpu) const;
};

/// This machine, as far as cpuset cgroups and the calling thread's affinity let us use it. Call it before pinning.
Result<Topology> read_machine();

/// A machine in hwloc's synthetic words, such as "package:2 [numa(memory=64GB)] core:8 pu:2".
Result<Topology> topology_from_synthetic(const std::string& description);

/// A machine saved with `lstopo machine.xml`.
Result<Topology> topology_from_xml(const std::string& path);

/// `what` is a file that exists (XML), else a synthetic description. For --topology.
Result<Topology> topology_from_text(const std::string& what);

/// CPU numbers as people write them: {0,2,3,4} is "0,2-4"; "none" when empty.
std::string cpu_list_text(const std::vector<std::uint32_t>& cpus);

}  // namespace millrace
