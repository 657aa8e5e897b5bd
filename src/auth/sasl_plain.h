// The message of SASL's mechanism PLAIN (RFC 4616): authorization identity, user and password, parted by zero bytes.
// Pure; any thread. Views go into the message.
#pragma once

#include <optional>
#include <string_view>

namespace millrace::auth {

struct PlainMessage {
  std::string_view user;
  std::string_view password;
};

/// Nothing: it is no such message, or asks to act for somebody else, which nobody may here.
[[nodiscard]] constexpr std::optional<PlainMessage> read_sasl_plain(std::string_view message) noexcept {
  const std::size_t first = message.find('\0');
  const std::size_t second = first == std::string_view::npos ? first : message.find('\0', first + 1);
  if (second == std::string_view::npos || message.find('\0', second + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view acts_for = message.substr(0, first);
  const PlainMessage read{.user = message.substr(first + 1, second - first - 1),
                          .password = message.substr(second + 1)};
  if (read.user.empty() || read.password.empty() || (!acts_for.empty() && acts_for != read.user)) {
    return std::nullopt;
  }
  return read;
}

}  // namespace millrace::auth
