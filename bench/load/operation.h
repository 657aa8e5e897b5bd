// What a client can ask of a cache, before a protocol has words for it. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>

namespace millrace::load {

enum class Operation : std::uint8_t {
  Get,
  MultiGet,  ///< several keys in one request
  Set,
  Add,
  Append,
  Gets,  ///< a get that also brings the number for a Cas, which follows it
  Cas,   ///< stores the value again, unless somebody else did in between
  Delete,
  Touch,
  Incr,  ///< of a counter, by 1
};
inline constexpr std::size_t kOperations = 10;
inline constexpr std::array<const char*, kOperations> kOperationNames{"get",  "multiget", "set",    "add",   "append",
                                                                      "gets", "cas",      "delete", "touch", "incr"};

[[nodiscard]] constexpr const char* operation_name(Operation operation) noexcept {
  return kOperationNames[static_cast<std::size_t>(operation)];
}
[[nodiscard]] constexpr std::uint32_t set_of(std::initializer_list<Operation> operations) noexcept {
  std::uint32_t set = 0;
  for (const Operation operation : operations) {
    set |= 1U << static_cast<unsigned>(operation);
  }
  return set;
}
[[nodiscard]] constexpr bool is_in(std::uint32_t set, Operation operation) noexcept {
  return (set >> static_cast<unsigned>(operation) & 1) != 0;
}
[[nodiscard]] constexpr bool is_read(Operation operation) noexcept {
  return is_in(set_of({Operation::Get, Operation::MultiGet, Operation::Gets}), operation);
}
[[nodiscard]] constexpr bool is_store(Operation operation) noexcept {
  return is_in(set_of({Operation::Set, Operation::Add, Operation::Append, Operation::Cas}), operation);
}

/// How often each operation is asked, in proportion to the sum; all 0 but one: that one always.
using OperationWeights = std::array<double, kOperations>;

[[nodiscard]] constexpr OperationWeights only(Operation operation) noexcept {
  OperationWeights weights{};
  weights[static_cast<std::size_t>(operation)] = 1;
  return weights;
}

/// Counters are keys of their own, so that what incr needs of a value and what --verify wants of it do not meet.
inline constexpr std::uint64_t kCounter = 1ULL << 63;  // set in a counter's number
[[nodiscard]] constexpr bool is_counter(std::uint64_t key) noexcept { return key >= kCounter; }

struct Request {
  Operation operation = Operation::Get;
  std::uint64_t key = 0;
  std::span<const std::uint64_t> keys{};  ///< MultiGet: all of them, `key` first; valid while the request is written
  std::uint32_t value_bytes = 0;          ///< of what is stored; a read: of what a miss may store
  std::uint32_t ttl_s = 0;
  std::uint64_t unique = 0;  ///< Cas: the number that the Gets brought
};

}  // namespace millrace::load
