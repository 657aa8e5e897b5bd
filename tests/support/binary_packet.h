// Binary requests for tests, written on their own account: no code is shared with what is tested.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::tests {

[[nodiscard]] inline std::string big(std::uint64_t number, int bytes) {
  std::string out;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> shift);
  }
  return out;
}
[[nodiscard]] inline std::string big32(std::uint32_t number) { return big(number, 4); }
[[nodiscard]] inline std::string big64(std::uint64_t number) { return big(number, 8); }

/// What of a header does not follow from the parts.
struct PacketOptions {
  std::uint32_t opaque = 0;
  std::uint64_t cas = 0;
  char magic = '\x80';
  std::optional<std::uint32_t> body_bytes{};  ///< a lie
};

[[nodiscard]] inline std::string packet(unsigned opcode, std::string_view key = {}, std::string_view extras = {},
                                        std::string_view value = {}, const PacketOptions& options = {}) {
  const std::size_t body = key.size() + extras.size() + value.size();
  std::string out(1, options.magic);
  out += static_cast<char>(opcode);
  out += big(key.size(), 2);
  out += static_cast<char>(extras.size());
  out += big(0, 3);
  out += big(options.body_bytes.value_or(static_cast<std::uint32_t>(body)), 4);
  out += big(options.opaque, 4);
  out += big(options.cas, 8);
  out.append(extras).append(key).append(value);
  return out;
}

}  // namespace millrace::tests
