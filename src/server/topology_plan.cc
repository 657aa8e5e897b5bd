#include "server/topology_plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "base/bytes_text.h"

namespace millrace::server {
namespace {

/// A hardware thread a worker may be put on.
struct Seat {
  const Core* core;
  std::uint32_t os_cpu;
};

constexpr std::uint64_t to_pages(std::uint64_t bytes) { return bytes / kStorePageBytes * kStorePageBytes; }

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::uint64_t least_partition_bytes(const PlanRequest& request) {
  const std::uint64_t two_items = to_pages(2 * request.item_bytes_max + kStorePageBytes - 1);
  return std::max(kPartitionBytesMin, two_items);
}

constexpr std::uint64_t kMiB = 1ULL << 20;
std::uint64_t mib_up(std::uint64_t bytes) { return (bytes + kMiB - 1) / kMiB; }

// --- Seats: where workers may go, best first ---------------------------------------------------------------------

Result<std::vector<Seat>> seats_listed(const Topology& topology, const PlanRequest& request) {
  std::vector<Seat> seats;
  for (const std::uint32_t cpu : request.cores) {
    const Core* core = topology.find_core_of_cpu(cpu);
    if (core == nullptr) {
      const bool is_present = std::ranges::binary_search(topology.cpus_present, cpu);
      return fail(fmt::format("--cores: {} CPU {}; it may use {}",
                              is_present ? "a cpuset or affinity keeps Millrace off" : "this machine has no", cpu,
                              cpu_list_text(topology.cpus_allowed)));
    }
    const bool is_repeated = std::ranges::any_of(seats, [&](const Seat& s) { return s.os_cpu == cpu; });
    if (is_repeated && !request.may_oversubscribe) {
      return fail(
          fmt::format("--cores names CPU {} twice; name it once, or say --oversubscribe to let workers share it", cpu));
    }
    seats.push_back({core, cpu});
  }
  return seats;
}

/// Every core once, taking nodes in turn (first those of `first_node`, all of them), then every core's second hardware
/// thread, and so on.
std::vector<Seat> seats_spread(const Topology& topology, std::optional<std::uint32_t> first_node) {
  std::map<std::uint32_t, std::vector<const Core*>> cores_of_node;
  std::size_t siblings_max = 0;
  std::size_t cores_max = 0;
  for (const Core& core : topology.cores) {
    if (topology.find_node(core.node)->memory_bytes == 0) {
      continue;
    }
    auto& cores = cores_of_node[core.node];
    cores.push_back(&core);
    cores_max = std::max(cores_max, cores.size());
    siblings_max = std::max(siblings_max, core.cpus.size());
  }
  std::vector<Seat> seats;
  std::vector<const Core*> first;
  if (first_node) {
    first = std::exchange(cores_of_node[*first_node], {});
  }
  for (std::size_t sibling = 0; sibling < siblings_max; ++sibling) {
    for (const Core* core : first) {
      if (sibling < core->cpus.size()) {
        seats.push_back({core, core->cpus[sibling]});
      }
    }
    for (std::size_t turn = 0; turn < cores_max; ++turn) {
      for (const auto& [node, cores] : cores_of_node) {
        if (turn < cores.size() && sibling < cores[turn]->cpus.size()) {
          seats.push_back({cores[turn], cores[turn]->cpus[sibling]});
        }
      }
    }
  }
  return seats;
}

void note_nodes_without_memory(const Topology& topology, std::vector<std::string>& notes) {
  for (const NumaNode& node : topology.nodes) {
    std::vector<std::uint32_t> cpus;
    for (const Core& core : topology.cores) {
      if (core.node == node.os_index && node.memory_bytes == 0) {
        cpus.push_back(core.os_cpu);
      }
    }
    if (!cpus.empty()) {
      notes.push_back(fmt::format("node {} has no memory, so its {} (CPUs {}) stay idle", node.os_index,
                                  counted(cpus.size(), "core", "cores"), cpu_list_text(cpus)));
    }
  }
}

// --- How many ----------------------------------------------------------------------------------------------------

std::size_t physical_cores(const std::vector<Seat>& seats) {
  std::vector<std::uint32_t> ids;
  ids.reserve(seats.size());
  for (const Seat& seat : seats) {
    ids.push_back(seat.core->id);
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids.size();
}

Result<std::uint32_t> asked_count(const Topology& topology, const PlanRequest& request, const std::vector<Seat>& seats,
                                  std::vector<std::string>& notes) {
  const std::uint32_t asked = *request.workers;
  if (asked == 0) {
    return fail("-t 0: there must be at least one worker");
  }
  if (!request.cores.empty()) {
    if (asked > seats.size() && !request.may_oversubscribe) {
      return fail(fmt::format("-t {}: --cores names {}; name as many as there are workers, or say --oversubscribe",
                              asked, counted(seats.size(), "CPU", "CPUs")));
    }
    if (asked < seats.size()) {
      notes.push_back(
          fmt::format("-t {}: only the first {} of the {} CPUs of --cores get a worker", asked, asked, seats.size()));
    }
    return asked;
  }
  const std::size_t cores = physical_cores(seats);
  if (asked > seats.size() && !request.may_oversubscribe) {
    std::string has = counted(cores, "core", "cores");
    if (seats.size() > cores) {
      has += fmt::format(" ({} hardware threads)", seats.size());
    }
    return fail(
        fmt::format("-t {}: {} lets Millrace use {}; use -t {} or fewer, or --oversubscribe to let workers share "
                    "cores (for tests)",
                    asked, topology.source, has, seats.size()));
  }
  return asked;
}

/// Where workers go by default when there is a card: on its node alone, unless the memory does not fit there.
void keep_to_card(const Topology& topology, const PlanRequest& request, std::vector<Seat>& seats,
                  std::vector<std::string>& notes) {
  const std::uint32_t node = *request.card_node;
  const std::size_t there = physical_cores(seats);
  std::vector<Seat> near;
  std::ranges::copy_if(seats, std::back_inserter(near), [&](const Seat& seat) { return seat.core->node == node; });
  const std::size_t here = physical_cores(near);
  if (here == there || here == 0) {
    return;
  }
  if (request.memory_bytes > topology.find_node(node)->memory_bytes) {
    notes.push_back(fmt::format(
        "the card is on node {}, which has less memory than -m {}: workers are on other nodes, too, and their frames "
        "cross between nodes",
        node, request.memory_bytes / kMiB));
    return;
  }
  notes.push_back(
      fmt::format("the card is on node {}: its {} get workers, the {} of other nodes do not (-t {} takes all)", node,
                  counted(here, "core", "cores"), there - here, there));
  seats = std::move(near);
}

/// One worker a core, fewer where the memory would not be enough for so many.
Result<std::uint32_t> fitting_count(const PlanRequest& request, const std::vector<Seat>& seats,
                                    std::vector<std::string>& notes) {
  const std::uint64_t wanted = request.cores.empty() ? physical_cores(seats) : seats.size();
  const std::uint64_t least = least_partition_bytes(request);
  const std::uint64_t fits = request.memory_bytes / least;
  if (fits == 0) {
    return fail(fmt::format("-m {}: a worker needs at least {} (an item may be {}); use -m {} or more, or a smaller -I",
                            request.memory_bytes / kMiB, bytes_text(least), bytes_text(request.item_bytes_max),
                            mib_up(least)));
  }
  if (fits < wanted) {
    notes.push_back(fmt::format(
        "{} only, although {} could be used: each needs at least {} (an item may be {}); -m {} is enough for all",
        counted(fits, "worker", "workers"), counted(wanted, "core", "cores"), bytes_text(least),
        bytes_text(request.item_bytes_max), mib_up(least * wanted)));
  }
  return static_cast<std::uint32_t>(std::min(fits, wanted));
}

// --- Memory ------------------------------------------------------------------------------------------------------

Result<std::uint64_t> partition_bytes(const PlanRequest& request, std::uint32_t workers) {
  const std::uint64_t least = least_partition_bytes(request);
  const std::uint64_t each = to_pages(request.memory_bytes / workers);
  if (each < least) {
    const std::uint64_t fits = request.memory_bytes / least;
    const std::string fewer = fits == 0 ? "a smaller -I" : fmt::format("-t {} or fewer", fits);
    return fail(
        fmt::format("-m {} among {} is {} each, but a worker needs at least {} (an item may be {}); use {}, or -m "
                    "{} or more",
                    request.memory_bytes / kMiB, counted(workers, "worker", "workers"), bytes_text(each),
                    bytes_text(least), bytes_text(request.item_bytes_max), fewer, mib_up(least * workers)));
  }
  if (each > kPartitionBytesMax) {
    const std::uint64_t needed = (request.memory_bytes + kPartitionBytesMax - 1) / kPartitionBytesMax;
    return fail(
        fmt::format("-m {} among {} is {} each, but a worker can address {}; use {} workers (-t {}), or -m {} or "
                    "less",
                    request.memory_bytes / kMiB, counted(workers, "worker", "workers"), bytes_text(each),
                    bytes_text(kPartitionBytesMax), needed, needed, workers * (kPartitionBytesMax / kMiB)));
  }
  return each;
}

/// Addresses of a worker's arena, `each` of which has memory from the start.
Result<std::uint64_t> arena_bytes(const PlanRequest& request, std::uint32_t workers, std::uint64_t each) {
  const std::uint64_t most = std::max(to_pages(request.memory_bytes_max / workers), each);
  if (most > kPartitionBytesMax) {
    return fail(
        fmt::format("--memory-max {} among {} is {} each, but a worker can address {}; use more workers (-t), "
                    "or --memory-max {} or less",
                    request.memory_bytes_max / kMiB, counted(workers, "worker", "workers"), bytes_text(most),
                    bytes_text(kPartitionBytesMax), workers * (kPartitionBytesMax / kMiB)));
  }
  return most;
}

/// Errs when a node has less than its workers would take; notes when it has it, but not free.
Result<void> check_nodes(const Topology& topology, Plan& plan) {
  std::map<std::uint32_t, std::uint64_t> workers_on;
  for (const WorkerPlacement& worker : plan.workers) {
    ++workers_on[worker.node];
  }
  std::uint64_t each_max = kPartitionBytesMax;
  for (const auto& [os_index, workers] : workers_on) {
    each_max = std::min(each_max, to_pages(topology.find_node(os_index)->memory_bytes / workers));
  }
  for (const auto& [os_index, workers] : workers_on) {
    const NumaNode& node = *topology.find_node(os_index);
    const std::uint64_t need = workers * plan.workers.front().partition_bytes;
    if (need > node.memory_bytes) {
      const std::uint64_t total_max_mib = each_max * plan.workers.size() / kMiB;
      const std::string less = total_max_mib == 0 ? "" : fmt::format(" -m {} or less, or", total_max_mib);
      return fail(fmt::format(
          "node {} has {} of memory, but its {} would need {}; use{} --cores with CPUs of nodes that "
          "have more",
          os_index, bytes_text(node.memory_bytes), counted(workers, "worker", "workers"), bytes_text(need), less));
    }
    if (node.free_bytes && need > *node.free_bytes) {
      plan.notes.push_back(
          fmt::format("node {} has {} free just now and its {} will take {}; the kernel will have to drop "
                      "caches, or the start will fail",
                      os_index, bytes_text(*node.free_bytes), counted(workers, "worker", "workers"), bytes_text(need)));
    }
  }
  return {};
}

// --- Words -------------------------------------------------------------------------------------------------------

void note_sharing(const Plan& plan, std::vector<std::string>& notes) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> workers_of_core;
  std::map<std::uint32_t, std::uint32_t> workers_of_cpu;
  for (const WorkerPlacement& worker : plan.workers) {
    workers_of_core[worker.core].push_back(worker.worker);
    ++workers_of_cpu[worker.os_cpu];
  }
  const auto crowded = std::ranges::count_if(workers_of_cpu, [](const auto& entry) { return entry.second > 1; });
  if (crowded > 0) {
    notes.push_back(fmt::format("{} than one worker (--oversubscribe): they take turns, so expect long waits",
                                crowded == 1 ? "a CPU has more" : fmt::format("{} CPUs have more", crowded)));
  }
  std::uint64_t sharing = 0;
  for (const auto& [core, workers] : workers_of_core) {
    sharing += workers.size() > 1 ? workers.size() : 0;
  }
  if (sharing > 0 && crowded == 0) {
    notes.push_back(
        fmt::format("{} workers share a core with another as hardware threads (SMT): each is slower than a "
                    "worker with a core of its own",
                    sharing));
  }
}

std::string idle_siblings(const Plan& plan, const Core& core) {
  std::vector<std::uint32_t> idle;
  for (const std::uint32_t cpu : core.cpus) {
    if (std::ranges::none_of(plan.workers, [&](const WorkerPlacement& w) { return w.os_cpu == cpu; })) {
      idle.push_back(cpu);
    }
  }
  return cpu_list_text(idle);
}

}  // namespace

Result<Plan> plan_workers(const Topology& topology, const PlanRequest& request) {
  Plan plan;
  std::vector<Seat> seats;
  // A node that has no core with memory leaves the choice open.
  const bool has_cores_there = request.card_node && topology.find_node(*request.card_node) != nullptr &&
                               topology.find_node(*request.card_node)->memory_bytes > 0 &&
                               std::ranges::count(topology.cores, *request.card_node, &Core::node) > 0;
  const std::optional<std::uint32_t> first_node = has_cores_there ? request.card_node : std::nullopt;
  if (request.cores.empty()) {
    seats = seats_spread(topology, first_node);
    note_nodes_without_memory(topology, plan.notes);
    if (seats.empty()) {
      return fail(fmt::format("no node of {} has both memory and cores that Millrace may use", topology.source));
    }
  } else {
    auto listed = seats_listed(topology, request);
    if (!listed) {
      return std::unexpected(listed.error());
    }
    seats = std::move(*listed);
  }

  if (first_node && request.cores.empty() && !request.workers) {
    keep_to_card(topology, request, seats, plan.notes);
  }
  const auto count =
      request.workers ? asked_count(topology, request, seats, plan.notes) : fitting_count(request, seats, plan.notes);
  if (!count) {
    return std::unexpected(count.error());
  }
  const auto each = partition_bytes(request, *count);
  if (!each) {
    return std::unexpected(each.error());
  }

  const auto arena = arena_bytes(request, *count, *each);
  if (!arena) {
    return std::unexpected(arena.error());
  }
  for (std::uint32_t i = 0; i < *count; ++i) {
    const Seat& seat = seats[i % seats.size()];
    plan.workers.push_back({.worker = i,
                            .os_cpu = seat.os_cpu,
                            .core = seat.core->id,
                            .node = seat.core->node,
                            .partition_bytes = *each,
                            .arena_bytes = *arena});
  }
  if (request.cores.empty()) {
    std::ranges::sort(plan.workers, {}, [](const WorkerPlacement& w) { return std::tuple(w.node, w.core, w.os_cpu); });
  }
  for (std::uint32_t i = 0; i < plan.workers.size(); ++i) {
    plan.workers[i].worker = i;
  }
  if (auto enough = check_nodes(topology, plan); !enough) {
    return std::unexpected(enough.error());
  }
  note_sharing(plan, plan.notes);
  return plan;
}

std::optional<std::uint32_t> card_node(const Topology& topology, const std::string& port) {
  std::string name = port.substr(0, port.find(','));
  for (const std::string_view socket : {"af_xdp:", "af_packet:"}) {
    if (name.starts_with(socket)) {
      name.erase(0, socket.size());
    }
  }
  const NetworkCard* card = topology.find_card(name);
  return card == nullptr ? std::nullopt : card->node;
}

std::string describe(const Plan& plan, const Topology& topology) {
  std::string out = fmt::format("{}: {}, {}; Millrace may use CPUs {}\n", topology.source,
                                counted(topology.nodes.size(), "node", "nodes"),
                                counted(topology.cores.size(), "core", "cores"), cpu_list_text(topology.cpus_allowed));
  for (const NumaNode& node : topology.nodes) {
    std::vector<std::uint32_t> ids;
    std::uint64_t taken = 0;
    for (const WorkerPlacement& worker : plan.workers) {
      if (worker.node == node.os_index) {
        ids.push_back(worker.worker);
        taken += worker.partition_bytes;
      }
    }
    const std::string free = node.free_bytes ? fmt::format(" ({} free)", bytes_text(*node.free_bytes)) : "";
    out += fmt::format("node {}: {} of memory{}, workers {}, {} reserved\n", node.os_index,
                       bytes_text(node.memory_bytes), free, cpu_list_text(ids), bytes_text(taken));
  }
  out += fmt::format("{:>6}  {:>4}  {:>4}  {:>6}  {:>4}  {:>10}  {}\n", "worker", "cpu", "core", "socket", "node",
                     "memory", "idle siblings");
  std::uint64_t total = 0;
  for (const WorkerPlacement& worker : plan.workers) {
    const Core& core = topology.cores[worker.core];
    out += fmt::format("{:>6}  {:>4}  {:>4}  {:>6}  {:>4}  {:>10}  {}\n", worker.worker, worker.os_cpu, worker.core,
                       core.package, worker.node, bytes_text(worker.partition_bytes), idle_siblings(plan, core));
    total += worker.partition_bytes;
  }
  out +=
      fmt::format("{}, {} of memory for items\n", counted(plan.workers.size(), "worker", "workers"), bytes_text(total));
  for (const std::string& note : plan.notes) {
    out += fmt::format("note: {}\n", note);
  }
  return out;
}

}  // namespace millrace::server
