// What the kernel reads of a datagram on its way out, until it is done with it: message, address and bytes. All of them
// copied: a datagram is short, and its system call costs a hundred times what copying it does.
//
// Thread: the transport's. Ownership: owns the records.
// Bounded: a fixed count, made at start. The record that came back last is taken first, since it is warm: a worker that
// sends little keeps to a few.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "dataplane/uring/datagram_socket.h"

namespace millrace::uring {

/// What fits into an Ethernet frame over IPv4; memcached's datagrams have 1400 bytes.
inline constexpr std::size_t kDatagramCopyBytesMax = 1472;

struct DatagramRecord {
  msghdr message;
  DatagramAddress address;
  std::uint64_t token;  ///< told when it is sent; 0: none
  iovec copied;
  char bytes[kDatagramCopyBytesMax];
};

class DatagramRecords {
 public:
  explicit DatagramRecords(std::uint32_t count)
      : records_(std::make_unique_for_overwrite<DatagramRecord[]>(count)), count_(count) {
    free_.reserve(count);
    for (std::uint32_t i = count; i > 0; --i) {
      free_.push_back(i - 1);
    }
  }

  [[nodiscard]] bool empty() const noexcept { return free_.empty(); }

  /// Needs !empty().
  std::uint32_t take() noexcept {
    MR_ASSERT(!free_.empty());
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  void give_back(std::uint32_t index) noexcept {
    MR_ASSERT(index < count_ && free_.size() < count_);
    free_.push_back(index);
  }
  [[nodiscard]] DatagramRecord& operator[](std::uint32_t index) noexcept {
    MR_ASSERT(index < count_);
    return records_[index];
  }

 private:
  std::unique_ptr<DatagramRecord[]> records_;
  std::vector<std::uint32_t> free_;
  std::uint32_t count_;
};

}  // namespace millrace::uring
