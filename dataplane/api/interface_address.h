// An address of ours on a link and how many of its bits name that link: what an operator writes as 10.0.0.2/24. Plain
// value; any thread. As in IpPrefix, addresses are 16 bytes and `bits` counts in those.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "dataplane/api/datagram.h"

namespace millrace::dataplane {

struct InterfaceAddress {
  IpBytes address{};
  std::uint8_t bits = 128;

  [[nodiscard]] std::string text() const;
  /// `10.0.0.2/24`, `2001:db8::2/64`. The error is a sentence with what would work.
  static Result<InterfaceAddress> parse(std::string_view text);

  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// `10.0.0.1`, `2001:db8::1`.
Result<IpBytes> parse_ip(std::string_view text);
std::string ip_text(const IpBytes& address);

}  // namespace millrace::dataplane
