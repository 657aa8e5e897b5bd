// c2c CORE CORE: how long a cache line takes between two cores, there and back. A ceiling for anything that talks
// across cores, and the distance between a server's core and its generator's: on virtual machines it changes from one
// hour to the next, and with it every other figure. Prints one line of JSON: the median, least and most of nine
// batches, in ns.
//
// Two threads, each bound to a core; one line holds one counter, which each side moves on by one in turn.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "base/affinity.h"
#include "base/attributes.h"
#include "bench/limits/arguments.h"

namespace millrace {
namespace {

constexpr std::size_t kBatches = 9;
constexpr std::uint64_t kTripsPerBatch = 20'000;

struct alignas(2 * kCacheLineBytes) Line {
  std::atomic<std::uint64_t> turn = 0;
};

void await(const std::atomic<std::uint64_t>& turn, std::uint64_t wanted) {
  while (turn.load(std::memory_order_acquire) != wanted) {
    __builtin_ia32_pause();
  }
}

void answer(Line& line, std::uint64_t trips) {
  for (std::uint64_t i = 0; i < trips; ++i) {
    await(line.turn, 2 * i + 1);
    line.turn.store(2 * i + 2, std::memory_order_release);
  }
}

double batch(Line& line, std::uint64_t first) {
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = first; i < first + kTripsPerBatch; ++i) {
    line.turn.store(2 * i + 1, std::memory_order_release);
    await(line.turn, 2 * i + 2);
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
  return took.count() / kTripsPerBatch;
}

int run(std::uint32_t here, std::uint32_t there) {
  Line line;
  std::atomic<int> is_ready = 0;  // 1: bound; -1: could not be
  std::string trouble;
  std::jthread other([&] {
    if (const auto pinned = pin_this_thread(there); !pinned) {
      trouble = pinned.error().what;
      is_ready = -1;
      is_ready.notify_one();
      return;
    }
    is_ready = 1;
    is_ready.notify_one();
    answer(line, (kBatches + 1) * kTripsPerBatch);
  });
  is_ready.wait(0);
  if (is_ready == 1) {
    if (const auto pinned = pin_this_thread(here); !pinned) {
      fmt::print(stderr, "c2c: {}\n", pinned.error().what);
      std::_Exit(1);  // the other thread waits for ever
    }
  } else {
    fmt::print(stderr, "c2c: {}\n", trouble);
    return 1;
  }
  batch(line, 0);  // warms up
  std::array<double, kBatches> trips{};
  for (std::size_t i = 0; i < kBatches; ++i) {
    trips[i] = batch(line, (i + 1) * kTripsPerBatch);
  }
  std::ranges::sort(trips);
  fmt::print("{{\"cores\":[{},{}],\"round_trip_ns\":{:.1f},\"least_ns\":{:.1f},\"most_ns\":{:.1f}}}\n", here, there,
             trips[kBatches / 2], trips.front(), trips.back());
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  std::uint32_t here = 0;
  std::uint32_t there = 0;
  if (argc != 3 || !millrace::parse_number(argv[1], here) || !millrace::parse_number(argv[2], there) || here == there) {
    fmt::print(stderr, "usage: c2c CORE CORE (two different cores of this machine)\n");
    return 2;
  }
  return millrace::run(here, there);
}
