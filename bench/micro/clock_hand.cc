// What storing a new item costs when the partition is full: the hand finds a victim, which goes, and the item takes its
// place. With hits the hand passes each item as many times before it goes.

#include <benchmark/benchmark.h>

#include "micro/filled_partition.h"

namespace {

using namespace millrace;
using bench::FilledPartition;

/// Stores new keys into a full partition and asks for each `hits` times.
void store_into_full(benchmark::State& state) {
  const auto arena_bytes = static_cast<std::size_t>(state.range(0)) << 20;
  const std::uint64_t hits = static_cast<std::uint64_t>(state.range(1));
  FilledPartition partition(arena_bytes, 0);
  std::uint64_t n = 0;
  const auto turn = [&] {
    const bool is_stored = partition.set(n);
    for (std::uint64_t hit = 0; hit < hits; ++hit) {
      partition->get(partition.key(n), 1);
    }
    ++n;
    return is_stored;
  };
  do {
    turn();
  } while (partition->counters().evictions < partition->counters().curr_items);  // the hand has been round once
  const std::uint64_t evictions = partition->counters().evictions;
  for (auto _ : state) {
    if (!turn()) {
      state.SkipWithError("not stored");
      return;
    }
  }
  state.counters["evictions"] =
      static_cast<double>(partition->counters().evictions - evictions) / static_cast<double>(state.iterations());
}
BENCHMARK(store_into_full)->ArgNames({"MiB", "hits"})->ArgsProduct({{2, 16}, {0, 1, 3}});

/// The same, into the place of an item that is dead.
void store_over_expired(benchmark::State& state) {
  FilledPartition partition(2 << 20, 0);
  const std::string value(bench::kValueBytes, 'v');
  std::uint64_t n = 0;
  store::Seconds now = 1;
  const auto turn = [&] {
    ++now;
    return partition->store(partition.key(n++), value, {.expires_at = now + 1}, now).outcome;
  };
  for (std::uint64_t stored = 0; stored < 100'000; ++stored) {
    turn();
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(turn());
  }
  if (partition->counters().evictions != 0) {
    state.SkipWithError("something living was evicted");
  }
}
BENCHMARK(store_over_expired);

}  // namespace

BENCHMARK_MAIN();
