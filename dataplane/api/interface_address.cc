#include "dataplane/api/interface_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "dataplane/api/ip_prefix.h"

namespace millrace::dataplane {

Result<IpBytes> parse_ip(std::string_view text) {
  const auto whole = IpPrefix::parse(text);
  if (!whole || text.find('/') != std::string_view::npos) {
    return fail(fmt::format("'{}' is not an address; write 192.0.2.1 or 2001:db8::1", text));
  }
  return whole->address;
}

std::string ip_text(const IpBytes& address) {
  char digits[INET6_ADDRSTRLEN] = "?";
  if (is_v4(address)) {
    inet_ntop(AF_INET, address.data() + 12, digits, sizeof digits);
  } else {
    inet_ntop(AF_INET6, address.data(), digits, sizeof digits);
  }
  return digits;
}

std::string InterfaceAddress::text() const {
  return fmt::format("{}/{}", ip_text(address), is_v4(address) ? bits - IpPrefix::kV4Bits : bits);
}

Result<InterfaceAddress> InterfaceAddress::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    return fail(fmt::format(
        "'{}' does not say which addresses are on the same link; write {}", text,
        text.find(':') == std::string_view::npos ? fmt::format("{}/24, say", text) : fmt::format("{}/64, say", text)));
  }
  const auto address = parse_ip(text.substr(0, slash));
  if (!address) {
    return std::unexpected(address.error());
  }
  const std::uint32_t longest = is_v4(*address) ? 32 : 128;
  const std::string_view number = text.substr(slash + 1);
  std::uint32_t bits = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
  if (error != std::errc() || end != number.data() + number.size() || bits == 0 || bits > longest) {
    return fail(fmt::format("'{}': '{}' is not a length from 1 to {}", text, number, longest));
  }
  return InterfaceAddress{.address = *address,
                          .bits = static_cast<std::uint8_t>(is_v4(*address) ? bits + IpPrefix::kV4Bits : bits)};
}

}  // namespace millrace::dataplane
