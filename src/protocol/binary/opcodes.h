// The opcodes as numbers, and what is known of each: a table made from opcodes.def. Compile-time; any thread.
#pragma once

#include <array>
#include <cstdint>

#include "protocol/request.h"

namespace millrace::protocol::binary {

enum class Opcode : std::uint8_t {
#define MR_OPCODE(code, name, command, sound, extras, key, value) name = code,
#include "protocol/binary/opcodes.def"
};

enum class KeyShape : std::uint8_t {
  NoKey,
  Key,
  Words,
  Mechanism
};

struct OpcodeFacts {
  bool is_known = false;
  bool is_quiet = false;
  bool has_value = false;
  KeyShape key = KeyShape::NoKey;
  std::uint8_t extras_bytes = 0;
  Command command{};
};

/// Extras of flush: none, or four bytes of a delay.
inline constexpr std::uint8_t kDelay = 0xff;

namespace opcode_table {

consteval std::array<OpcodeFacts, 256> make() {
  constexpr bool Quiet = true;
  constexpr bool Loud = false;
  constexpr bool Value = true;
  constexpr bool NoValue = false;
  std::array<OpcodeFacts, 256> all{};
#define MR_OPCODE(code, name, command, sound, extras, key, value) \
  all[code] = {true, sound, value, KeyShape::key, extras, Command::command};
#include "protocol/binary/opcodes.def"
  return all;
}
inline constexpr std::array<OpcodeFacts, 256> kFacts = make();

}  // namespace opcode_table

[[nodiscard]] constexpr const OpcodeFacts& facts_of(std::uint8_t opcode) noexcept {
  return opcode_table::kFacts[opcode];
}

/// Of a known opcode.
[[nodiscard]] constexpr Command command_of(std::uint8_t opcode) noexcept { return facts_of(opcode).command; }

/// The reply carries the key back.
[[nodiscard]] constexpr bool returns_key(std::uint8_t opcode) noexcept {
  switch (static_cast<Opcode>(opcode)) {
    case Opcode::GetK:
    case Opcode::GetKQ:
    case Opcode::GatK:
    case Opcode::GatKQ:
      return true;
    default:
      return false;
  }
}

}  // namespace millrace::protocol::binary
