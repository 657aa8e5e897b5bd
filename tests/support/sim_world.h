// Several workers, the mesh between them and their clients, in one thread: one seed decides who moves next, how bytes
// are cut, which client vanishes. The workers are the shipped ones; only transport, clock and threads are not there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/clock.h"
#include "mesh/mesh.h"
#include "store/partition.h"
#include "support/sim_transport.h"
#include "worker/shared_state.h"
#include "worker/worker.h"

namespace millrace::tests {

struct SimOptions {
  std::uint64_t seed = 1;
  std::uint32_t workers = 3;
  std::size_t arena_bytes = std::size_t{16} << 20;
  std::uint32_t item_bytes_max = 1 << 20;
  std::uint32_t connections_max = 64;
  std::uint32_t datagram_lend_bytes_min = 0;
  std::vector<dataplane::IpPrefix> udp_allow{{.address = {}, .bits = 0}};  ///< every IPv6 address
  std::vector<worker::ListenerPolicy> policies{};
};

class SimWorld {
 public:
  explicit SimWorld(const SimOptions& options) : random_(options.seed), mesh_(options.workers) {
    shared_.hash_seed = options.seed | 1;
    shared_.connections_max = options.connections_max;
    shared_.item_bytes_max = options.item_bytes_max;
    shared_.udp_allow = options.udp_allow;
    shared_.policies = options.policies;
    for (WorkerId id = 0; id < options.workers; ++id) {
      cores_.push_back(std::make_unique<Core>(options, id));
      mesh_.join(id);
      shared_.partitions.push_back(cores_[id]->partition.get());
      shared_.wakers.push_back(&cores_[id]->transport.waker());
    }
    for (WorkerId id = 0; id < options.workers; ++id) {
      cores_[id]->worker = std::make_unique<worker::Worker>(worker::WorkerParts{.id = id,
                                                                                .partition = *cores_[id]->partition,
                                                                                .transport = cores_[id]->transport,
                                                                                .mesh = mesh_,
                                                                                .clock = clock_,
                                                                                .shared = shared_});
    }
  }

  SimClient& open(WorkerId at) { return cores_[at]->transport.open(); }

  /// One worker, chosen by the seed, takes a turn.
  void step() {
    clock_.advance(microseconds(static_cast<std::int64_t>(random_() % 200)));
    cores_[random_() % cores_.size()]->worker->turn(false);
  }
  void run(std::uint64_t steps) {
    for (std::uint64_t i = 0; i < steps; ++i) {
      step();
    }
  }

  std::mt19937_64& random() { return random_; }
  ManualClock& clock() { return clock_; }
  SimTransport& transport(WorkerId id) { return cores_[id]->transport; }
  worker::Worker& worker(WorkerId id) { return *cores_[id]->worker; }
  [[nodiscard]] std::uint32_t workers() const { return static_cast<std::uint32_t>(cores_.size()); }

 private:
  struct FreeArena {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  struct Core {
    Core(const SimOptions& options, WorkerId id)
        : memory(static_cast<std::byte*>(std::aligned_alloc(65536, options.arena_bytes))),
          transport(options.seed * 1000 + id, options.connections_max, options.datagram_lend_bytes_min) {
      auto made = store::Partition::create({.arena = {memory.get(), options.arena_bytes},
                                            .item_bytes_max = options.item_bytes_max,
                                            .hash_seed = options.seed | 1});
      if (!made) {
        throw std::runtime_error(made.error().what);
      }
      partition = std::move(*made);
    }
    std::unique_ptr<std::byte, FreeArena> memory;
    std::unique_ptr<store::Partition> partition;
    SimTransport transport;
    std::unique_ptr<worker::Worker> worker;
  };

  std::mt19937_64 random_;
  ManualClock clock_;
  mesh::Mesh mesh_;
  worker::SharedState shared_;
  std::vector<std::unique_ptr<Core>> cores_;
};

}  // namespace millrace::tests
