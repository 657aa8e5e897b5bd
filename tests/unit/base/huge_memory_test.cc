// Memory in huge pages: what was promised is there, what was said is true, and nothing is left behind.
#include "base/huge_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/sanitizer.h"

namespace millrace {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr char kPoolPath[] = "/proc/sys/vm/nr_hugepages";

std::uint64_t read_number(const std::string& path) {
  std::ifstream in(path);
  std::uint64_t number = 0;
  in >> number;
  return number;
}

/// Sets explicit huge pages aside for one test and puts the pool back.
class Pool {
 public:
  explicit Pool(std::uint64_t pages) : before_(read_number(kPoolPath)) { set(before_ + pages); }
  ~Pool() { set(before_); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  [[nodiscard]] static std::uint64_t free() {
    return read_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  }

 private:
  static void set(std::uint64_t pages) { std::ofstream(kPoolPath) << pages << std::flush; }
  std::uint64_t before_;
};

/// How many mappings begin in the region's neighbourhood; for "nothing is left behind".
bool is_mapped(const std::byte* at) {
  unsigned char resident = 0;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<std::uintptr_t>(at) / page * page;
  return mincore(reinterpret_cast<void*>(address), page, &resident) == 0;
}

HugeMemory reserve(const HugeMemoryRequest& request) {
  auto memory = HugeMemory::reserve(request);
  EXPECT_TRUE(memory.has_value()) << memory.error().what;
  return std::move(*memory);
}

TEST(HugeMemory, GivesExactlyWhatWasAskedForAlignedAndZero) {
  for (const std::uint64_t bytes : {std::uint64_t{1}, 64 * kMiB / 1024, 2 * kMiB, 2 * kMiB + 64 * 1024, 9 * kMiB}) {
    HugeMemory memory = reserve({.bytes = bytes, .node = 0, .explicit_pages = ExplicitPages::No});
    ASSERT_TRUE(memory.fault_in().has_value());
    ASSERT_EQ(memory.bytes().size(), bytes);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.bytes().data()) % (2 * kMiB), 0U);
    EXPECT_TRUE(std::ranges::all_of(memory.bytes(), [](std::byte b) { return b == std::byte{0}; }));
    memory.bytes().back() = std::byte{1};
    EXPECT_GE(memory.measure().resident_bytes, bytes);
  }
}

TEST(HugeMemory, IsNotResidentBeforeItIsFaultedIn) {
  HugeMemory memory = reserve({.bytes = 8 * kMiB, .node = {}, .explicit_pages = ExplicitPages::No});
  EXPECT_EQ(memory.measure().resident_bytes, 0U);
  EXPECT_THAT(memory.text(), HasSubstr("0 B of it resident"));
  ASSERT_TRUE(memory.fault_in().has_value());
  EXPECT_EQ(memory.measure().resident_bytes, 8 * kMiB);
  EXPECT_THAT(memory.text(), AllOf(HasSubstr("8.0 MiB in "), ::testing::Not(HasSubstr("resident"))));
}

TEST(HugeMemory, WhatIsBeyondTheStartComesWhenItIsTaken) {
  HugeMemory memory =
      reserve({.bytes = 32 * kMiB, .bytes_at_start = 8 * kMiB, .node = {}, .explicit_pages = ExplicitPages::No});
  ASSERT_TRUE(memory.fault_in().has_value());
  EXPECT_EQ(memory.bytes().size(), 32 * kMiB);
  EXPECT_EQ(memory.measure().resident_bytes, 8 * kMiB);
  EXPECT_THAT(memory.text(), HasSubstr("8.0 MiB of it resident"));
  memory.take_again(memory.bytes().subspan(8 * kMiB, 16 * kMiB));
  EXPECT_EQ(memory.measure().resident_bytes, 24 * kMiB);
  memory.bytes()[24 * kMiB - 1] = std::byte{1};
  ASSERT_TRUE(memory.give_back(memory.bytes().subspan(4 * kMiB, 20 * kMiB)));
  EXPECT_EQ(memory.measure().resident_bytes, 4 * kMiB);
  memory.take_again(memory.bytes().subspan(4 * kMiB, 4 * kMiB));
  EXPECT_EQ(memory.measure().resident_bytes, 8 * kMiB);
  EXPECT_EQ(memory.bytes()[4 * kMiB], std::byte{0});
}

TEST(HugeMemory, TextAgreesWithTheKernel) {
  HugeMemory memory = reserve({.bytes = 16 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
  ASSERT_TRUE(memory.fault_in().has_value());
  const HugeMemoryFacts facts = memory.measure();
  EXPECT_EQ(facts.explicit_bytes, 0U);
  EXPECT_LE(facts.transparent_bytes, 16 * kMiB);
  EXPECT_EQ(memory.text().find("transparent huge pages") != std::string::npos, facts.transparent_bytes > 0);
  EXPECT_EQ(memory.text().find("normal pages") != std::string::npos, facts.transparent_bytes == 0);
  if (memory.notes().empty()) {
    EXPECT_EQ(facts.pages_elsewhere, 0U) << "bound to node 0";
    EXPECT_THAT(memory.text(), HasSubstr("on node 0"));
  } else {
    EXPECT_THAT(memory.notes().front(), HasSubstr("could not be bound"));
  }
}

TEST(HugeMemory, MeasuresItsOwnPagesOnly) {
  HugeMemory first = reserve({.bytes = 4 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
  HugeMemory second = reserve({.bytes = 6 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
  ASSERT_TRUE(second.fault_in().has_value());
  EXPECT_EQ(first.measure().resident_bytes, 0U);
  EXPECT_EQ(second.measure().resident_bytes, 6 * kMiB);
}

TEST(HugeMemory, MovesAndEndsOnce) {
  HugeMemory memory = reserve({.bytes = 4 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
  std::byte* start = memory.bytes().data();
  {
    HugeMemory moved = std::move(memory);
    EXPECT_EQ(moved.bytes().data(), start);
    HugeMemory other = reserve({.bytes = 2 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
    const std::byte* gone = other.bytes().data();
    other = std::move(moved);
    EXPECT_EQ(other.bytes().data(), start);
    EXPECT_FALSE(is_mapped(gone));
    EXPECT_TRUE(is_mapped(start));
  }
  EXPECT_FALSE(is_mapped(start));
}

TEST(HugeMemoryDeathTest, RunningOverEitherEndIsAFault) {
  HugeMemory memory = reserve({.bytes = 2 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No});
  ASSERT_TRUE(memory.fault_in().has_value());
  volatile std::byte* start = memory.bytes().data();
  EXPECT_DEATH(start[2 * kMiB] = std::byte{1}, "");
  EXPECT_DEATH(*(start - 1) = std::byte{1}, "");
}

TEST(HugeMemory, RefusesNothingAndTooMuch) {
  EXPECT_FALSE(HugeMemory::reserve({.bytes = 0}).has_value());
  const auto absurd = HugeMemory::reserve({.bytes = 1ULL << 55, .node = {}, .explicit_pages = ExplicitPages::No});
  ASSERT_FALSE(absurd.has_value());
  EXPECT_THAT(absurd.error().what, HasSubstr("smaller -m"));
}

TEST(HugeMemory, RefusesMoreThanTheNodeHasBeforeTouchingIt) {
  // Reserving addresses is cheap, so 4 TiB is not refused for being large but for not being there.
  const auto memory = HugeMemory::reserve({.bytes = 4ULL << 40, .node = 0, .explicit_pages = ExplicitPages::No});
  if (memory.has_value() && !memory->notes().empty()) {
    GTEST_SKIP() << memory->notes().front();
  }
  ASSERT_FALSE(memory.has_value());
  EXPECT_THAT(memory.error().what, AnyOf(HasSubstr("node 0 has"), HasSubstr("addresses"), HasSubstr("memory")));
}

TEST(HugeMemory, RefusesANodeThatIsNotThere) {
  const auto memory = HugeMemory::reserve({.bytes = 2 * kMiB, .node = 900, .explicit_pages = ExplicitPages::No});
  if (memory.has_value()) {
    GTEST_SKIP() << "this kernel does not let us bind: " << memory->notes().at(0);
  }
  EXPECT_THAT(memory.error().what, HasSubstr("node 900"));
}

TEST(HugeMemory, RequiredExplicitPagesAreThereOrRefused) {
  const std::uint64_t too_many = Pool::free() + 1;
  const auto memory =
      HugeMemory::reserve({.bytes = too_many * 2 * kMiB, .node = 0, .explicit_pages = ExplicitPages::Required});
  ASSERT_FALSE(memory.has_value());
  EXPECT_THAT(memory.error().what, AllOf(HasSubstr("explicit huge pages of 2 MiB"), HasSubstr("vm.nr_hugepages")));
  // Wished for only, they are done without.
  HugeMemory other = reserve({.bytes = too_many * 2 * kMiB, .node = 0, .explicit_pages = ExplicitPages::IfThere});
  EXPECT_FALSE(other.is_explicit());
}

TEST(HugeMemory, TakesExplicitPagesAndGivesThemBack) {
  const Pool pool(8);
  const std::uint64_t free = Pool::free();
  if (free < 5) {
    GTEST_SKIP() << "no explicit huge pages could be set aside (needs root, a writable " << kPoolPath
                 << " and memory that is not in pieces)";
  }
  {
    HugeMemory memory = reserve({.bytes = 8 * kMiB + 64 * 1024, .node = 0, .explicit_pages = ExplicitPages::Required});
    EXPECT_TRUE(memory.is_explicit());
    EXPECT_EQ(Pool::free(), free - 5) << "populated at once";
    ASSERT_TRUE(memory.fault_in().has_value());
    EXPECT_EQ(memory.measure().explicit_bytes, 10 * kMiB);
    EXPECT_EQ(memory.text(), "8.1 MiB in explicit huge pages on node 0");
    memory.bytes().back() = std::byte{1};
  }
  EXPECT_EQ(Pool::free(), free);
  // Two at once never promise the same pages.
  std::vector<std::thread> threads;
  std::vector<int> got(2, -1);
  for (std::size_t i = 0; i < 2; ++i) {
    threads.emplace_back([&got, i, free] {
      auto memory =
          HugeMemory::reserve({.bytes = (free - 1) * 2 * kMiB, .node = 0, .explicit_pages = ExplicitPages::IfThere});
      got[i] = memory && memory->fault_in() && memory->measure().resident_bytes >= (free - 1) * 2 * kMiB;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(got, (std::vector<int>{1, 1}));
}

TEST(HugeMemory, LocksOrSaysWhatTheLimitIs) {
  if (kHasSanitizer) {
    GTEST_SKIP() << "a sanitizer makes mlock a word without meaning";
  }
  HugeMemory memory = reserve({.bytes = 4 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No, .locks = true});
  const auto locked = memory.fault_in();
  if (locked) {
    EXPECT_EQ(memory.measure().locked_bytes, 4 * kMiB);
    EXPECT_THAT(memory.text(), HasSubstr("locked"));
  } else {
    EXPECT_THAT(locked.error().what, AllOf(HasSubstr("-k"), HasSubstr("LimitMEMLOCK")));
  }
}

TEST(HugeMemory, LockingBeyondTheLimitIsRefusedWithTheLimit) {
  if (kHasSanitizer) {
    GTEST_SKIP() << "a sanitizer makes mlock a word without meaning";
  }
  if (getuid() != 0) {
    GTEST_SKIP() << "needs root, to become somebody with a low limit";
  }
  // In a child, as neither the limit nor the user can be put back.
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit low{.rlim_cur = 64 * 1024, .rlim_max = 64 * 1024};
    if (setrlimit(RLIMIT_MEMLOCK, &low) != 0 || setuid(65534) != 0) {
      _exit(2);
    }
    auto memory =
        HugeMemory::reserve({.bytes = 4 * kMiB, .node = 0, .explicit_pages = ExplicitPages::No, .locks = true});
    const auto locked = memory->fault_in();
    _exit(!locked && locked.error().what.find("the limit is 64.0 KiB") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace millrace
