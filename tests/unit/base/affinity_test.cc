// Threads go where they are put, or say why not.
#include "base/affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

#include "base/topology.h"

namespace millrace {
namespace {

TEST(Affinity, PutsTheThreadOnEachAllowedCpu) {
  const auto machine = read_machine();
  ASSERT_TRUE(machine.has_value());
  for (const std::uint32_t cpu : machine->cpus_allowed) {
    std::thread([cpu] {
      const auto pinned = pin_this_thread(cpu);
      EXPECT_TRUE(pinned.has_value()) << pinned.error().what;
      EXPECT_EQ(sched_getcpu(), static_cast<int>(cpu));
    }).join();
  }
}

TEST(Affinity, SaysWhichCpuIsNotThere) {
  std::thread([] {
    for (const std::uint32_t cpu : {4000U, 100'000U}) {
      const auto pinned = pin_this_thread(cpu);
      ASSERT_FALSE(pinned.has_value());
      EXPECT_THAT(pinned.error().what, ::testing::HasSubstr("CPU " + std::to_string(cpu)));
      EXPECT_THAT(pinned.error().what, ::testing::HasSubstr("--cores"));
    }
  }).join();
}

}  // namespace
}  // namespace millrace
