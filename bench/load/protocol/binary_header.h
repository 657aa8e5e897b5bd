// The 24 bytes at the head of each request and reply of memcached's binary protocol, and big-endian numbers. Pure.
//
//   0 magic   1 opcode   2 key bytes (2)   4 extras bytes   5 data type   6 status or vbucket (2)
//   8 body bytes (4), which are extras, key and value   12 opaque (4)   16 cas (8)
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bench/load/operation.h"

namespace millrace::load::binary {

inline constexpr std::size_t kHeaderBytes = 24;
inline constexpr std::uint8_t kRequest = 0x80;
inline constexpr std::uint8_t kReply = 0x81;

enum class Opcode : std::uint8_t {
  Get = 0x00,
  Set = 0x01,
  Add = 0x02,
  Delete = 0x04,
  Increment = 0x05,
  Noop = 0x0a,
  GetKeyQuietly = 0x0d,
  Append = 0x0e,
  Touch = 0x1c,
};

enum class Code : std::uint16_t {
  Ok = 0x00,
  NotFound = 0x01,
  Exists = 0x02,
  NotStored = 0x05,
};

/// Several keys are quiet gets that name their key, with a Noop behind them.
[[nodiscard]] constexpr Opcode opcode_of(Operation operation) noexcept {
  switch (operation) {
    case Operation::Get:
    case Operation::Gets:
      return Opcode::Get;
    case Operation::MultiGet:
      return Opcode::GetKeyQuietly;
    case Operation::Set:
    case Operation::Cas:
      return Opcode::Set;
    case Operation::Add:
      return Opcode::Add;
    case Operation::Append:
      return Opcode::Append;
    case Operation::Delete:
      return Opcode::Delete;
    case Operation::Touch:
      return Opcode::Touch;
    case Operation::Incr:
      return Opcode::Increment;
  }
  return Opcode::Noop;
}

template <std::unsigned_integral T>
char* put_be(T n, char* out) noexcept {
  n = std::endian::native == std::endian::little ? std::byteswap(n) : n;
  std::memcpy(out, &n, sizeof n);
  return out + sizeof n;
}

template <std::unsigned_integral T>
[[nodiscard]] T get_be(const char* at) noexcept {
  T n;
  std::memcpy(&n, at, sizeof n);
  return std::endian::native == std::endian::little ? std::byteswap(n) : n;
}

}  // namespace millrace::load::binary
