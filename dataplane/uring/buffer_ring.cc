// Memory and registration of the receive buffers.
#include "dataplane/uring/buffer_ring.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace millrace::uring {
namespace {

void* map(std::size_t bytes) {
  void* address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return address == MAP_FAILED ? nullptr : address;
}

}  // namespace

Result<std::unique_ptr<BufferRing>> BufferRing::create(Ring& ring, std::uint32_t count, std::uint32_t buffer_bytes,
                                                       std::uint16_t group) {
  if (!std::has_single_bit(count) || count > 32768 || buffer_bytes == 0) {
    return fail(fmt::format("{} receive buffers of {} bytes: the count must be a power of two up to 32768", count,
                            buffer_bytes));
  }
  std::unique_ptr<BufferRing> buffers(new BufferRing);
  buffers->count_ = count;
  buffers->buffer_bytes_ = buffer_bytes;
  buffers->entries_bytes_ = sizeof(io_uring_buf) * count;
  buffers->memory_bytes_ = static_cast<std::size_t>(count) * buffer_bytes;
  // Not touched here: the owner's core does it first, so that the pages come from its own memory node.
  buffers->memory_ = static_cast<char*>(map(buffers->memory_bytes_));
  buffers->entries_ = static_cast<io_uring_buf_ring*>(map(buffers->entries_bytes_));
  if (buffers->memory_ == nullptr || buffers->entries_ == nullptr) {
    return fail(
        fmt::format("no memory for {} receive buffers of {} bytes: {}", count, buffer_bytes, std::strerror(errno)));
  }
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers->entries_);
  registration.ring_entries = count;
  registration.bgid = group;
  if (const int error = io_uring_register_buf_ring(ring.raw(), &registration, 0); error < 0) {
    return fail(
        fmt::format("io_uring takes no ring of receive buffers: {}; Linux 5.19 has them, 6.1 all that is needed",
                    std::strerror(-error)));
  }
  io_uring_buf_ring_init(buffers->entries_);
  for (std::uint32_t buffer = 0; buffer < count; ++buffer) {
    buffers->give_back(static_cast<std::uint16_t>(buffer));
  }
  return buffers;
}

BufferRing::~BufferRing() {
  if (entries_ != nullptr) {
    munmap(entries_, entries_bytes_);
  }
  if (memory_ != nullptr) {
    munmap(memory_, memory_bytes_);
  }
}

void BufferRing::give_back(std::uint16_t buffer) noexcept {
  MR_ASSERT(buffer < count_);
  char* start = memory_ + static_cast<std::size_t>(buffer) * buffer_bytes_;
  io_uring_buf_ring_add(entries_, start, buffer_bytes_, buffer, io_uring_buf_ring_mask(count_), 0);
  io_uring_buf_ring_advance(entries_, 1);
}

}  // namespace millrace::uring
