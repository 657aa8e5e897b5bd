// How many items a partition of a given size holds before it evicts the first, and what they cost beyond key and value.
// A count, not a timing: the figure is the same on every machine.
//   store_capacity [arena MiB, default 1024]
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "store/partition.h"

namespace {

using namespace millrace;
using namespace millrace::store;

constexpr std::uint32_t kKeyBytes = 30;

bool report(std::size_t arena_bytes, std::uint32_t value_bytes) {
  void* memory = mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return false;
  }
  auto made = Partition::create({.arena = {static_cast<std::byte*>(memory), arena_bytes}, .hash_seed = 1});
  if (!made) {
    std::fprintf(stderr, "%s\n", made.error().what.c_str());
    return false;
  }
  Partition& partition = **made;
  const std::string value(value_bytes, 'v');
  std::string key(kKeyBytes, 'k');
  for (std::uint64_t n = 0; partition.counters().evictions == 0; ++n) {
    std::snprintf(key.data() + kKeyBytes - 12, 13, "%012llu", static_cast<unsigned long long>(n));
    const Key k{key, hash_key(key, 1)};
    if (partition.store(k, value, {}, 1).outcome != Outcome::Stored) {
      return false;
    }
  }
  const auto items = static_cast<double>(partition.counters().curr_items);
  const MemoryStats memory_stats = partition.memory_stats();
  const double overhead = static_cast<double>(arena_bytes) / items - kKeyBytes - value_bytes;
  const double index =
      static_cast<double>((memory_stats.pages_index + memory_stats.pages_overflow) * memory_stats.page_bytes) / items;
  std::printf("%10u %12.0f %18.2f %14.2f %14.2f%s\n", value_bytes, items, overhead, index,
              static_cast<double>(memory_stats.table_bytes) / items,
              memory_stats.index_is_growing ? "  (growing)" : "");
  munmap(memory, arena_bytes);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t arena_bytes = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1024) << 20;
  std::printf("arena %zu MiB, keys of %u bytes\n", arena_bytes >> 20, kKeyBytes);
  std::printf("%10s %12s %18s %14s %14s\n", "value B", "items held", "B beyond k+v", "of it index B", "tables B/item");
  for (const std::uint32_t value_bytes : {8U, 32U, 100U, 300U, 1024U, 4096U, 20'000U}) {
    if (!report(arena_bytes, value_bytes)) {
      return 1;
    }
  }
  return 0;
}
