// Plans over machines nobody here owns: hwloc's synthetic ones, and asymmetric ones saved as XML beside this file.
#include "server/topology_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "base/topology.h"
#include "support/seed.h"

namespace millrace::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

Topology synthetic(const std::string& description) {
  auto topology = topology_from_synthetic(description);
  EXPECT_TRUE(topology.has_value()) << topology.error().what;
  return topology.value_or(Topology{});
}

Topology saved(const std::string& name) {
  auto topology = topology_from_xml(std::string(MILLRACE_TOPOLOGIES) + "/" + name);
  EXPECT_TRUE(topology.has_value()) << topology.error().what;
  return topology.value_or(Topology{});
}

Plan plan(const Topology& topology, const PlanRequest& request) {
  auto made = plan_workers(topology, request);
  EXPECT_TRUE(made.has_value()) << made.error().what;
  return made.value_or(Plan{});
}

std::string refusal(const Topology& topology, const PlanRequest& request) {
  const auto made = plan_workers(topology, request);
  EXPECT_FALSE(made.has_value()) << describe(*made, topology);
  return made ? "" : made.error().what;
}

std::vector<std::uint32_t> cpus(const Plan& plan) {
  std::vector<std::uint32_t> out;
  for (const WorkerPlacement& worker : plan.workers) {
    out.push_back(worker.os_cpu);
  }
  return out;
}

std::map<std::uint32_t, int> workers_of_nodes(const Plan& plan) {
  std::map<std::uint32_t, int> out;
  for (const WorkerPlacement& worker : plan.workers) {
    ++out[worker.node];
  }
  return out;
}

const std::string kOneCore = "package:1 [numa(memory=8GiB)] core:1 pu:1";
const std::string kOneSocketSmt = "package:1 [numa(memory=64GiB)] core:8 pu:2";
const std::string kTwoSockets = "package:2 [numa(memory=512GiB)] core:64 pu:2";

// --- Which cores ------------------------------------------------------------------------------------------------

TEST(TopologyPlan, OneCoreGetsOneWorkerWithAllTheMemory) {
  const Plan made = plan(synthetic(kOneCore), {});
  ASSERT_EQ(made.workers.size(), 1U);
  EXPECT_EQ(made.workers[0].worker, 0U);
  EXPECT_EQ(made.workers[0].os_cpu, 0U);
  EXPECT_EQ(made.workers[0].node, 0U);
  EXPECT_EQ(made.workers[0].partition_bytes, 64 * kMiB);
  EXPECT_THAT(made.notes, IsEmpty());
}

TEST(TopologyPlan, AnArenaMayGrowToItsShareOfTheMost) {
  const Topology machine = synthetic(kOneSocketSmt);
  EXPECT_EQ(plan(machine, {.workers = 4}).workers[3].arena_bytes, 16 * kMiB);
  const Plan made = plan(machine, {.workers = 4, .memory_bytes_max = 250 * kMiB});
  EXPECT_EQ(made.workers[3].partition_bytes, 16 * kMiB);
  EXPECT_EQ(made.workers[3].arena_bytes, 250 * kMiB / 4 / kStorePageBytes * kStorePageBytes);
  const auto refused = plan_workers(machine, {.workers = 1, .memory_bytes_max = 33 * kGiB});
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, AllOf(HasSubstr("--memory-max 33792"), HasSubstr("32768 or less")));
}

TEST(TopologyPlan, SmtSiblingsStayIdle) {
  const Topology machine = synthetic(kOneSocketSmt);
  const Plan made = plan(machine, {});
  EXPECT_THAT(cpus(made), ElementsAre(0, 2, 4, 6, 8, 10, 12, 14));
  EXPECT_THAT(made.notes, IsEmpty());
  EXPECT_THAT(describe(made, machine), HasSubstr("idle siblings"));
}

TEST(TopologyPlan, SmtSiblingsWorkWhenMoreWorkersThanCoresAreAskedFor) {
  const Plan made = plan(synthetic(kOneSocketSmt), {.workers = 10});
  EXPECT_THAT(cpus(made), ElementsAre(0, 1, 2, 3, 4, 6, 8, 10, 12, 14));
  ASSERT_EQ(made.notes.size(), 1U);
  EXPECT_THAT(made.notes[0], AllOf(HasSubstr("4 workers share a core"), HasSubstr("SMT")));
}

TEST(TopologyPlan, TwoSocketsUseAllCoresByDefault) {
  const Plan made = plan(synthetic(kTwoSockets), {.memory_bytes = 128 * kGiB});
  ASSERT_EQ(made.workers.size(), 128U);
  EXPECT_EQ(workers_of_nodes(made), (std::map<std::uint32_t, int>{{0, 64}, {1, 64}}));
  EXPECT_EQ(made.workers[127].os_cpu, 254U);
  EXPECT_EQ(made.workers[127].partition_bytes, kGiB);
}

TEST(TopologyPlan, FewWorkersSpreadOverNodesEvenly) {
  const Plan made = plan(synthetic(kTwoSockets), {.workers = 6});
  EXPECT_THAT(cpus(made), ElementsAre(0, 2, 4, 128, 130, 132));
}

TEST(TopologyPlan, FullNodeLeavesTheRestToOthers) {
  // Node 0 keeps 2 cores (1 and 2-3), node 1 keeps 3: CPUs 1-3,8-11,15 are allowed.
  const Topology machine = saved("cpuset_holes.xml");
  EXPECT_EQ(machine.cpus_allowed, (std::vector<std::uint32_t>{1, 2, 3, 8, 9, 10, 11, 15}));
  EXPECT_THAT(cpus(plan(machine, {.workers = 5})), ElementsAre(1, 2, 8, 10, 15));
  EXPECT_THAT(cpus(plan(machine, {.workers = 4})), ElementsAre(1, 2, 8, 10));
  EXPECT_THAT(cpus(plan(machine, {.workers = 8})), ElementsAre(1, 2, 3, 8, 9, 10, 11, 15));
}

TEST(TopologyPlan, NodeWithoutMemoryStaysIdleWithANote) {
  const Plan made = plan(saved("node_without_memory.xml"), {});
  EXPECT_THAT(cpus(made), ElementsAre(0, 2, 4, 6));
  ASSERT_EQ(made.notes.size(), 1U);
  EXPECT_THAT(made.notes[0], AllOf(HasSubstr("node 1 has no memory"), HasSubstr("8,10,12,14")));
}

TEST(TopologyPlan, NodeWithoutCoresIsShownAndNotUsed) {
  const Topology machine = saved("node_without_cores.xml");
  ASSERT_EQ(machine.nodes.size(), 2U);
  const Plan made = plan(machine, {});
  EXPECT_EQ(workers_of_nodes(made), (std::map<std::uint32_t, int>{{0, 4}}));
  EXPECT_THAT(describe(made, machine), HasSubstr("node 1: 64.0 GiB of memory, workers none"));
}

// --- Where the card is ----------------------------------------------------------------------------------------------

TEST(TopologyPlan, KnowsWhereCardsAre) {
  const Topology machine = saved("two_sockets_with_cards.xml");
  EXPECT_EQ(machine.cards.size(), 4U) << "a disk is none";
  EXPECT_EQ(card_node(machine, "0000:03:00.1"), 0U);
  EXPECT_EQ(card_node(machine, "03:00.0,queues=4"), 0U);
  EXPECT_EQ(card_node(machine, "0000:c2:00.0"), 1U) << "the kernel has no name for one that DPDK's driver has";
  EXPECT_EQ(card_node(machine, "af_xdp:ens4f0np0,start_queue=1"), 1U);
  EXPECT_EQ(card_node(machine, "af_packet:ens1f1"), 0U);
  EXPECT_EQ(card_node(machine, "0000:04:00.0"), std::nullopt);
  EXPECT_EQ(card_node(machine, "tap:ens1f0"), std::nullopt);
  EXPECT_EQ(card_node(machine, "memif:/run/m.sock"), std::nullopt);
  EXPECT_EQ(card_node(synthetic(kTwoSockets), "0000:03:00.0"), std::nullopt);
}

TEST(TopologyPlan, WorkersGoWhereTheCardIs) {
  const Topology machine = saved("two_sockets_with_cards.xml");
  const Plan made = plan(machine, {.card_node = 1});
  EXPECT_THAT(cpus(made), ElementsAre(8, 10, 12, 14));
  EXPECT_THAT(made.notes,
              ElementsAre("the card is on node 1: its 4 cores get workers, the 4 of other nodes do not (-t 8 "
                          "takes all)"));
  EXPECT_THAT(describe(made, machine), HasSubstr("node 1: 64.0 GiB of memory, workers 0-3, 64.0 MiB reserved"));
  EXPECT_THAT(cpus(plan(machine, {.workers = 3, .card_node = 1})), ElementsAre(8, 10, 12));
  EXPECT_THAT(cpus(plan(machine, {.workers = 6, .card_node = 1})), ElementsAre(0, 2, 8, 10, 12, 14));
  EXPECT_THAT(cpus(plan(machine, {.workers = 9, .card_node = 1})), ElementsAre(0, 2, 4, 6, 8, 9, 10, 12, 14));
  EXPECT_THAT(cpus(plan(machine, {.cores = {0, 8}, .card_node = 1})), ElementsAre(0, 8))
      << "who lists cores has chosen";
}

TEST(TopologyPlan, TheCardsNodeMayNotDo) {
  const Topology machine = saved("two_sockets_with_cards.xml");
  const Plan large = plan(machine, {.memory_bytes = 80 * kGiB, .card_node = 0});
  EXPECT_EQ(large.workers.size(), 8U);
  EXPECT_THAT(large.notes, ElementsAre(HasSubstr("node 0, which has less memory than -m 81920")));
  EXPECT_THAT(cpus(plan(saved("node_without_memory.xml"), {.card_node = 1})), ElementsAre(0, 2, 4, 6));
  EXPECT_EQ(plan(saved("node_without_cores.xml"), {.card_node = 1}).workers.size(), 4U);
  EXPECT_EQ(plan(machine, {.card_node = 7}).workers.size(), 8U);
  EXPECT_THAT(plan(synthetic(kOneSocketSmt), {.card_node = 0}).notes, IsEmpty());
}

// --- Lists of cores ----------------------------------------------------------------------------------------------

TEST(TopologyPlan, ListedCoresKeepTheirOrder) {
  const Plan made = plan(synthetic(kTwoSockets), {.cores = {130, 2, 3}});
  EXPECT_THAT(cpus(made), ElementsAre(130, 2, 3));
  EXPECT_EQ(made.workers[0].worker, 0U);
  EXPECT_EQ(made.workers[0].node, 1U);
  ASSERT_EQ(made.notes.size(), 1U) << "2 and 3 are siblings";
  EXPECT_THAT(made.notes[0], HasSubstr("2 workers share a core"));
}

TEST(TopologyPlan, FewerWorkersThanListedCoresIsNoted) {
  const Plan made = plan(synthetic(kOneSocketSmt), {.workers = 1, .cores = {4, 6}});
  EXPECT_THAT(cpus(made), ElementsAre(4));
  EXPECT_THAT(made.notes, ElementsAre(HasSubstr("only the first 1 of the 2 CPUs")));
}

TEST(TopologyPlan, RefusesListedCpuThatIsNotThere) {
  EXPECT_THAT(refusal(synthetic(kOneSocketSmt), {.cores = {0, 16}}),
              AllOf(HasSubstr("this machine has no CPU 16"), HasSubstr("it may use 0-15")));
}

TEST(TopologyPlan, RefusesListedCpuThatTheCpusetTakesAway) {
  EXPECT_THAT(refusal(saved("cpuset_holes.xml"), {.cores = {0}}),
              AllOf(HasSubstr("keeps Millrace off CPU 0"), HasSubstr("1-3,8-11,15")));
}

TEST(TopologyPlan, RefusesCpuListedTwiceUnlessShared) {
  const Topology machine = synthetic(kOneSocketSmt);
  EXPECT_THAT(refusal(machine, {.cores = {2, 2}}), HasSubstr("CPU 2 twice"));
  EXPECT_THAT(cpus(plan(machine, {.cores = {2, 2}, .may_oversubscribe = true})), ElementsAre(2, 2));
}

TEST(TopologyPlan, RefusesMoreWorkersThanListed) {
  EXPECT_THAT(refusal(synthetic(kOneSocketSmt), {.workers = 3, .cores = {2, 4}}),
              AllOf(HasSubstr("-t 3"), HasSubstr("2 CPUs"), HasSubstr("--oversubscribe")));
}

TEST(TopologyPlan, RefusesListedCoresOfANodeWithoutMemory) {
  EXPECT_THAT(refusal(saved("node_without_memory.xml"), {.cores = {0, 8}}),
              AllOf(HasSubstr("node 1 has 0 B of memory"), HasSubstr("32.0 MiB"), HasSubstr("--cores")));
}

// --- Too many ------------------------------------------------------------------------------------------------------

TEST(TopologyPlan, RefusesMoreWorkersThanCpusAndSaysWhatWorks) {
  EXPECT_EQ(
      refusal(synthetic("package:1 [numa(memory=8GiB)] core:2 pu:1"), {.workers = 8}),
      "-t 8: the synthetic machine 'package:1 [numa(memory=8GiB)] core:2 pu:1' lets Millrace use 2 cores; use -t 2 or "
      "fewer, or --oversubscribe to let workers share cores (for tests)");
  EXPECT_THAT(refusal(synthetic(kOneSocketSmt), {.workers = 17}),
              AllOf(HasSubstr("8 cores (16 hardware threads)"), HasSubstr("-t 16 or fewer")));
  EXPECT_THAT(refusal(synthetic(kOneCore), {.workers = 0}), HasSubstr("at least one"));
}

TEST(TopologyPlan, OversubscribedWorkersTakeTurnsOnCpus) {
  const Plan made =
      plan(synthetic("package:1 [numa(memory=8GiB)] core:2 pu:1"), {.workers = 5, .may_oversubscribe = true});
  EXPECT_THAT(cpus(made), ElementsAre(0, 0, 0, 1, 1));
  EXPECT_THAT(made.notes, ElementsAre(HasSubstr("2 CPUs have more than one worker")));
}

// --- Memory --------------------------------------------------------------------------------------------------------

TEST(TopologyPlan, PartitionsAreEqualAndInWholePages) {
  const Plan made = plan(synthetic(kOneSocketSmt), {.workers = 3, .memory_bytes = 64 * kMiB});
  for (const WorkerPlacement& worker : made.workers) {
    EXPECT_EQ(worker.partition_bytes, 64 * kMiB / 3 / kStorePageBytes * kStorePageBytes);
  }
}

TEST(TopologyPlan, DefaultUsesFewerWorkersWhereTheMemoryIsSmall) {
  const Plan made = plan(synthetic(kTwoSockets), {.memory_bytes = 64 * kMiB});
  EXPECT_EQ(made.workers.size(), 32U);
  EXPECT_EQ(workers_of_nodes(made), (std::map<std::uint32_t, int>{{0, 16}, {1, 16}}));
  EXPECT_THAT(made.notes,
              ElementsAre(AllOf(HasSubstr("32 workers only"), HasSubstr("128 cores"), HasSubstr("-m 256"))));
}

TEST(TopologyPlan, RefusesPartitionsTooSmallForTheLargestItem) {
  const Topology machine = synthetic(kTwoSockets);
  EXPECT_THAT(refusal(machine, {.workers = 64, .memory_bytes = 64 * kMiB}),
              AllOf(HasSubstr("1.0 MiB each"), HasSubstr("at least 2.0 MiB"), HasSubstr("-t 32 or fewer"),
                    HasSubstr("-m 128 or more")));
  EXPECT_THAT(refusal(machine, {.memory_bytes = 1 * kMiB}), AllOf(HasSubstr("-m 1"), HasSubstr("use -m 2 or more")));
  EXPECT_EQ(plan(machine, {.workers = 64, .memory_bytes = 64 * kMiB, .item_bytes_max = 512 << 10}).workers.size(), 64U);
  // An item of -I 16m wants 32 MiB.
  EXPECT_THAT(refusal(machine, {.workers = 4, .memory_bytes = 64 * kMiB, .item_bytes_max = 16 * kMiB}),
              AllOf(HasSubstr("-t 2 or fewer"), HasSubstr("-m 128 or more")));
}

TEST(TopologyPlan, RefusesPartitionsBeyondWhatAReferenceReaches) {
  const Topology machine = synthetic(kTwoSockets);
  EXPECT_THAT(refusal(machine, {.workers = 4, .memory_bytes = 200 * kGiB}),
              AllOf(HasSubstr("50.0 GiB each"), HasSubstr("32.0 GiB"), HasSubstr("use 7 workers (-t 7)"),
                    HasSubstr("-m 131072 or less")));
  EXPECT_EQ(plan(machine, {.workers = 7, .memory_bytes = 200 * kGiB}).workers.size(), 7U);
  EXPECT_EQ(plan(machine, {.workers = 4, .memory_bytes = 128 * kGiB}).workers[0].partition_bytes, 32 * kGiB);
}

TEST(TopologyPlan, RefusesMoreThanANodeHasAndSaysHowMuchWouldWork) {
  const Topology machine = synthetic("package:2 [numa(memory=8GiB)] core:4 pu:1");
  const std::string why = refusal(machine, {.workers = 3, .memory_bytes = 15 * kGiB});
  EXPECT_THAT(
      why, AllOf(HasSubstr("node 0 has 8.0 GiB"), HasSubstr("2 workers would need 10.0 GiB"), HasSubstr("-m 12288")));
  // What it says works, works.
  EXPECT_EQ(plan(machine, {.workers = 3, .memory_bytes = 12 * kGiB}).workers.size(), 3U);
  EXPECT_THAT(refusal(machine, {.workers = 3, .memory_bytes = 12 * kGiB + kMiB}), HasSubstr("-m 12288"));
}

TEST(TopologyPlan, NotesMemoryThatIsThereButNotFree) {
  Topology machine = synthetic(kOneCore);
  machine.nodes[0].free_bytes = 10 * kMiB;
  EXPECT_THAT(plan(machine, {}).notes, ElementsAre(HasSubstr("node 0 has 10.0 MiB free just now")));
}

TEST(TopologyPlan, RefusesAMachineWhereMemoryAndCoresNeverMeet) {
  Topology machine = synthetic(kOneCore);
  machine.nodes[0].memory_bytes = 0;
  EXPECT_THAT(refusal(machine, {}), HasSubstr("both memory and cores"));
}

TEST(TopologyPlan, DescriptionShowsEveryWorkerAndNote) {
  const Topology machine = synthetic(kOneSocketSmt);
  const std::string text = describe(plan(machine, {.workers = 9}), machine);
  EXPECT_THAT(text, AllOf(HasSubstr("node 0: 64.0 GiB of memory, workers 0-8"), HasSubstr("9 workers, 63.6 MiB"),
                          HasSubstr("note: 2 workers share a core")));
  // Head, node, table head, nine workers, total, one note.
  EXPECT_EQ(std::ranges::count(text, '\n'), 14);
}

// --- Any machine, any wish: what comes out is a plan that keeps its invariants, or a sentence -----------------------

TEST(TopologyPlan, EveryPlanKeepsItsInvariants) {
  setenv("RC_PARAMS", ("seed=" + std::to_string(tests::test_seed())).c_str(), 1);
  int plans = 0;
  const bool holds = rc::check("plans keep their invariants", [&plans] {
    const auto packages = *rc::gen::inRange(1, 4);
    const auto cores = *rc::gen::inRange(1, 6);
    const auto threads = *rc::gen::inRange(1, 3);
    const auto gib = *rc::gen::inRange(1, 64);
    const Topology machine = synthetic("package:" + std::to_string(packages) + " [numa(memory=" + std::to_string(gib) +
                                       "GiB)] core:" + std::to_string(cores) + " pu:" + std::to_string(threads));
    PlanRequest request;
    if (*rc::gen::arbitrary<bool>()) {
      request.workers = static_cast<std::uint32_t>(*rc::gen::inRange(1, 40));
    }
    request.memory_bytes = static_cast<std::uint64_t>(*rc::gen::inRange(1, 200'000)) * kMiB;
    request.may_oversubscribe = *rc::gen::arbitrary<bool>();
    const auto made = plan_workers(machine, request);
    if (!made) {
      RC_ASSERT(made.error().what.size() > 20U);
      return;
    }
    ++plans;
    RC_ASSERT(!made->workers.empty());
    std::set<std::uint32_t> seen;
    std::map<std::uint32_t, std::uint64_t> taken;
    const std::uint64_t each = made->workers.front().partition_bytes;
    for (std::uint32_t i = 0; i < made->workers.size(); ++i) {
      const WorkerPlacement& worker = made->workers[i];
      RC_ASSERT(worker.worker == i);
      RC_ASSERT(worker.partition_bytes == each);
      RC_ASSERT(std::ranges::binary_search(machine.cpus_allowed, worker.os_cpu));
      RC_ASSERT(machine.find_core_of_cpu(worker.os_cpu)->id == worker.core);
      RC_ASSERT(seen.insert(worker.os_cpu).second || request.may_oversubscribe);
      taken[worker.node] += worker.partition_bytes;
    }
    RC_ASSERT(each % kStorePageBytes == 0U);
    RC_ASSERT(each >= 2 * request.item_bytes_max);
    RC_ASSERT(each <= kPartitionBytesMax);
    RC_ASSERT(each * made->workers.size() <= request.memory_bytes);
    RC_ASSERT(!request.workers || made->workers.size() == *request.workers);
    for (const auto& [node, bytes] : taken) {
      RC_ASSERT(bytes <= machine.find_node(node)->memory_bytes);
    }
    // Even over nodes: no node has two workers more than another that still has an idle core.
    const auto counts = workers_of_nodes(*made);
    if (!request.may_oversubscribe) {
      int least = 1 << 20;
      int most = 0;
      for (std::uint32_t node = 0; node < static_cast<std::uint32_t>(packages); ++node) {
        const int count = counts.contains(node) ? counts.at(node) : 0;
        least = std::min(least, count);
        most = std::max(most, count);
      }
      RC_ASSERT(most - least <= 1);
    }
  });
  EXPECT_TRUE(holds);
  EXPECT_GT(plans, 5) << "almost every wish was refused, so little was tested";
}

}  // namespace
}  // namespace millrace::server
