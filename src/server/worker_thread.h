// One worker's thread, from pinned core to drained connections, and what it owns on its node.
//
// Thread: the constructor and wait_* on the main thread, the rest on the worker's own. Ownership: arena, partition,
// transport and worker of one core; borrowed: mesh, shared state.
// Phases, because everyone's memory must be there before anyone listens, and all ends of the mesh before anyone turns:
//   prepare (pin, reserve, fault in, join the mesh)  ->  open (transport on listening sockets)  ->  run
#pragma once

#include <atomic>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/huge_memory.h"
#include "base/result.h"
#include "config/options.h"
#include "dataplane/api/transport.h"
#include "dataplane/nic/nic.h"
#include "mesh/mesh.h"
#include "server/topology_plan.h"
#include "store/partition.h"
#include "worker/shared_state.h"
#include "worker/worker.h"

namespace millrace::server {

/// The doors between the phases: all workers arrive, then the main thread opens.
struct Gates {
  explicit Gates(std::ptrdiff_t workers) : prepared(workers), opened(workers), ended(workers + 1) {}
  std::latch prepared;
  std::latch may_open{1};
  std::latch opened;
  std::latch may_run{1};
  std::latch ended;                 ///< by all workers and the main thread: nobody wakes anybody any more
  std::atomic<bool> is_off{false};  ///< something failed: leave at the next gate
};

/// The store gives memory back to the system through this.
class OwnedArena final : public store::ArenaOwner {
 public:
  explicit OwnedArena(HugeMemory& memory) : memory_(memory) {}
  bool give_back(std::span<std::byte> pages) noexcept override { return memory_.give_back(pages); }
  void take_again(std::span<std::byte> pages) noexcept override { memory_.take_again(pages); }

 private:
  HugeMemory& memory_;
};

class WorkerThread {
 public:
  WorkerThread(const config::Options& options, const WorkerPlacement& placement, mesh::Mesh& mesh,
               worker::SharedState& shared, Gates& gates);
  ~WorkerThread();
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;

  void start();
  void join();
  /// Listening sockets for this worker, and the card whose queue of its number it serves, if there is one: before
  /// may_open.
  void give_listeners(std::vector<int> listeners, nic::Nic* card) {
    listeners_ = std::move(listeners);
    card_ = card;
  }
  /// From prepared on.
  [[nodiscard]] const HugeMemory& arena() const { return *arena_; }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] const std::string& memory_text() const { return memory_text_; }

 private:
  void life();
  Result<void> prepare();
  Result<void> open();
  Result<std::unique_ptr<dataplane::Transport>> make_transport();

  const config::Options& options_;
  const WorkerPlacement placement_;
  mesh::Mesh& mesh_;
  worker::SharedState& shared_;
  Gates& gates_;

  SystemClock clock_;
  std::vector<int> listeners_;
  std::optional<HugeMemory> arena_;
  std::optional<OwnedArena> owned_arena_;
  std::unique_ptr<store::Partition> partition_;
  nic::Nic* card_ = nullptr;
  std::unique_ptr<nic::ThreadOfDpdk> in_dpdk_;
  std::unique_ptr<dataplane::Transport> transport_;
  std::unique_ptr<worker::Worker> worker_;
  std::optional<Error> error_;
  std::string memory_text_;
  std::thread thread_;
};

}  // namespace millrace::server
