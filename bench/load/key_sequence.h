// Which key comes next: uniform, Zipf or one after the other, over a range of key numbers. Owned by one load thread.
// Zipf ranks are scattered over the range by a bijection, so that hot keys are not neighbours in the server's memory
// because they were stored one after the other.
#pragma once

#include <cstdint>
#include <numeric>
#include <optional>

#include "base/assert.h"
#include "bench/load/prng.h"
#include "bench/load/zipf.h"

namespace millrace::load {

enum class KeyOrder : std::uint8_t {
  Uniform,
  Zipf,
  Sequential,
};

class KeySequence {
 public:
  /// Keys first .. first + count - 1; `count` > 0.
  KeySequence(KeyOrder order, double zipf_exponent, std::uint64_t first, std::uint64_t count,
              std::uint64_t seed) noexcept
      : order_(order), first_(first), count_(count), prng_(seed), zipf_(count, zipf_exponent), stride_(stride(count)) {
    MR_ASSERT(count > 0);
  }

  std::uint64_t next() noexcept {
    switch (order_) {
      case KeyOrder::Uniform:
        return first_ + prng_.below(count_);
      case KeyOrder::Zipf:
        return first_ + scatter(zipf_.rank(prng_) - 1);
      case KeyOrder::Sequential:
        break;
    }
    const std::uint64_t key = first_ + position_;
    position_ = position_ + 1 == count_ ? 0 : position_ + 1;
    return key;
  }

  /// The place of rank `rank0` (0 is the hottest): a bijection of 0 .. count-1.
  [[nodiscard]] std::uint64_t scatter(std::uint64_t rank0) const noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<Wide>(rank0) * stride_ % count_);
  }

 private:
  /// A step of about 0.618 of the range that has no factor in common with it.
  static std::uint64_t stride(std::uint64_t count) noexcept {
    auto step = static_cast<std::uint64_t>(static_cast<double>(count) * 0.6180339887498949);
    while (step < 1 || std::gcd(step, count) != 1) {
      ++step;
    }
    return step;
  }

  KeyOrder order_;
  std::uint64_t first_;
  std::uint64_t count_;
  std::uint64_t position_ = 0;
  Prng prng_;
  Zipf zipf_;
  std::uint64_t stride_;
};

}  // namespace millrace::load
