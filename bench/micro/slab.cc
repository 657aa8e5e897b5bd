// Taking a chunk and giving it back: the same again and again, and in bulk so that pages come and go.

#include <benchmark/benchmark.h>

#include <sys/mman.h>

#include <cstdlib>
#include <vector>

#include "store/slab_allocator.h"

namespace {

using namespace millrace::store;

constexpr std::size_t kArenaBytes = 16 << 20;

struct World {
  World()
      : memory(static_cast<std::byte*>(
            mmap(nullptr, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0))),
        pool({memory, kArenaBytes}, kPageBytesMax),
        sizes(*SizeTable::create(48, 1.10)),
        slabs(pool, sizes) {
    pool.take(PageUse::Index);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() { munmap(memory, kArenaBytes); }

  ItemRef take(std::uint32_t id) {
    const ItemRef ref = slabs.allocate(id);
    return ref != ItemRef{} || !slabs.add_page(id) ? ref : slabs.allocate(id);
  }

  std::byte* memory;
  PagePool pool;
  SizeTable sizes;
  SlabAllocator slabs;
};

void pick_class(benchmark::State& state) {
  const SizeTable sizes = *SizeTable::create(48, 1.10);
  std::uint64_t bytes = 1;
  for (auto _ : state) {
    benchmark::DoNotOptimize(sizes.contiguous(bytes));
    bytes = (bytes * 7) & 4095;
  }
}
BENCHMARK(pick_class);

void take_and_free_one(benchmark::State& state) {
  World world;
  const auto id = world.sizes.smallest(static_cast<std::uint64_t>(state.range(0)));
  world.take(id);  // keeps the page
  for (auto _ : state) {
    const ItemRef ref = world.take(id);
    benchmark::DoNotOptimize(ref);
    world.slabs.free(ref);
  }
}
BENCHMARK(take_and_free_one)->Arg(80)->Arg(1000);

void take_and_free_many(benchmark::State& state) {
  World world;
  const auto id = world.sizes.smallest(static_cast<std::uint64_t>(state.range(0)));
  std::vector<ItemRef> refs(8000);
  for (auto _ : state) {
    for (ItemRef& ref : refs) {
      ref = world.take(id);
    }
    for (const ItemRef ref : refs) {
      world.slabs.free(ref);
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(refs.size()));
}
BENCHMARK(take_and_free_many)->Arg(80)->Arg(1000);

}  // namespace

BENCHMARK_MAIN();
