// The 64 bits that come back with every completion: which operation it was, of which connection. Pure.
//
//   63   60 59    56 55           32 31                             0
//  +-------+--------+---------------+--------------------------------+
//  | kind  | record |     slot      |           generation           |
//  +-------+--------+---------------+--------------------------------+
//  A slot number and not an address, and with the whole generation, so that a cancellation which comes late can only
//  miss, never hit the slot's next connection. `record` tells which Send a zero-copy notification belongs to.
#pragma once

#include <cstdint>

namespace millrace::uring {

enum class OpKind : std::uint8_t {
  Accept = 1,
  Receive,
  Send,
  Connect,
  Cancel,
  Wake,
  Datagram,
  DatagramSend,
  Doorbell
};

inline constexpr std::uint32_t kSlotsMax = 1U << 24;
inline constexpr std::uint32_t kRecordsMax = 16;

struct UserData {
  OpKind kind{};
  std::uint8_t record = 0;
  std::uint32_t slot = 0;  ///< connection; the listener's index for Accept and Datagram, the record's for DatagramSend
  std::uint32_t generation = 0;

  [[nodiscard]] constexpr std::uint64_t bits() const noexcept {
    return static_cast<std::uint64_t>(kind) << 60 | static_cast<std::uint64_t>(record & 0xfU) << 56 |
           static_cast<std::uint64_t>(slot & (kSlotsMax - 1)) << 32 | generation;
  }
  [[nodiscard]] static constexpr UserData of(std::uint64_t bits) noexcept {
    return {.kind = static_cast<OpKind>(bits >> 60),
            .record = static_cast<std::uint8_t>(bits >> 56 & 0xfU),
            .slot = static_cast<std::uint32_t>(bits >> 32) & (kSlotsMax - 1),
            .generation = static_cast<std::uint32_t>(bits)};
  }
  friend constexpr bool operator==(const UserData&, const UserData&) = default;
};

}  // namespace millrace::uring
