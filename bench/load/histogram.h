// Latencies in log-linear buckets: 128 to each power of two, so a reported value is within 0.4 % of a recorded one.
// The buckets are those of an HdrHistogram of two significant digits, so that its tools can read them as they are.
// Owned by one load thread; merged by who collects. Recording is two shifts and an add; nothing is allocated.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace millrace::load {

class Histogram {
 public:
  /// Larger values are recorded as this one (about 18 minutes in nanoseconds).
  static constexpr std::uint64_t kValueMax = (1ULL << 40) - 1;
  static constexpr unsigned kSubBits = 7;
  static constexpr std::size_t kBuckets = (40 - kSubBits + 1) << kSubBits;

  void record(std::int64_t value) noexcept {
    const std::uint64_t v = value < 0 ? 0 : std::min(static_cast<std::uint64_t>(value), kValueMax);
    ++buckets_[bucket(v)];
    ++count_;
    sum_ += v;
    max_ = std::max(max_, v);
    min_ = std::min(min_, v);
  }

  void merge(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      buckets_[i] += other.buckets_[i];
    }
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
    min_ = std::min(min_, other.min_);
  }

  /// A whole bucket's count, from a histogram that was written down. What it held can be told no better than the
  /// bucket.
  void restore(std::size_t bucket, std::uint64_t count) noexcept {
    if (count == 0) {
      return;
    }
    buckets_[bucket] += count;
    count_ += count;
    sum_ += middle(bucket) * count;
    max_ = std::max(max_, middle(bucket));
    min_ = std::min(min_, lowest(bucket));
  }
  /// What was written down beside the buckets, exact again.
  void restore_exact(std::uint64_t sum, std::uint64_t min, std::uint64_t max) noexcept {
    sum_ = sum;
    min_ = min;
    max_ = max;
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }
  [[nodiscard]] std::uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }
  [[nodiscard]] const std::array<std::uint64_t, kBuckets>& buckets() const noexcept { return buckets_; }
  [[nodiscard]] double mean() const noexcept {
    return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }

  /// The smallest recorded value that at least `share` (0..1) of all values do not exceed, within the bucket's width.
  [[nodiscard]] std::uint64_t quantile(double share) const noexcept {
    if (count_ == 0) {
      return 0;
    }
    const double exact = share * static_cast<double>(count_);
    auto rank = static_cast<std::uint64_t>(exact);
    rank += static_cast<double>(rank) < exact ? 1 : 0;
    rank = std::clamp<std::uint64_t>(rank, 1, count_);
    if (rank == count_) {
      return max_;
    }
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen >= rank) {
        return std::clamp(middle(i), min_, max_);
      }
    }
    return max_;
  }

  [[nodiscard]] static std::size_t bucket(std::uint64_t v) noexcept {
    if (v < (1ULL << kSubBits)) {
      return static_cast<std::size_t>(v);
    }
    const auto shift = static_cast<unsigned>(std::bit_width(v)) - 1 - kSubBits;
    return (static_cast<std::size_t>(shift + 1) << kSubBits) + ((v >> shift) - (1ULL << kSubBits));
  }

  /// The smallest value of a bucket.
  [[nodiscard]] static std::uint64_t lowest(std::size_t bucket) noexcept {
    if (bucket < (1ULL << kSubBits)) {
      return bucket;
    }
    return ((bucket & ((1ULL << kSubBits) - 1)) + (1ULL << kSubBits)) << shift_of(bucket);
  }

 private:
  static unsigned shift_of(std::size_t bucket) noexcept {
    return bucket < (1ULL << kSubBits) ? 0 : static_cast<unsigned>(bucket >> kSubBits) - 1;
  }
  static std::uint64_t middle(std::size_t bucket) noexcept {
    return lowest(bucket) + ((1ULL << shift_of(bucket)) >> 1);
  }

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
  std::uint64_t min_ = kValueMax;
};

}  // namespace millrace::load
