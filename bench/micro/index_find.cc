// The tag compare in both versions, and a look-up from hash to item: hits and misses, one by one and in batches whose
// buckets and items are asked for beforehand. Few items lie in the caches, a million do not.

#include <benchmark/benchmark.h>

#include <array>
#include <deque>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "micro/filled_partition.h"
#include "store/index_probe.h"

namespace {

using namespace millrace;
using bench::FilledPartition;

constexpr std::uint32_t kBatch = 64;

template <auto kMatch>
void probe(benchmark::State& state) {
  std::vector<store::Bucket> buckets(256);
  std::mt19937_64 random(1);
  for (store::Bucket& bucket : buckets) {
    for (std::uint8_t& tag : bucket.tags) {
      tag = static_cast<std::uint8_t>(random());
    }
  }
  std::uint32_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(kMatch(buckets[at & 255], static_cast<std::uint8_t>(at)));
    ++at;
  }
}
BENCHMARK(probe<store::match_portable>)->Name("probe_portable");
#ifdef __SSE2__
BENCHMARK(probe<store::match_sse2>)->Name("probe_sse2");
#endif

/// One partition for each number of items, made when first asked for.
FilledPartition& partition_of(std::int64_t items) {
  if (items <= 10'000) {
    static FilledPartition small(4 << 20, 10'000);
    return small;
  }
  static FilledPartition large(256 << 20, 1'000'000);
  return large;
}

/// Keys in random order: as many as it takes that none is still in the caches when it comes again.
struct Keys {
  Keys(FilledPartition& partition, std::int64_t items, bool are_there) {
    std::mt19937_64 random(2);
    for (std::uint32_t n = 0; n < 1 << 18; ++n) {
      const std::uint64_t number = random() % static_cast<std::uint64_t>(items) + (are_there ? 0 : 1'000'000'000);
      const store::Key key = partition.key(number);
      keys.push_back({.bytes = bytes.emplace_back(key.bytes), .hash = key.hash});
    }
  }
  [[nodiscard]] store::Key at(std::size_t n) const { return keys[n % keys.size()]; }
  /// `n` is a multiple of kBatch.
  [[nodiscard]] std::span<const store::Key> batch_at(std::size_t n) const {
    return std::span(keys).subspan(n % keys.size(), kBatch);
  }
  std::deque<std::string> bytes;
  std::vector<store::Key> keys;
};

void find(benchmark::State& state, bool are_there) {
  FilledPartition& partition = partition_of(state.range(0));
  const Keys keys(partition, state.range(0), are_there);
  std::size_t n = 0;
  std::int64_t hits = 0;
  for (auto _ : state) {
    const store::Item* item = partition->get(keys.at(n++), 1);
    hits += item != nullptr && item->value()[0] == 'v' ? 1 : 0;
  }
  if (hits != (are_there ? state.iterations() : 0)) {
    state.SkipWithError("not the hits there should be");
  }
}
void find_hit(benchmark::State& state) { find(state, true); }
void find_miss(benchmark::State& state) { find(state, false); }
BENCHMARK(find_hit)->Arg(10'000)->Arg(1'000'000);
BENCHMARK(find_miss)->Arg(10'000)->Arg(1'000'000);

/// As a worker does it: range(1) says whether what a batch will read is asked for beforehand.
void find_hit_in_batches(benchmark::State& state) {
  FilledPartition& partition = partition_of(state.range(0));
  const Keys keys(partition, state.range(0), true);
  std::size_t n = 0;
  for (auto _ : state) {
    if (state.range(1) != 0) {
      partition->prefetch_all(keys.batch_at(n));
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      const store::Item* item = partition->get(keys.at(n + i), 1);
      if (item == nullptr || item->value()[0] != 'v') {
        state.SkipWithError("a miss");
        return;
      }
    }
    n += kBatch;
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}
BENCHMARK(find_hit_in_batches)->ArgNames({"items", "asked"})->ArgsProduct({{10'000, 1'000'000}, {0, 1}});

void insert_and_erase(benchmark::State& state) {
  FilledPartition& partition = partition_of(state.range(0));
  std::uint64_t n = 2'000'000'000;
  for (auto _ : state) {
    partition.set(n);
    benchmark::DoNotOptimize(partition->remove(partition.key(n), 1));
    ++n;
  }
}
BENCHMARK(insert_and_erase)->Arg(10'000)->Arg(1'000'000);

}  // namespace

BENCHMARK_MAIN();
