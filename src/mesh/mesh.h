// N x N lanes between the workers, and who sleeps.
//
// Thread: a worker touches only its own Port; a Port shares rings with its neighbours' Ports. The Mesh itself is built
// on the main thread; each worker makes its incoming rings on its own core (Mesh::join), so that they lie on its NUMA
// node. Ownership: the Mesh owns the rings and outlives the workers.
//
// Why nothing can deadlock: a worker takes in all answers every turn, whatever state it is in. It takes an ask only
// when there is room for the longest answer to it. So answers always move; therefore asks do; an ask that finds its
// ring full is refused, and the sender parks the connection that wanted it, never its core.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "mesh/message.h"
#include "mesh/slot_ring.h"

namespace millrace::mesh {

/// Both ways of one ordered pair: what `from` asks `to`, and what `from` answers to `to`'s asks.
struct Lane {
  explicit Lane(std::uint32_t slots) : asks(slots), answers(slots) {}
  SlotRing asks;
  SlotRing answers;
};

class Mesh {
 public:
  explicit Mesh(std::uint32_t workers);

  /// Makes the rings that lead to `self`, on its own thread. All workers have joined before any uses its Port.
  void join(WorkerId self);

  [[nodiscard]] std::uint32_t workers() const noexcept { return workers_; }
  [[nodiscard]] Lane& lane(WorkerId from, WorkerId to) noexcept { return *lanes_[from * workers_ + to]; }

  /// True while `worker` sleeps or is about to.
  [[nodiscard]] bool is_asleep(WorkerId worker) const noexcept {
    return sleepers_[worker].asleep.load(std::memory_order_seq_cst) != 0;
  }
  void set_asleep(WorkerId worker, bool asleep) noexcept {
    sleepers_[worker].asleep.store(asleep ? 1 : 0, std::memory_order_seq_cst);
  }

  /// Slots of each ring: shorter rings when there are more of them, so that a worker's share stays below 8 MiB.
  [[nodiscard]] static std::uint32_t slots_per_ring(std::uint32_t workers) noexcept;

 private:
  struct alignas(2 * kCacheLineBytes) Sleeper {
    std::atomic<std::uint32_t> asleep{0};
  };

  std::uint32_t workers_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Sleeper[]> sleepers_;
};

/// One worker's end of the mesh.
class Port {
 public:
  Port(Mesh& mesh, WorkerId self) : mesh_(&mesh), self_(self) {}

  [[nodiscard]] WorkerId self() const noexcept { return self_; }
  [[nodiscard]] std::uint32_t workers() const noexcept { return mesh_->workers(); }

  [[nodiscard]] SlotRing& asks_to(WorkerId to) noexcept { return mesh_->lane(self_, to).asks; }
  [[nodiscard]] SlotRing& answers_to(WorkerId to) noexcept { return mesh_->lane(self_, to).answers; }
  [[nodiscard]] SlotRing& asks_from(WorkerId from) noexcept { return mesh_->lane(from, self_).asks; }
  [[nodiscard]] SlotRing& answers_from(WorkerId from) noexcept { return mesh_->lane(from, self_).answers; }

  /// Shows neighbours what was committed since the last call; `wake(to)` is called for each that sleeps and got
  /// something.
  template <typename Wake>
  void publish(Wake&& wake) noexcept {
    for (WorkerId to = 0; to < workers(); ++to) {
      if (to == self_) {
        continue;
      }
      Lane& lane = mesh_->lane(self_, to);
      const bool has_news = lane.asks.has_unpublished() || lane.answers.has_unpublished();
      if (lane.asks.has_unpublished()) {
        lane.asks.publish();
      }
      if (lane.answers.has_unpublished()) {
        lane.answers.publish();
      }
      if (has_news && mesh_->is_asleep(to)) {
        wake(to);
      }
    }
  }

  /// Says that this worker is going to sleep; false (and not said) when something arrived in between.
  [[nodiscard]] bool try_fall_asleep() noexcept;
  void wake_up() noexcept { mesh_->set_asleep(self_, false); }

 private:
  Mesh* mesh_;
  WorkerId self_;
};

}  // namespace millrace::mesh
