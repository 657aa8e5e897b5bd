// Networks made from text, turned back into text. Cold; any thread; no state.
#include "dataplane/api/ip_prefix.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace::dataplane {
namespace {

std::optional<IpBytes> read_address(const std::string& text) {
  IpBytes bytes{};
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
    return bytes;
  }
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) != 1) {
    return std::nullopt;
  }
  bytes[10] = bytes[11] = 0xff;
  const auto* digits = reinterpret_cast<const std::uint8_t*>(&v4);
  std::copy_n(digits, 4, bytes.begin() + 12);
  return bytes;
}

IpBytes cut_to(IpBytes address, std::uint32_t bits) {
  for (std::size_t i = 0; i < address.size(); ++i) {
    const std::uint32_t before = static_cast<std::uint32_t>(i) * 8;
    const std::uint32_t here = bits > before ? std::min<std::uint32_t>(bits - before, 8) : 0;
    address[i] &= static_cast<std::uint8_t>(0xff00U >> here);
  }
  return address;
}

}  // namespace

std::string IpPrefix::text() const {
  char digits[INET6_ADDRSTRLEN] = "?";
  if (is_v4_prefix()) {
    inet_ntop(AF_INET, address.data() + 12, digits, sizeof digits);
    return fmt::format("{}/{}", digits, bits - kV4Bits);
  }
  inet_ntop(AF_INET6, address.data(), digits, sizeof digits);
  return fmt::format("{}/{}", digits, bits);
}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string host(text.substr(0, slash));
  const auto address = host.find('\0') == std::string::npos ? read_address(host) : std::nullopt;
  if (!address) {
    return fail(fmt::format("'{}' is not an address or network; write 10.0.0.0/8, fc00::/7 or 192.0.2.1", text));
  }
  // Written as IPv6, ::ffff:10.0.0.0/104 counts from the front.
  const bool is_written_as_v4 = host.find(':') == std::string::npos;
  const std::uint32_t longest = is_written_as_v4 ? 32 : 128;
  std::uint32_t bits = longest;
  if (slash < text.size()) {
    const std::string_view number = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bits);
    if (error != std::errc() || end != number.data() + number.size() || bits > longest) {
      return fail(fmt::format("'{}': '{}' is not a length from 0 to {}; write {}/{} for this one host", text, number,
                              longest, host, longest));
    }
  }
  const std::uint32_t bits_of_16_bytes = is_written_as_v4 ? bits + kV4Bits : bits;
  IpPrefix prefix{.address = cut_to(*address, bits_of_16_bytes), .bits = static_cast<std::uint8_t>(bits_of_16_bytes)};
  if (prefix.address != *address) {
    return fail(fmt::format("'{}' has bits set behind the first {}; write {} for the network, or {}/{} for the host",
                            text, bits, prefix.text(), host, longest));
  }
  return prefix;
}

}  // namespace millrace::dataplane
