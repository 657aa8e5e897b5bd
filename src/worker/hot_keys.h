// `stats hotkeys`: which keys are asked for most, from a sample, in bounded memory. Off unless an administrator turns
// it on.
//
// Thread: one worker, for the keys it owns. Ownership: owns its entries, allocated at once. The counts are those of
// Space Saving (Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams,
// 2005): a key that is new takes the place of the one counted least and goes on from its count, which is kept as the
// error. So a key asked for in more than 1 of kEntriesMax samples is in the table, and `count - error` is no
// overestimate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/key_hash.h"

namespace millrace::worker {

struct HotKey {
  std::uint64_t hash = 0;
  std::string key;
  std::uint64_t count = 0;  ///< samples, the error included
  std::uint64_t error = 0;
  std::uint64_t writes = 0;  ///< of the samples since it came: what was no read
  std::uint64_t bytes = 0;   ///< of values read and written in them
};

class HotKeys {
 public:
  static constexpr std::size_t kEntriesMax = 128;
  static constexpr std::uint32_t kSampleDefault = 64;
  static constexpr std::uint32_t kSampleMax = 1'000'000;

  /// From now on one in `sample` operations, with gaps drawn from `seed`, so that no rhythm of the requests hides any.
  HotKeys(std::uint32_t sample, std::uint64_t seed) : sample_(sample), state_(seed | 1) {
    entries_.reserve(kEntriesMax);
  }

  /// Whether this operation is one of the sample.
  [[nodiscard]] bool takes() noexcept {
    if (--until_ > 0) {
      return false;
    }
    until_ = next_gap();
    return true;
  }
  void count(std::string_view key, KeyHash hash, bool is_write, std::uint32_t bytes);

  [[nodiscard]] std::uint32_t sample() const noexcept { return sample_; }
  [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
  [[nodiscard]] const std::vector<HotKey>& entries() const noexcept { return entries_; }

 private:
  /// 1 to 2 * sample - 1, each as likely: `sample` in the mean.
  [[nodiscard]] std::uint64_t next_gap() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return 1 + state_ % (2 * std::uint64_t{sample_} - 1);
  }

  const std::uint32_t sample_;
  std::uint64_t state_;
  std::uint64_t until_ = 1;
  std::uint64_t samples_ = 0;
  std::vector<HotKey> entries_;
};

}  // namespace millrace::worker
