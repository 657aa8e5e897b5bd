// handover CORE CORE: how many 128-byte messages a second one core can hand to another through a lane of the mesh,
// published one by one and in batches. The ceiling of requests that cross cores. Prints one line of JSON.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

#include "base/affinity.h"
#include "bench/limits/arguments.h"
#include "mesh/slot_ring.h"

namespace millrace {
namespace {

constexpr std::uint32_t kSlotsPerMessage = 2;
constexpr std::uint64_t kMessages = 400'000;
constexpr int kRounds = 7;

void consume(mesh::SlotRing& ring, std::uint64_t messages) {
  while (messages > 0) {
    while (const std::byte* message = ring.front()) {
      mesh::MessagePrefix prefix;
      std::memcpy(&prefix, message, sizeof(prefix));
      ring.pop(prefix.slots);
      --messages;
    }
    ring.release();
  }
}

void produce(mesh::SlotRing& ring, std::uint64_t messages, std::uint32_t batch) {
  constexpr mesh::MessagePrefix kPrefix{.kind = 1, .detail = 0, .slots = kSlotsPerMessage};
  for (std::uint64_t sent = 0; sent < messages;) {
    for (std::uint32_t i = 0; i < batch && sent < messages; ++i) {
      std::byte* run = ring.reserve(kSlotsPerMessage);
      if (run == nullptr) {
        break;
      }
      std::memcpy(run, &kPrefix, sizeof(kPrefix));
      ring.commit(kSlotsPerMessage);
      ++sent;
    }
    ring.publish();
  }
}

double messages_per_s(mesh::SlotRing& ring, std::uint32_t consumer_core, std::uint32_t batch) {
  std::array<double, kRounds> rates{};
  for (double& rate : rates) {
    std::atomic<int> is_ready = 0;
    std::jthread consumer([&] {
      is_ready = pin_this_thread(consumer_core) ? 1 : -1;
      consume(ring, kMessages);
    });
    while (is_ready == 0) {
    }
    const auto begin = std::chrono::steady_clock::now();
    produce(ring, kMessages, batch);
    consumer.join();
    rate = kMessages / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (is_ready < 0) {
      return 0;
    }
  }
  std::ranges::sort(rates);
  return rates[kRounds / 2];
}

int run(std::uint32_t here, std::uint32_t there) {
  if (const auto pinned = pin_this_thread(here); !pinned) {
    fmt::print(stderr, "handover: {}\n", pinned.error().what);
    return 1;
  }
  mesh::SlotRing ring(8192);
  std::string text = fmt::format("{{\"cores\":[{},{}]", here, there);
  for (const std::uint32_t batch : {1U, 16U, 64U}) {
    const double rate = messages_per_s(ring, there, batch);
    if (rate == 0) {
      fmt::print(stderr, "handover: cannot run on core {}\n", there);
      return 1;
    }
    text += fmt::format(",\"batch_{}_per_s\":{:.0f}", batch, rate);
  }
  fmt::print("{}}}\n", text);
  return 0;
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  std::uint32_t here = 0;
  std::uint32_t there = 0;
  if (argc != 3 || !millrace::parse_number(argv[1], here) || !millrace::parse_number(argv[2], there) || here == there) {
    fmt::print(stderr, "usage: handover CORE CORE (two different cores of this machine)\n");
    return 2;
  }
  return millrace::run(here, there);
}
