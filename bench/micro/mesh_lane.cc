// What a message between cores costs: producer and consumer on one thread (instructions), and on two (the lines'
// journey).

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "mesh/message.h"
#include "mesh/slot_ring.h"

namespace {

using millrace::mesh::kSlotBytes;
using millrace::mesh::MessagePrefix;
using millrace::mesh::SlotRing;

bool push(SlotRing& ring, std::uint32_t slots) {
  std::byte* run = ring.reserve(slots);
  if (run == nullptr) {
    return false;
  }
  const MessagePrefix prefix{.kind = 1, .slots = static_cast<std::uint16_t>(slots)};
  std::memcpy(run, &prefix, sizeof(prefix));
  ring.commit(slots);
  return true;
}

std::uint32_t drain(SlotRing& ring) {
  std::uint32_t count = 0;
  while (const std::byte* message = ring.front()) {
    MessagePrefix prefix;
    std::memcpy(&prefix, message, sizeof(prefix));
    ring.pop(prefix.slots);
    ++count;
  }
  ring.release();
  return count;
}

// Arguments: messages a batch, slots a message.
void lane_one_thread(benchmark::State& state) {
  SlotRing ring(8192);
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  const auto slots = static_cast<std::uint32_t>(state.range(1));
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      benchmark::DoNotOptimize(push(ring, slots));
    }
    ring.publish();
    benchmark::DoNotOptimize(drain(ring));
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(lane_one_thread)->Args({1, 2})->Args({16, 2})->Args({64, 2})->Args({64, 20});

void lane_two_threads(benchmark::State& state) {
  SlotRing ring(8192);
  std::atomic<bool> stops{false};
  std::thread consumer([&] {
    while (!stops.load(std::memory_order_relaxed)) {
      drain(ring);
    }
  });
  const auto batch = static_cast<std::uint32_t>(state.range(0));
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < batch; ++i) {
      while (!push(ring, 2)) {
        ring.publish();
      }
    }
    ring.publish();
  }
  stops = true;
  consumer.join();
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(lane_two_threads)->Arg(1)->Arg(16)->Arg(64)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
