// The bytes of a line that is not complete yet. One buffer of fixed size, allocated when a line is first cut by the end
// of what arrived, and kept for the next time: a connection whose lines are cut once is likely to have them cut again.
//
// Thread: the worker that owns the connection. Ownership: owns the buffer. Invariant: size() <= kCarryBytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>

#include "base/assert.h"
#include "base/attributes.h"
#include "protocol/limits.h"

namespace millrace::protocol {

class Carry {
 public:
  [[nodiscard]] bool is_empty() const noexcept { return bytes_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t room() const noexcept { return kCarryBytes - bytes_; }
  [[nodiscard]] std::string_view view() const noexcept { return {buffer_.get(), bytes_}; }

  /// Forgets what is carried. Views of it stay readable until the next append.
  void clear() noexcept { bytes_ = 0; }

  /// The first bytes of what was there before clear(), if nothing has been appended since.
  [[nodiscard]] std::string_view cleared_view(std::size_t count) const noexcept { return {buffer_.get(), count}; }

  /// Says whether the bytes were taken: there has to be room; memory there may not be.
  [[nodiscard]] bool append(std::string_view more) noexcept {
    MR_ASSERT(more.size() <= room());
    if (more.empty()) {
      return true;
    }
    if (MR_UNLIKELY(buffer_ == nullptr)) {
      buffer_.reset(new (std::nothrow) char[kCarryBytes]);
      if (buffer_ == nullptr) {
        return false;
      }
    }
    std::memcpy(buffer_.get() + bytes_, more.data(), more.size());
    bytes_ = static_cast<std::uint16_t>(bytes_ + more.size());
    return true;
  }

  /// Keeps only the last `count` bytes.
  void keep_last(std::size_t count) noexcept {
    MR_ASSERT(count <= bytes_);
    if (count != 0 && count != bytes_) {
      std::memmove(buffer_.get(), buffer_.get() + bytes_ - count, count);
    }
    bytes_ = static_cast<std::uint16_t>(count);
  }

 private:
  static_assert(kCarryBytes <= 0xffff);
  std::unique_ptr<char[]> buffer_;
  std::uint16_t bytes_ = 0;
};

}  // namespace millrace::protocol
