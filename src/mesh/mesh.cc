#include "mesh/mesh.h"

#include <algorithm>
#include <bit>

namespace millrace::mesh {
namespace {

constexpr std::uint32_t kSlotsPerWorkerMax = 65536;  // 4 MiB for asks and as much for answers
constexpr std::uint32_t kSlotsPerRingMin = 256;      // ten of the longest messages
constexpr std::uint32_t kSlotsPerRingMax = 8192;
static_assert(kSlotsPerRingMin / 4 >= kAskSlotsMax && kSlotsPerRingMin / 4 >= kAnswerSlotsMax);

}  // namespace

Mesh::Mesh(std::uint32_t workers)
    : workers_(workers), lanes_(std::size_t{workers} * workers), sleepers_(std::make_unique<Sleeper[]>(workers)) {
  MR_ASSERT(workers > 0);
}

std::uint32_t Mesh::slots_per_ring(std::uint32_t workers) noexcept {
  return std::clamp(std::bit_floor(kSlotsPerWorkerMax / workers), kSlotsPerRingMin, kSlotsPerRingMax);
}

void Mesh::join(WorkerId self) {
  MR_ASSERT(self < workers_);
  for (WorkerId from = 0; from < workers_; ++from) {
    if (from != self) {
      lanes_[from * workers_ + self] = std::make_unique<Lane>(slots_per_ring(workers_));
    }
  }
}

bool Port::try_fall_asleep() noexcept {
  mesh_->set_asleep(self_, true);
  for (WorkerId from = 0; from < workers(); ++from) {
    if (from == self_) {
      continue;
    }
    if (!asks_from(from).is_empty_for_sleep() || !answers_from(from).is_empty_for_sleep()) {
      mesh_->set_asleep(self_, false);
      return false;
    }
  }
  return true;
}

}  // namespace millrace::mesh
