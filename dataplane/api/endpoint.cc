// Addresses in the kernel's form: made from text, turned back into text. Cold; any thread; no state.
#include "dataplane/api/endpoint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <memory>

namespace millrace::dataplane {
namespace {

// sockaddr_storage is read as the family says. memcpy instead of a cast: no aliasing to think about.
template <typename Sockaddr>
Sockaddr as(const sockaddr_storage& storage) noexcept {
  Sockaddr address;
  std::memcpy(&address, &storage, sizeof address);
  return address;
}

bool same(const Endpoint& a, const Endpoint& b) noexcept {
  return a.address_bytes == b.address_bytes && std::memcmp(&a.address, &b.address, a.address_bytes) == 0;
}

std::string ipv6_text(const sockaddr_in6& in6) {
  char digits[INET6_ADDRSTRLEN] = "?";
  inet_ntop(AF_INET6, &in6.sin6_addr, digits, sizeof digits);
  // A link-local address means nothing without its interface.
  const std::string scope = in6.sin6_scope_id == 0 ? "" : fmt::format("%{}", in6.sin6_scope_id);
  return fmt::format("[{}{}]:{}", digits, scope, ntohs(in6.sin6_port));
}

}  // namespace

bool Endpoint::is_loopback() const noexcept {
  if (address.ss_family == AF_INET) {
    return ntohl(as<sockaddr_in>(address).sin_addr.s_addr) >> 24 == 127;
  }
  if (address.ss_family == AF_INET6) {
    const auto in6 = as<sockaddr_in6>(address);
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr)) {
      return in6.sin6_addr.s6_addr[12] == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
  }
  return is_unix();
}

std::uint16_t Endpoint::port() const noexcept {
  if (address.ss_family == AF_INET) {
    return ntohs(as<sockaddr_in>(address).sin_port);
  }
  if (address.ss_family == AF_INET6) {
    return ntohs(as<sockaddr_in6>(address).sin6_port);
  }
  return 0;
}

void Endpoint::set_port(std::uint16_t port) noexcept {
  const in_port_t wire = htons(port);
  // The port lies at the same place in both families, but say so by name.
  if (address.ss_family == AF_INET) {
    std::memcpy(reinterpret_cast<char*>(&address) + offsetof(sockaddr_in, sin_port), &wire, sizeof wire);
  } else if (address.ss_family == AF_INET6) {
    std::memcpy(reinterpret_cast<char*>(&address) + offsetof(sockaddr_in6, sin6_port), &wire, sizeof wire);
  }
}

std::string Endpoint::text() const {
  if (address.ss_family == AF_INET) {
    const auto in = as<sockaddr_in>(address);
    char digits[INET_ADDRSTRLEN] = "?";
    inet_ntop(AF_INET, &in.sin_addr, digits, sizeof digits);
    return fmt::format("{}:{}", digits, ntohs(in.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    return ipv6_text(as<sockaddr_in6>(address));
  }
  if (is_unix()) {
    const std::size_t path_at = offsetof(sockaddr_un, sun_path);
    if (address_bytes <= path_at) {
      return {};  // an unnamed peer
    }
    const char* path = reinterpret_cast<const char*>(&address) + path_at;
    return {path, strnlen(path, address_bytes - path_at)};
  }
  return {};
}

Result<Endpoint> Endpoint::unix_path(std::string_view path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path) {
    return fail(fmt::format("the unix socket path '{}' has {} bytes; it must have between 1 and {}", path, path.size(),
                            sizeof un.sun_path - 1));
  }
  if (path.find('\0') != std::string_view::npos) {
    return fail("the unix socket path holds a zero byte; give an ordinary file path");
  }
  std::memcpy(un.sun_path, path.data(), path.size());
  Endpoint endpoint;
  std::memcpy(&endpoint.address, &un, sizeof un);
  endpoint.address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return endpoint;
}

Result<std::vector<Endpoint>> Endpoint::resolve(const std::string& host, std::uint16_t port) {
  std::string bare = host;
  if (bare.size() >= 2 && bare.front() == '[' && bare.back() == ']') {
    bare = bare.substr(1, bare.size() - 2);
  }
  if (bare.empty()) {
    return fail("an empty host name: give an address such as 127.0.0.1, [::1] or 0.0.0.0");
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(bare.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0) {
    const char* why = error == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(error);
    return fail(
        fmt::format("no address found for '{}': {}; give a literal address or a name this host resolves", host, why));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  std::vector<Endpoint> endpoints;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) {
      continue;
    }
    Endpoint endpoint;
    std::memcpy(&endpoint.address, one->ai_addr, one->ai_addrlen);
    endpoint.address_bytes = one->ai_addrlen;
    bool is_new = true;
    for (const Endpoint& earlier : endpoints) {
      is_new = is_new && !same(earlier, endpoint);
    }
    if (is_new) {
      endpoints.push_back(endpoint);
    }
  }
  if (endpoints.empty()) {
    return fail(fmt::format("'{}' has neither an IPv4 nor an IPv6 address", host));
  }
  return endpoints;
}

}  // namespace millrace::dataplane
