// The wire protocols the generator speaks. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bench/load/operation.h"

namespace millrace::load {

enum class Protocol : std::uint8_t {
  Text,    ///< memcached's classic commands
  Meta,    ///< memcached's mg, ms, md, ma
  Binary,  ///< memcached's 24-byte headers
  Resp,    ///< redis and valkey, RESP2
};
inline constexpr std::size_t kProtocols = 4;
inline constexpr std::array<const char*, kProtocols> kProtocolNames{"text", "meta", "binary", "resp"};

[[nodiscard]] constexpr const char* protocol_name(Protocol protocol) noexcept {
  return kProtocolNames[static_cast<std::size_t>(protocol)];
}

/// RESP has no number to compare with outside a transaction, and its APPEND makes keys that are not there.
[[nodiscard]] constexpr bool can_say(Protocol protocol, Operation operation) noexcept {
  return protocol != Protocol::Resp ||
         (operation != Operation::Gets && operation != Operation::Cas && operation != Operation::Append);
}

/// Does a request of several keys end with a marker of its own, whatever became of the keys?
[[nodiscard]] constexpr bool marks_end_of_multiget(Protocol protocol) noexcept {
  return protocol == Protocol::Meta || protocol == Protocol::Binary;
}

}  // namespace millrace::load
