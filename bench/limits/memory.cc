// memory CORE [MIB]: what this machine's memory gives one core: reads that depend on each other (one, and pairs as a
// bucket and then its item), pairs whose lines were asked for a batch at a time, and copies. The ceilings of any hash
// table as large as `MIB` (default 1024), in huge pages when the kernel gives them. Prints one line of JSON.
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/affinity.h"
#include "base/attributes.h"
#include "bench/limits/arguments.h"

namespace millrace {
namespace {

constexpr std::size_t kReads = 1U << 18;
constexpr std::size_t kBatch = 64;
constexpr std::size_t kCopyBytes = std::size_t{64} << 20;
constexpr int kRounds = 7;

/// splitmix64: where the next read goes, without a table that would take cache itself.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e37'79b9'7f4a'7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58'476d'1ce4'e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d0'49bb'1331'11ebULL;
  return x ^ (x >> 31);
}

template <typename Work>
double median_ns(std::size_t items, Work work) {
  std::array<double, kRounds> took{};
  for (double& one : took) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    one = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() /
          static_cast<double>(items);
  }
  std::ranges::sort(took);
  return took[kRounds / 2];
}

class Arena {
 public:
  explicit Arena(std::size_t bytes) : lines_(bytes / kCacheLineBytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
      madvise(memory, bytes, MADV_HUGEPAGE);
      memory_ = static_cast<std::byte*>(memory);
      std::memset(memory_, 0, bytes);
    }
  }
  [[nodiscard]] bool is_there() const { return memory_ != nullptr; }
  [[nodiscard]] std::byte* line(std::uint64_t random) const { return memory_ + random % lines_ * kCacheLineBytes; }
  [[nodiscard]] std::byte* start() const { return memory_; }

 private:
  std::byte* memory_ = nullptr;
  std::size_t lines_;
};

/// All lines hold 0, but neither compiler nor processor knows, so each read waits for the one before.
std::uint64_t load(const std::byte* line) {
  return static_cast<std::uint64_t>(*static_cast<const volatile std::byte*>(line));
}

double dependent_reads_ns(const Arena& arena, std::uint64_t seed) {
  return median_ns(kReads, [&] {
    std::uint64_t at = seed++;
    for (std::size_t i = 0; i < kReads; ++i) {
      at = mixed(at + load(arena.line(at)));
    }
  });
}

/// As a table that looks a batch up in stages: ask for all buckets, then for all items, then read.
double batched_pairs_ns(const Arena& arena, std::uint64_t seed) {
  std::array<std::uint64_t, kBatch> keys{};
  return median_ns(kReads, [&] {
    for (std::size_t done = 0; done < kReads; done += kBatch) {
      for (std::uint64_t& key : keys) {
        key = mixed(seed++);
        prefetch(arena.line(key));
      }
      for (std::uint64_t& key : keys) {
        key = mixed(key + load(arena.line(key)));
        prefetch(arena.line(key));
      }
      for (const std::uint64_t key : keys) {
        seed += load(arena.line(key));
      }
    }
  });
}

double copy_bytes_per_ns(const Arena& arena) {
  const double ns_per_byte =
      median_ns(kCopyBytes, [&] { std::memcpy(arena.start() + kCopyBytes, arena.start(), kCopyBytes); });
  return 1.0 / ns_per_byte;
}

int run(std::uint32_t core, std::size_t mib) {
  if (const auto pinned = pin_this_thread(core); !pinned) {
    fmt::print(stderr, "memory: {}\n", pinned.error().what);
    return 1;
  }
  const Arena arena(mib << 20);
  if (!arena.is_there()) {
    fmt::print(stderr, "memory: {} MiB are not to be had\n", mib);
    return 1;
  }
  const double read_ns = dependent_reads_ns(arena, 1);
  const double batched_ns = batched_pairs_ns(arena, 1);
  fmt::print(
      "{{\"mib\":{},\"dependent_read_ns\":{:.1f},\"dependent_pairs_per_s\":{:.0f},\"batched_pair_ns\":{:.1f},"
      "\"batched_pairs_per_s\":{:.0f},\"copy_gb_per_s\":{:.2f}}}\n",
      mib, read_ns, 1e9 / (2 * read_ns), batched_ns, 1e9 / batched_ns, copy_bytes_per_ns(arena));
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  std::uint32_t core = 0;
  std::size_t mib = 1024;
  if (argc < 2 || argc > 3 || !millrace::parse_number(argv[1], core) ||
      (argc > 2 && !millrace::parse_number(argv[2], mib)) || mib < 128) {
    fmt::print(stderr, "usage: memory CORE [MIB, at least 128]\n");
    return 2;
  }
  return millrace::run(core, mib);
}
