// Why a frame, or a datagram to be sent, went no further. Each reason has one counter, which its owner increments, and
// one sentence (drops.def). Any thread; plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::wire {

enum class Drop : std::uint8_t {
  None,  ///< it went on
#define MR_DROP(name, text, sentence) name,
#include "dataplane/wire/drops.def"
#undef MR_DROP
  Count,
};

inline constexpr std::size_t kDrops = static_cast<std::size_t>(Drop::Count);

struct DropWords {
  std::string_view name;
  std::string_view sentence;
};

inline constexpr std::array<DropWords, kDrops> kDropWords = {{
    {"none", "It went on."},
#define MR_DROP(name, text, sentence) {text, sentence},
#include "dataplane/wire/drops.def"
#undef MR_DROP
}};

/// One counter a reason.
struct DropCounters {
  std::array<std::uint64_t, kDrops> counts{};

  void count(Drop why) noexcept { ++counts[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t of(Drop why) const noexcept { return counts[static_cast<std::size_t>(why)]; }
  [[nodiscard]] std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (std::size_t i = 1; i < kDrops; ++i) {
      sum += counts[i];
    }
    return sum;
  }
};

}  // namespace millrace::wire
