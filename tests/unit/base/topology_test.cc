// The machine as a value: this one, synthetic ones, and what is no machine at all.
#include "base/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <thread>

namespace millrace {
namespace {

using ::testing::HasSubstr;

TEST(Topology, ReadsThisMachine) {
  const auto machine = read_machine();
  ASSERT_TRUE(machine.has_value()) << machine.error().what;
  EXPECT_EQ(machine->source, "this machine");
  ASSERT_FALSE(machine->cores.empty());
  ASSERT_FALSE(machine->nodes.empty());
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  EXPECT_EQ(machine->cpus_allowed.size(), static_cast<std::size_t>(CPU_COUNT(&set)));
  std::set<std::uint32_t> seen;
  for (std::uint32_t id = 0; id < machine->cores.size(); ++id) {
    const Core& core = machine->cores[id];
    EXPECT_EQ(core.id, id);
    EXPECT_EQ(core.cpus.front(), core.os_cpu);
    EXPECT_NE(machine->find_node(core.node), nullptr);
    for (const std::uint32_t cpu : core.cpus) {
      EXPECT_TRUE(CPU_ISSET(cpu, &set));
      EXPECT_TRUE(seen.insert(cpu).second) << "CPU " << cpu << " is in two cores";
      EXPECT_EQ(machine->find_core_of_cpu(cpu), &core);
    }
  }
  EXPECT_EQ(seen.size(), machine->cpus_allowed.size());
  EXPECT_GT(machine->nodes[0].memory_bytes, 0U);
}

TEST(Topology, LeavesOutWhatAffinityForbids) {
  const auto all = read_machine();
  ASSERT_TRUE(all.has_value());
  const std::uint32_t last = all->cpus_allowed.back();
  // In a thread of its own, as affinity is the thread's.
  std::thread([&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(last, &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    const auto machine = read_machine();
    ASSERT_TRUE(machine.has_value());
    EXPECT_EQ(machine->cpus_allowed, std::vector<std::uint32_t>{last});
    ASSERT_EQ(machine->cores.size(), 1U);
    EXPECT_EQ(machine->cores[0].os_cpu, last);
    EXPECT_EQ(machine->cpus_present, all->cpus_present);
  }).join();
}

TEST(Topology, ReadsSyntheticMachines) {
  const auto machine = topology_from_synthetic("package:2 [numa(memory=4GiB)] core:3 pu:2");
  ASSERT_TRUE(machine.has_value()) << machine.error().what;
  ASSERT_EQ(machine->nodes.size(), 2U);
  EXPECT_EQ(machine->nodes[1].memory_bytes, 4ULL << 30);
  EXPECT_FALSE(machine->nodes[1].free_bytes.has_value());
  ASSERT_EQ(machine->cores.size(), 6U);
  EXPECT_EQ(machine->cores[4].cpus, (std::vector<std::uint32_t>{8, 9}));
  EXPECT_EQ(machine->cores[4].node, 1U);
  EXPECT_EQ(machine->cores[4].package, 1U);
  EXPECT_EQ(machine->find_core_of_cpu(9), &machine->cores[4]);
  EXPECT_EQ(machine->find_core_of_cpu(12), nullptr);
  EXPECT_EQ(machine->find_node(2), nullptr);
}

TEST(Topology, SaysWhatIsWrongWithAnImpossibleMachine) {
  const auto nonsense = topology_from_synthetic("seven dwarfs");
  ASSERT_FALSE(nonsense.has_value());
  EXPECT_THAT(nonsense.error().what, HasSubstr("'seven dwarfs' is not a synthetic topology"));
  const auto missing = topology_from_xml("/nonexistent/machine.xml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().what, HasSubstr("/nonexistent/machine.xml"));
}

TEST(Topology, TextIsAFileWhereThereIsOne) {
  const std::string path = ::testing::TempDir() + "topology_test.xml";
  std::ofstream(path) << "this is no topology\n";
  const auto file = topology_from_text(path);
  ASSERT_FALSE(file.has_value());
  EXPECT_THAT(file.error().what, HasSubstr("is not a topology file"));
  EXPECT_EQ(topology_from_text("core:3 pu:1").value().cores.size(), 3U);
}

TEST(Topology, WritesCpuListsAsPeopleDo) {
  EXPECT_EQ(cpu_list_text({}), "none");
  EXPECT_EQ(cpu_list_text({7}), "7");
  EXPECT_EQ(cpu_list_text({0, 1}), "0-1");
  EXPECT_EQ(cpu_list_text({0, 2, 3, 4, 9, 11, 12}), "0,2-4,9,11-12");
}

}  // namespace
}  // namespace millrace
