// What a key's hash costs by the key's length, and what picking partition, tag and bucket from it adds.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>

#include "base/key_hash.h"

namespace {

using namespace millrace;

void key_hash(benchmark::State& state) {
  const std::string key(static_cast<std::size_t>(state.range(0)), 'k');
  const char* bytes = key.data();
  for (auto _ : state) {
    benchmark::DoNotOptimize(bytes);
    benchmark::DoNotOptimize(hash_key({bytes, key.size()}, 42).bits);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(key_hash)->Arg(8)->Arg(16)->Arg(30)->Arg(64)->Arg(128)->Arg(250);

void pick_partition_tag_and_position(benchmark::State& state) {
  KeyHash hash{0x0123'4567'89ab'cdef};
  std::uint32_t partitions = 6;
  for (auto _ : state) {
    benchmark::DoNotOptimize(hash);
    benchmark::DoNotOptimize(partitions);
    benchmark::DoNotOptimize(hash.partition(partitions));
    benchmark::DoNotOptimize(hash.tag());
    benchmark::DoNotOptimize(hash.position());
  }
}
BENCHMARK(pick_partition_tag_and_position);

}  // namespace

BENCHMARK_MAIN();
