// Which key comes next: uniform, Zipf, a hot spot, or one after the other, over a range of key numbers. Owned by one
// load thread. Popular keys are scattered over the range by a bijection, so that they are not neighbours in the
// server's memory because they were stored one after the other.
#pragma once

#include <algorithm>
#include <cmath>
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
  HotSpot,
};

struct KeyPlan {
  KeyOrder order = KeyOrder::Uniform;
  double zipf_exponent = 0;  ///< Zipf
  double hot_keys = 0;       ///< HotSpot: the share of the keys
  double hot_requests = 0;   ///< HotSpot: the share of the requests that they get, evenly among them
};

class KeySequence {
 public:
  /// Keys first .. first + count - 1; `count` > 0.
  KeySequence(const KeyPlan& plan, std::uint64_t first, std::uint64_t count, std::uint64_t seed) noexcept
      : plan_(plan),
        first_(first),
        count_(count),
        hot_count_(hot_count(plan.hot_keys, count)),
        prng_(seed),
        zipf_(count, plan.zipf_exponent),
        stride_(stride(count)) {
    MR_ASSERT(count > 0);
  }

  std::uint64_t next() noexcept {
    switch (plan_.order) {
      case KeyOrder::Uniform:
        return first_ + prng_.below(count_);
      case KeyOrder::Zipf:
        return first_ + scatter(zipf_.rank(prng_) - 1);
      case KeyOrder::HotSpot:
        return first_ + scatter(hot_spot_rank());
      case KeyOrder::Sequential:
        break;
    }
    const std::uint64_t key = first_ + position_;
    position_ = position_ + 1 == count_ ? 0 : position_ + 1;
    return key;
  }

  /// The next one by number; behind the last comes the first.
  [[nodiscard]] std::uint64_t after(std::uint64_t key) const noexcept {
    return key + 1 == first_ + count_ ? first_ : key + 1;
  }

  /// The place of rank `rank0` (0 is the hottest): a bijection of 0 .. count-1.
  [[nodiscard]] std::uint64_t scatter(std::uint64_t rank0) const noexcept {
    __extension__ using Wide = unsigned __int128;
    return static_cast<std::uint64_t>(static_cast<Wide>(rank0) * stride_ % count_);
  }

 private:
  /// At least one key is hot, and one is not.
  static std::uint64_t hot_count(double share, std::uint64_t count) noexcept {
    const auto hot = static_cast<std::uint64_t>(std::llround(share * static_cast<double>(count)));
    return std::clamp<std::uint64_t>(hot, 1, std::max<std::uint64_t>(count - 1, 1));
  }

  std::uint64_t hot_spot_rank() noexcept {
    if (prng_.unit() < plan_.hot_requests || hot_count_ == count_) {
      return prng_.below(hot_count_);
    }
    return hot_count_ + prng_.below(count_ - hot_count_);
  }

  /// A step of about 0.618 of the range that has no factor in common with it.
  static std::uint64_t stride(std::uint64_t count) noexcept {
    auto step = static_cast<std::uint64_t>(static_cast<double>(count) * 0.6180339887498949);
    while (step < 1 || std::gcd(step, count) != 1) {
      ++step;
    }
    return step;
  }

  KeyPlan plan_;
  std::uint64_t first_;
  std::uint64_t count_;
  std::uint64_t hot_count_;
  std::uint64_t position_ = 0;
  Prng prng_;
  Zipf zipf_;
  std::uint64_t stride_;
};

}  // namespace millrace::load
