// Who goes when memory is short: the policies that --eviction names and a partition is made with. Plain words; any
// thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

enum class EvictionPolicy : std::uint8_t {
  Clock,   ///< CLOCK behind a probation queue, with a ghost of what went: the default
  Clock2,  ///< CLOCK with 2-bit counts alone
  Lru,     ///< who was not used for longest
  Mru,     ///< who was used last
  Lfu,     ///< the lowest of some counters, which grow with the logarithm of hits and decay
  Random,
  Ttl,  ///< the soonest of some to expire
};

struct PolicyName {
  std::string_view name;
  EvictionPolicy policy;
};

inline constexpr std::array kPolicyNames{
    PolicyName{"clock", EvictionPolicy::Clock}, PolicyName{"clock2", EvictionPolicy::Clock2},
    PolicyName{"lru", EvictionPolicy::Lru},     PolicyName{"mru", EvictionPolicy::Mru},
    PolicyName{"lfu", EvictionPolicy::Lfu},     PolicyName{"random", EvictionPolicy::Random},
    PolicyName{"ttl", EvictionPolicy::Ttl},
};

[[nodiscard]] constexpr std::optional<EvictionPolicy> policy_named(std::string_view name) noexcept {
  for (const PolicyName& known : kPolicyNames) {
    if (known.name == name) {
      return known.policy;
    }
  }
  return std::nullopt;
}

[[nodiscard]] constexpr std::string_view name_of(EvictionPolicy policy) noexcept {
  for (const PolicyName& known : kPolicyNames) {
    if (known.policy == policy) {
      return known.name;
    }
  }
  return {};
}

}  // namespace millrace
