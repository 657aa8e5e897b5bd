// What the keys and values are. A key's text is a function of its number, a value's bytes and flags are a function of
// its key and size: so any reply can be verified by a process that did not store it, and nothing needs remembering.
// Immutable after construction; shared by all load threads.
// Why not a table of key texts: at a million keys it costs a cache miss a request, in the cache the server may share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/load/prng.h"

namespace millrace::load {

/// Fixed-width key text: `key:` and the number in decimal with leading zeros. A short width drops the prefix first.
class KeyText {
 public:
  static Result<KeyText> make(std::uint32_t key_bytes, std::uint64_t keys);

  [[nodiscard]] std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(zero_.size()); }

  /// Writes size() bytes; returns their end.
  char* write(std::uint64_t number, char* out) const noexcept;

  /// The number of a key text; nothing when it is not one.
  [[nodiscard]] std::optional<std::uint64_t> number(std::string_view text) const noexcept;

 private:
  KeyText(std::string zero, std::uint32_t prefix_bytes, std::uint32_t digits)
      : zero_(std::move(zero)), prefix_bytes_(prefix_bytes), digits_(digits) {}

  std::string zero_;            ///< the text of key 0
  std::uint32_t prefix_bytes_;  ///< before the decimal number
  std::uint32_t digits_;        ///< that can be other than '0'
};

/// Values: the first 16 bytes name key and size (hexadecimal of a 64-bit mix), the rest is a window, placed by the key,
/// of a fixed printable pattern.
class ValueText {
 public:
  /// Sizes are spread over min..max by key; `largest` is the largest size ever to be written or verified.
  ValueText(std::uint32_t bytes_min, std::uint32_t bytes_max, std::uint32_t largest);

  [[nodiscard]] std::uint32_t bytes_of(std::uint64_t key) const noexcept {
    return bytes_min_ + static_cast<std::uint32_t>(mix64(key ^ 0x5a5a) % (bytes_max_ - bytes_min_ + 1));
  }
  [[nodiscard]] static constexpr std::uint32_t flags_of(std::uint64_t key) noexcept {
    return static_cast<std::uint32_t>(mix64(key) & 0xffff);
  }
  [[nodiscard]] std::uint32_t largest() const noexcept { return static_cast<std::uint32_t>(pattern_.size() - kWindow); }

  /// Writes `size` bytes; returns their end.
  char* write(std::uint64_t key, std::uint32_t size, char* out) const noexcept;

  /// Is `chunk` what stands at `offset` of the value of this key and size?
  [[nodiscard]] bool matches(std::uint64_t key, std::uint32_t size, std::uint32_t offset,
                             std::string_view chunk) const noexcept;

 private:
  static constexpr std::uint32_t kNameBytes = 16;
  static constexpr std::uint32_t kWindow = 1 << 16;

  static void write_name(std::uint64_t key, std::uint32_t size, char* out) noexcept;
  [[nodiscard]] const char* body(std::uint64_t key) const noexcept {
    return pattern_.data() + (mix64(key + 1) & (kWindow - 1));
  }

  std::uint32_t bytes_min_;
  std::uint32_t bytes_max_;
  std::string pattern_;
};

struct Workload {
  KeyText key_text;
  ValueText value_text;
};

}  // namespace millrace::load
