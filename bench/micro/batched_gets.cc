// batched_gets [items, default 10,000,000]: look-ups a batch at a time, as a worker does them, beside what the memory
// of this machine gives: pairs of reads of which the second waits for the first, a batch at a time, all over as much
// memory. Every key is drawn anew, so a working set that is far beyond the caches stays there. Prints both and their
// ratio.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/attributes.h"
#include "micro/filled_partition.h"

namespace {

using namespace millrace;
using bench::FilledPartition;

constexpr std::size_t kBatch = 64;
constexpr std::size_t kKeys = std::size_t{1} << 18;
constexpr int kRounds = 9;

double ns_each(std::chrono::steady_clock::time_point since, std::size_t count) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - since).count() /
         static_cast<double>(count);
}

/// Lines all over so much memory, drawn beforehand, as keys are.
class Pairs {
 public:
  explicit Pairs(std::size_t bytes) : lines_(bytes / kCacheLineBytes) {
    memory_ = static_cast<std::byte*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED) {
      std::perror("mmap");
      std::exit(1);
    }
    madvise(memory_, bytes, MADV_HUGEPAGE);
    std::fill_n(memory_, bytes, std::byte{0});
  }

  double measure(std::mt19937_64& random) {
    std::array<std::uint64_t, kBatch> at{};
    std::vector<std::uint64_t> drawn(2 * kKeys);
    std::ranges::generate(drawn, [&] { return random() % lines_; });
    std::uint64_t sum = 0;
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t n = 0; n < kKeys; n += kBatch) {
      for (std::size_t i = 0; i < kBatch; ++i) {
        prefetch(line(drawn[n + i]));
      }
      for (std::size_t i = 0; i < kBatch; ++i) {
        at[i] = drawn[kKeys + n + i] + load(line(drawn[n + i]));  // all zero, which nobody knows beforehand
        prefetch(line(at[i]));
      }
      for (std::size_t i = 0; i < kBatch; ++i) {
        sum += load(line(at[i]));
      }
    }
    const double each = ns_each(begin, kKeys);
    return sum == 0 ? each : 0;
  }

 private:
  static std::uint64_t load(const std::byte* line) {
    return static_cast<std::uint64_t>(*static_cast<const volatile std::byte*>(line));
  }
  [[nodiscard]] const std::byte* line(std::uint64_t number) const { return memory_ + number * kCacheLineBytes; }

  std::size_t lines_;
  std::byte* memory_;
};

double measure_gets(FilledPartition& partition, std::uint64_t items, std::mt19937_64& random) {
  std::deque<std::string> bytes;
  std::vector<store::Key> keys;
  for (std::size_t n = 0; n < kKeys; ++n) {
    const store::Key key = partition.key(random() % items);
    keys.push_back({.bytes = bytes.emplace_back(key.bytes), .hash = key.hash});
  }
  std::size_t hits = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t n = 0; n < kKeys; n += kBatch) {
    partition->prefetch_all(std::span(keys).subspan(n, kBatch));
    for (std::size_t i = n; i < n + kBatch; ++i) {
      const store::Item* item = partition->get(keys[i], 1);
      hits += item != nullptr && item->value()[0] == 'v' ? 1 : 0;
    }
  }
  const double each = ns_each(begin, kKeys);
  if (hits != kKeys) {
    std::fprintf(stderr, "batched_gets: %zu of %zu keys were there\n", hits, kKeys);
    std::exit(1);
  }
  return each;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t items = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  if (items == 0 || items > 400'000'000) {
    std::fprintf(stderr, "usage: batched_gets [items]\n");
    return 2;
  }
  const std::size_t arena_bytes = ((items * 80 >> 20) + 8) << 20;
  FilledPartition partition(arena_bytes, static_cast<std::uint32_t>(items));
  Pairs pairs(arena_bytes);
  std::mt19937_64 random(1);
  std::vector<double> gets;
  std::vector<double> reads;
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {  // by turns: both see the same neighbours
    reads.push_back(pairs.measure(random));
    gets.push_back(measure_gets(partition, items, random));
    ratios.push_back(reads.back() / gets.back());
  }
  std::printf("%llu items in %zu MiB: %.1f ns a get in batches of %zu, %.1f ns a pair of dependent reads: ratio %.2f\n",
              static_cast<unsigned long long>(items), arena_bytes >> 20, median(gets), kBatch, median(reads),
              median(ratios));
  return 0;
}
