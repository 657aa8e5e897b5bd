#include "base/topology.h"

#include <fmt/format.h>
#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <tuple>

namespace millrace {
namespace {

struct TopologyDeleter {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using Handle = std::unique_ptr<hwloc_topology, TopologyDeleter>;

std::vector<std::uint32_t> cpus_of(hwloc_const_cpuset_t set) {
  std::vector<std::uint32_t> cpus;
  for (int cpu = hwloc_bitmap_first(set); cpu >= 0; cpu = hwloc_bitmap_next(set, cpu)) {
    cpus.push_back(static_cast<std::uint32_t>(cpu));
  }
  return cpus;
}

Result<Handle> make_handle() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) {
    return fail("hwloc could not start: " + std::string(std::strerror(errno)));
  }
  (void)hwloc_topology_set_io_types_filter(raw, HWLOC_TYPE_FILTER_KEEP_IMPORTANT);  // network cards among them
  return Handle(raw);
}

/// The calling thread's affinity; grows the mask until the kernel's fits.
Result<std::vector<std::uint32_t>> cpus_of_this_thread() {
  for (int cpus_max = 1024; cpus_max <= 1 << 18; cpus_max *= 2) {
    const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(cpus_max), [](cpu_set_t* s) { CPU_FREE(s); });
    const std::size_t bytes = CPU_ALLOC_SIZE(cpus_max);
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      std::vector<std::uint32_t> cpus;
      for (int cpu = 0; cpu < cpus_max; ++cpu) {
        if (CPU_ISSET_S(cpu, bytes, set.get())) {
          cpus.push_back(static_cast<std::uint32_t>(cpu));
        }
      }
      return cpus;
    }
    if (errno != EINVAL) {
      break;
    }
  }
  return fail("the kernel did not say which CPUs this process may use: " + std::string(std::strerror(errno)));
}

/// A line of a meminfo file ("MemFree: 4162328 kB", behind "Node 0" in a node's own), in bytes.
std::optional<std::uint64_t> meminfo_bytes(const std::string& path, const std::string& wanted) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    std::uint64_t kib = 0;
    if (word == wanted && in >> kib) {
      return kib * 1024;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> free_bytes_of_node(std::uint32_t os_index) {
  return meminfo_bytes(fmt::format("/sys/devices/system/node/node{}/meminfo", os_index), "MemFree:");
}

/// In a virtual machine with a balloon a node counts only what the host has lent just now; the whole machine's figure
/// counts what it will lend on demand. With one node they speak of the same memory, so the larger is right.
void count_lent_memory(Topology& machine) {
  if (machine.nodes.size() != 1) {
    return;
  }
  NumaNode& node = machine.nodes.front();
  node.memory_bytes = std::max(node.memory_bytes, meminfo_bytes("/proc/meminfo", "MemTotal:").value_or(0));
  const auto free = meminfo_bytes("/proc/meminfo", "MemFree:");
  if (free && free > node.free_bytes) {
    node.free_bytes = free;
  }
}

void add_cards(hwloc_topology_t handle, Topology& out) {
  constexpr int kPciClassNetwork = 0x02;
  for (hwloc_obj_t device = hwloc_get_next_pcidev(handle, nullptr); device != nullptr;
       device = hwloc_get_next_pcidev(handle, device)) {
    const auto& pci = device->attr->pcidev;
    if (pci.class_id >> 8 != kPciClassNetwork) {
      continue;
    }
    NetworkCard card{.pci = fmt::format("{:04x}:{:02x}:{:02x}.{:x}", pci.domain, pci.bus, pci.dev, pci.func),
                     .interfaces = {},
                     .node = {}};
    const hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(handle, device);
    if (place != nullptr && place->nodeset != nullptr && hwloc_bitmap_weight(place->nodeset) == 1) {
      card.node = static_cast<std::uint32_t>(hwloc_bitmap_first(place->nodeset));
    }
    for (hwloc_obj_t os = hwloc_get_next_osdev(handle, nullptr); os != nullptr; os = hwloc_get_next_osdev(handle, os)) {
      // Of virtio the kernel's device lies a step below the card.
      hwloc_obj_t owner = os->parent;
      while (owner != nullptr && owner->type == HWLOC_OBJ_OS_DEVICE) {
        owner = owner->parent;
      }
      if (owner == device && os->attr->osdev.type == HWLOC_OBJ_OSDEV_NETWORK) {
        card.interfaces.emplace_back(os->name);
      }
    }
    out.cards.push_back(std::move(card));
  }
}

/// The nearest node: of those the core is local to, the one with most memory (the first, if equal or none).
std::uint32_t nearest_node(hwloc_topology_t handle, hwloc_obj_t core) {
  std::uint32_t best = hwloc_get_obj_by_type(handle, HWLOC_OBJ_NUMANODE, 0)->os_index;  // hwloc always shows one
  bool has_best = false;
  std::uint64_t best_bytes = 0;
  for (hwloc_obj_t node = hwloc_get_next_obj_by_type(handle, HWLOC_OBJ_NUMANODE, nullptr); node != nullptr;
       node = hwloc_get_next_obj_by_type(handle, HWLOC_OBJ_NUMANODE, node)) {
    if (!hwloc_bitmap_isset(core->nodeset, node->os_index)) {
      continue;
    }
    const std::uint64_t bytes = node->attr->numanode.local_memory;
    if (!has_best || bytes > best_bytes) {
      best = node->os_index;
      best_bytes = bytes;
      has_best = true;
    }
  }
  return best;
}

void add_core(hwloc_topology_t handle, hwloc_obj_t object, const std::vector<std::uint32_t>& cpus_may_use,
              Topology& out) {
  Core core;
  for (const std::uint32_t cpu : cpus_of(object->cpuset)) {
    if (std::ranges::binary_search(cpus_may_use, cpu)) {
      core.cpus.push_back(cpu);
    }
  }
  if (core.cpus.empty()) {
    return;
  }
  core.os_cpu = core.cpus.front();
  core.node = nearest_node(handle, object);
  hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(handle, HWLOC_OBJ_PACKAGE, object);
  core.package = package == nullptr ? 0 : package->os_index;
  out.cpus_allowed.insert(out.cpus_allowed.end(), core.cpus.begin(), core.cpus.end());
  out.cores.push_back(std::move(core));
}

Result<Topology> read(hwloc_topology_t handle, const std::vector<std::uint32_t>* affinity, std::string source) {
  Topology out;
  out.source = std::move(source);
  out.cpus_present = cpus_of(hwloc_topology_get_complete_cpuset(handle));
  std::vector<std::uint32_t> cpus_may_use = cpus_of(hwloc_topology_get_allowed_cpuset(handle));
  if (affinity != nullptr) {
    std::erase_if(cpus_may_use, [&](std::uint32_t cpu) { return !std::ranges::binary_search(*affinity, cpu); });
  }

  for (hwloc_obj_t node = hwloc_get_next_obj_by_type(handle, HWLOC_OBJ_NUMANODE, nullptr); node != nullptr;
       node = hwloc_get_next_obj_by_type(handle, HWLOC_OBJ_NUMANODE, node)) {
    NumaNode entry{.os_index = node->os_index, .memory_bytes = node->attr->numanode.local_memory, .free_bytes = {}};
    if (affinity != nullptr) {
      entry.free_bytes = free_bytes_of_node(entry.os_index);
    }
    out.nodes.push_back(entry);
  }
  std::ranges::sort(out.nodes, {}, &NumaNode::os_index);
  if (affinity != nullptr) {
    count_lent_memory(out);
  }

  // Where the platform tells no cores (some virtual machines), each hardware thread counts as one.
  const bool knows_cores = hwloc_get_nbobjs_by_type(handle, HWLOC_OBJ_CORE) > 0;
  const hwloc_obj_type_t kind = knows_cores ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
  for (hwloc_obj_t object = hwloc_get_next_obj_by_type(handle, kind, nullptr); object != nullptr;
       object = hwloc_get_next_obj_by_type(handle, kind, object)) {
    add_core(handle, object, cpus_may_use, out);
  }
  add_cards(handle, out);
  if (out.cores.empty() || out.nodes.empty()) {
    return fail(fmt::format("{} shows no core with memory that Millrace may use", out.source));
  }
  std::ranges::sort(out.cores, {}, [](const Core& c) { return std::tuple(c.node, c.package, c.os_cpu); });
  for (std::uint32_t id = 0; id < out.cores.size(); ++id) {
    out.cores[id].id = id;
  }
  std::ranges::sort(out.cpus_allowed);
  return out;
}

}  // namespace

const NumaNode* Topology::find_node(std::uint32_t os_index) const {
  const auto at = std::ranges::find(nodes, os_index, &NumaNode::os_index);
  return at == nodes.end() ? nullptr : &*at;
}

const NetworkCard* Topology::find_card(const std::string& name) const {
  const auto at = std::ranges::find_if(cards, [&](const NetworkCard& card) {
    return card.pci == name || card.pci == "0000:" + name || std::ranges::count(card.interfaces, name) > 0;
  });
  return at == cards.end() ? nullptr : &*at;
}

const Core* Topology::find_core_of_cpu(std::uint32_t os_cpu) const {
  const auto at =
      std::ranges::find_if(cores, [&](const Core& c) { return std::ranges::binary_search(c.cpus, os_cpu); });
  return at == cores.end() ? nullptr : &*at;
}

Result<Topology> read_machine() {
  auto affinity = cpus_of_this_thread();
  if (!affinity) {
    return std::unexpected(affinity.error());
  }
  auto handle = make_handle();
  if (!handle) {
    return std::unexpected(handle.error());
  }
  if (hwloc_topology_load(handle->get()) != 0) {
    return fail("hwloc could not read this machine: " + std::string(std::strerror(errno)));
  }
  return read(handle->get(), &*affinity, "this machine");
}

Result<Topology> topology_from_synthetic(const std::string& description) {
  auto handle = make_handle();
  if (!handle) {
    return std::unexpected(handle.error());
  }
  if (hwloc_topology_set_synthetic(handle->get(), description.c_str()) != 0 ||
      hwloc_topology_load(handle->get()) != 0) {
    return fail(
        fmt::format("'{}' is not a synthetic topology that hwloc understands; try 'package:2 core:8 pu:2', or "
                    "name a file saved with lstopo machine.xml",
                    description));
  }
  return read(handle->get(), nullptr, fmt::format("the synthetic machine '{}'", description));
}

Result<Topology> topology_from_xml(const std::string& path) {
  auto handle = make_handle();
  if (!handle) {
    return std::unexpected(handle.error());
  }
  if (hwloc_topology_set_xml(handle->get(), path.c_str()) != 0 || hwloc_topology_load(handle->get()) != 0) {
    return fail(fmt::format("'{}' is not a topology file that hwloc can read; save one with lstopo machine.xml", path));
  }
  return read(handle->get(), nullptr, fmt::format("the machine in {}", path));
}

Result<Topology> topology_from_text(const std::string& what) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(what, ignored)) {
    return topology_from_xml(what);
  }
  return topology_from_synthetic(what);
}

std::string cpu_list_text(const std::vector<std::uint32_t>& cpus) {
  std::string out;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) {
      ++last;
    }
    const char* comma = out.empty() ? "" : ",";
    out += last == i ? fmt::format("{}{}", comma, cpus[i]) : fmt::format("{}{}-{}", comma, cpus[i], cpus[last]);
    i = last + 1;
  }
  return out.empty() ? "none" : out;
}

}  // namespace millrace
