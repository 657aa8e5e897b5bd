// Keys that were evicted lately, as 8-bit fingerprints: was this key here not long ago?
//
// Thread: the partition's owner. Ownership: the words are given and outlive the ghost. Pure otherwise.
// A key's hash picks a word; a word holds four fingerprints, newest in the low byte, and a new one pushes the oldest
// out. As many words are in use as remember one key for each item that is held; another count loses what was
// remembered, but needs no moving.
// It errs: about 4 in 255 keys that were never here are taken for one that was. Who counts its answers allows for that
// (kFalseNumerator in kFalseDenominator). Why not more bits: measured, 8 do as well as 16.
//
//   31       24 23       16 15        8 7         0
//  +-----------+-----------+-----------+-----------+
//  |  oldest   |           |           |  newest   |   0: none
//  +-----------+-----------+-----------+-----------+
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>

#include "base/attributes.h"
#include "base/key_hash.h"

namespace millrace::store {

class Ghost {
 public:
  static constexpr std::uint32_t kPerWord = 4;
  static constexpr std::uint32_t kFalseNumerator = 4;
  static constexpr std::uint32_t kFalseDenominator = 255;
  /// The number of words is looked at again each time so many keys were added.
  static constexpr std::uint32_t kAddsPerFit = 1024;

  Ghost() = default;
  /// Words all zero.
  explicit Ghost(std::span<std::uint32_t> words) noexcept : words_(words) {}

  [[nodiscard]] bool is_there() const noexcept { return !words_.empty(); }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return words_.size_bytes(); }
  [[nodiscard]] std::uint64_t words_in_use() const noexcept { return in_use_; }

  /// `items`: how many are held, which is how many to remember.
  void add(KeyHash hash, std::uint64_t items) noexcept {
    if (MR_UNLIKELY(--adds_to_fit_ == 0)) {
      adds_to_fit_ = kAddsPerFit;
      fit(items);
    }
    std::uint32_t& word = word_of(hash);
    word = word << 8 | fingerprint(hash);
  }

  /// Whether the key was here; it is then forgotten.
  bool take(KeyHash hash) noexcept {
    if (in_use_ == 0) {
      return false;
    }
    std::uint32_t& word = word_of(hash);
    const std::uint32_t differs = word ^ (fingerprint(hash) * 0x0101'0101U);
    const std::uint32_t zero_bytes = (differs - 0x0101'0101U) & ~differs & 0x8080'8080U;
    if (MR_LIKELY(zero_bytes == 0)) {
      return false;
    }
    const auto at = static_cast<std::uint32_t>(std::countr_zero(zero_bytes)) & ~7U;
    const std::uint32_t newer = (1U << at) - 1;
    word = (word & newer) | (word >> 8 & ~newer);
    return true;
  }

 private:
  [[nodiscard]] static std::uint32_t fingerprint(KeyHash hash) noexcept {
    const auto bits = static_cast<std::uint32_t>(hash.bits & 0xff);
    return bits != 0 ? bits : 1;
  }
  [[nodiscard]] std::uint32_t& word_of(KeyHash hash) noexcept {
    return words_[((hash.bits >> 8 & 0xffff'ffff) * in_use_) >> 32];
  }
  /// Leaves a count alone that is within an eighth of what it should be.
  void fit(std::uint64_t items) noexcept {
    const std::uint64_t wanted = std::clamp<std::uint64_t>(items / kPerWord, 1, words_.size());
    if (wanted > in_use_ + in_use_ / 8 || wanted < in_use_ - in_use_ / 8) {
      in_use_ = wanted;
    }
  }

  std::span<std::uint32_t> words_;
  std::uint64_t in_use_ = 0;
  std::uint32_t adds_to_fit_ = 1;  ///< then words_in_use() is looked at again
};

}  // namespace millrace::store
