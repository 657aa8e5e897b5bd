#include "mesh/slot_ring.h"

#include <cstdlib>
#include <new>

namespace millrace::mesh {
namespace {

std::byte* allocate_touched(std::uint32_t slots) {
  const std::size_t bytes = std::size_t{slots} * kSlotBytes;
  auto* memory = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{4096}));
  std::memset(memory, 0, bytes);
  return memory;
}

}  // namespace

SlotRing::SlotRing(std::uint32_t slots) : capacity_(slots), mask_(slots - 1), memory_(allocate_touched(slots)) {
  MR_ASSERT(slots >= 4 && (slots & mask_) == 0);
}

void SlotRing::Free::operator()(std::byte* memory) const noexcept { ::operator delete(memory, std::align_val_t{4096}); }

}  // namespace millrace::mesh
