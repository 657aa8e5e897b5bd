// What the keys and values are, and the protocol they are asked in. A key's text is a function of its number, a value's
// bytes and flags are a function of its key and size, and sizes are functions of the key: so any reply can be verified
// by a process that did not store it, and nothing needs remembering. Immutable after construction; shared by all load
// threads. Why not a table of key texts: at a million keys it costs a cache miss a request, in the cache the server may
// share.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/load/operation.h"
#include "bench/load/prng.h"
#include "bench/load/protocol/protocol.h"
#include "bench/load/size_distribution.h"

namespace millrace::load {

/// Key text: `key:`, for a counter `ctr:`, and the number in decimal, filled up with leading zeros to the key's size. A
/// size with less room drops the end of the prefix. None is smaller than the digits that the largest number needs and,
/// unless all keys are of one size, the first letter of the prefix.
class KeyText {
 public:
  static constexpr std::uint32_t kBytesMax = 250;  ///< the protocol's limit

  static Result<KeyText> make(SizeDistribution sizes, std::uint64_t keys);
  /// All of one size.
  static Result<KeyText> make(std::uint32_t key_bytes, std::uint64_t keys) {
    return make(SizeDistribution(SizeDistribution::Of::Keys, key_bytes, key_bytes), keys);
  }

  [[nodiscard]] std::uint32_t size(std::uint64_t number) const noexcept {
    return std::max(sizes_.size_of(number), size_min_);
  }
  [[nodiscard]] std::uint32_t size_max() const noexcept { return static_cast<std::uint32_t>(zeros_.size()); }
  /// Is there room for what tells a counter from other keys?
  [[nodiscard]] bool can_count() const noexcept { return size_min_ > digits_; }

  /// Writes size(number) bytes; returns their end.
  char* write(std::uint64_t number, char* out) const noexcept;

  /// The number of a key text; nothing when it is not one, or a counter's.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view text) const noexcept;

 private:
  KeyText(SizeDistribution sizes, std::uint32_t size_min, std::uint32_t digits);

  SizeDistribution sizes_;
  std::string zeros_;  ///< the prefix and zeros, as long as the longest key
  std::string counter_zeros_;
  std::uint32_t size_min_;
  std::uint32_t digits_;  ///< that can be other than '0'
};

/// Values: the first 16 bytes name key and size (hexadecimal of a 64-bit mix), the rest is a window, placed by the key,
/// of a fixed printable pattern.
/// What an append adds is a piece named by the key, always the same: a value that was appended to is the value, and the
/// piece several times. A counter begins as the digit 0.
class ValueText {
 public:
  static constexpr std::uint32_t kPieceBytes = 8;

  /// `largest` is the largest size ever to be written or verified, if beyond those of `sizes`.
  explicit ValueText(SizeDistribution sizes, std::uint32_t largest = 0);

  [[nodiscard]] std::uint32_t bytes_of(std::uint64_t key) const noexcept {
    return is_counter(key) ? 1 : sizes_.size_of(key);
  }
  [[nodiscard]] static constexpr std::uint32_t flags_of(std::uint64_t key) noexcept {
    return static_cast<std::uint32_t>(mix64(key) & 0xffff);
  }
  [[nodiscard]] std::uint32_t largest() const noexcept { return static_cast<std::uint32_t>(pattern_.size() - kWindow); }

  /// What a store of any kind stores: `value_bytes` of it. Returns their end.
  char* write(const Request& request, char* out) const noexcept {
    return request.operation == Operation::Append ? write_piece(request.key, out)
                                                  : write(request.key, request.value_bytes, out);
  }
  /// Writes `size` bytes; returns their end.
  char* write(std::uint64_t key, std::uint32_t size, char* out) const noexcept;

  /// Is `chunk` what stands at `offset` of the value of this key and size?
  [[nodiscard]] bool matches(std::uint64_t key, std::uint32_t size, std::uint32_t offset,
                             std::string_view chunk) const noexcept;
  /// The same of what was appended to a value of this size.
  [[nodiscard]] static bool matches_pieces(std::uint64_t key, std::uint32_t size, std::uint32_t offset,
                                           std::string_view chunk) noexcept;

 private:
  static constexpr std::uint32_t kNameBytes = 16;
  static constexpr std::uint32_t kWindow = 1 << 16;

  static void write_name(std::uint64_t key, std::uint32_t size, char* out) noexcept;
  static char* write_piece(std::uint64_t key, char* out) noexcept;
  [[nodiscard]] const char* body(std::uint64_t key) const noexcept {
    return pattern_.data() + (mix64(key + 1) & (kWindow - 1));
  }

  SizeDistribution sizes_;
  std::string pattern_;
};

struct Workload {
  KeyText key_text;
  ValueText value_text;
  Protocol protocol = Protocol::Text;
};

}  // namespace millrace::load
