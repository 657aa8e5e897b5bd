// What a get by datagram costs from frame to frame: stack, worker and store, over a port that is memory and does
// nothing. 64 frames a turn, all from one peer, all hits, answered in their own packets; the device sums nothing.
// range(0): items, so that the table fits the nearest caches or none; range(1): whether questions have a checksum.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "dataplane/stack/stack_transport.h"
#include "mesh/mesh.h"
#include "micro/filled_partition.h"
#include "micro/memory_port.h"
#include "protocol/udp_frame.h"
#include "worker/shared_state.h"
#include "worker/worker.h"

namespace millrace::bench {
namespace {

constexpr std::size_t kFrames = 1 << 16;
constexpr std::size_t kAnswerBytes = 14 + 20 + 8 + 8 + 6 + 30 + 11 + 64 + 2 + 5;

/// The transport and what is above it, whose peer is known to it.
struct Rig {
  Rig(FilledPartition& partition, std::uint64_t items, bool asks_with_sums) : port(false), mesh(1) {
    ip::HostAddresses addresses(kOurMac);
    MR_ASSERT(addresses.add(ip::HostAddress::v4(0x0a00'0001, 16)));
    transport = std::move(*stack::StackTransport::create(port, addresses, {.ports = {kServed}}));
    clock.advance(seconds(1));
    mesh.join(0);
    shared.hash_seed = kHashSeed;
    shared.udp_allow = {{.address = peer_of(0).bytes, .bits = 96}};
    shared.partitions = {&*partition};
    shared.wakers = {&transport->waker()};
    worker = std::make_unique<worker::Worker>(worker::WorkerParts{
        .id = 0, .partition = *partition, .transport = *transport, .mesh = mesh, .clock = clock, .shared = shared});
    const std::string miss = question("no such key", 0);
    for (const auto& frame : {arp_from(peer_of(0), wire::ArpOperation::Request),
                              question_from(peer_of(0), 40'000, miss, true),  // so that it asks
                              arp_from(peer_of(0), wire::ArpOperation::Reply)}) {
      port.add(frame);
      worker->turn(false);
      port.clear();
      worker->turn(false);
    }
    std::uint64_t state = 88172645463325252ULL;
    for (std::size_t i = 0; i < kFrames; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      port.add(question_from(peer_of(0), 40'000, question(partition.key(state % items).bytes, i), asks_with_sums));
    }
  }
  static std::string question(std::string_view key, std::size_t id) {
    const auto header = protocol::udp_header_bytes({.request_id = static_cast<std::uint16_t>(id)});
    return std::string(reinterpret_cast<const char*>(header.data()), header.size()) + "get " + std::string(key) +
           "\r\n";
  }

  MemoryPort port;
  mesh::Mesh mesh;
  ManualClock clock;  // a clock that goes would have the peer asked for, now and then
  worker::SharedState shared;
  std::unique_ptr<stack::StackTransport> transport;
  std::unique_ptr<worker::Worker> worker;
};

void gets(benchmark::State& state) {
  const auto items = static_cast<std::uint64_t>(state.range(0));
  FilledPartition partition((std::size_t{16} << 20) + items * 192, static_cast<std::uint32_t>(items),
                            {.key = 30, .value = 64, .flags = 12'345});
  Rig rig(partition, items, state.range(1) != 0);
  const std::uint64_t sent_before = rig.transport->stack().counters().datagrams_sent;
  const std::uint64_t bytes_before = rig.port.bytes_sent;
  for (auto _ : state) {
    rig.worker->turn(false);
  }
  const std::uint64_t sent = rig.transport->stack().counters().datagrams_sent - sent_before;
  state.SetItemsProcessed(static_cast<std::int64_t>(sent));
  // All answered, all hits, all whole.
  if (sent != state.iterations() * kBurst || rig.port.bytes_sent - bytes_before != sent * kAnswerBytes) {
    state.SkipWithError("an answer is not a hit");
  }
}
BENCHMARK(gets)->Args({1 << 10, 0})->Args({300'000, 0})->Args({10'000'000, 0})->Args({10'000'000, 1});

}  // namespace
}  // namespace millrace::bench

BENCHMARK_MAIN();
