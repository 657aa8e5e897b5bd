// The kernel's forms of addresses and control messages, and ours.
#include "dataplane/uring/datagram_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <liburing.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace millrace::uring {
namespace {

using dataplane::DatagramFlow;
using dataplane::IpBytes;

// Multiples of 8, so that control messages and the datagram are aligned as the buffer is.
constexpr std::size_t kNameBytes = 32;
constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo)) + CMSG_SPACE(sizeof(std::uint32_t));
constexpr std::size_t kFrontBytes = sizeof(io_uring_recvmsg_out) + kNameBytes + kControlBytes;
static_assert(kNameBytes >= sizeof(sockaddr_in6) && sizeof(io_uring_recvmsg_out) % 8 == 0 && kControlBytes % 8 == 0);

IpBytes mapped(const in_addr& v4) noexcept {
  IpBytes bytes{};
  bytes[10] = bytes[11] = 0xff;
  std::memcpy(bytes.data() + 12, &v4, sizeof v4);
  return bytes;
}

IpBytes plain(const in6_addr& v6) noexcept {
  IpBytes bytes;
  std::memcpy(bytes.data(), &v6, sizeof v6);
  return bytes;
}

bool is_link_local(const IpBytes& address) noexcept { return address[0] == 0xfe && (address[1] & 0xc0) == 0x80; }

template <typename Value>
Value value_of(const cmsghdr* header) noexcept {
  Value value;
  std::memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

void read_name(const DatagramSocket& socket, const char* name, DatagramFlow& flow) noexcept {
  if (socket.is_v4) {
    sockaddr_in from;
    std::memcpy(&from, name, sizeof from);
    flow.peer = mapped(from.sin_addr);
    flow.peer_port = ntohs(from.sin_port);
  } else {
    sockaddr_in6 from;
    std::memcpy(&from, name, sizeof from);
    flow.peer = plain(from.sin6_addr);
    flow.peer_port = ntohs(from.sin6_port);
    flow.scope = from.sin6_scope_id;
  }
}

void read_where(const in6_pktinfo& where, DatagramFlow& flow) noexcept {
  // An answer cannot leave from a group: then the kernel chooses.
  flow.local = IN6_IS_ADDR_MULTICAST(&where.ipi6_addr) ? IpBytes{} : plain(where.ipi6_addr);
  if (flow.scope == 0 && is_link_local(flow.local)) {
    flow.scope = static_cast<std::uint32_t>(where.ipi6_ifindex);
  }
}

void read_control(DatagramSocket& socket, char* control, std::size_t size, ReceivedDatagram& out) noexcept {
  msghdr message{};
  message.msg_control = control;
  message.msg_controllen = size;
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO) {
      out.flow.local = mapped(value_of<in_pktinfo>(one).ipi_spec_dst);
    } else if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO) {
      read_where(value_of<in6_pktinfo>(one), out.flow);
    } else if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SO_RXQ_OVFL) {
      const auto lost = value_of<std::uint32_t>(one);
      out.lost = lost - socket.lost_so_far;
      socket.lost_so_far = lost;
    }
  }
}

template <typename Value>
void write_control(DatagramAddress& to, msghdr& message, int level, int type, const Value& value) noexcept {
  message.msg_control = to.control;
  message.msg_controllen = CMSG_SPACE(sizeof value);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  std::memcpy(CMSG_DATA(header), &value, sizeof value);
}

}  // namespace

std::size_t DatagramSocket::front_bytes() noexcept { return kFrontBytes; }

Result<DatagramSocket> DatagramSocket::describe(int fd) {
  DatagramSocket socket;
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return fail(fmt::format("cannot ask where a socket listens: {}", std::strerror(errno)));
  }
  const int on = 1;
  bool is_set = setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) == 0;
  if (bound.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &bound, sizeof in);
    socket.is_v4 = true;
    socket.is_wildcard = in.sin_addr.s_addr == htonl(INADDR_ANY);
    socket.local = mapped(in.sin_addr);
    socket.port = ntohs(in.sin_port);
    is_set = is_set && (!socket.is_wildcard || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) == 0);
  } else if (bound.ss_family == AF_INET6) {
    sockaddr_in6 in6;
    std::memcpy(&in6, &bound, sizeof in6);
    socket.is_wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
    socket.local = plain(in6.sin6_addr);
    socket.port = ntohs(in6.sin6_port);
    is_set = is_set && (!socket.is_wildcard || setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) == 0);
  } else {
    return fail("a listening datagram socket is neither of IPv4 nor of IPv6");
  }
  if (!is_set) {
    return fail(fmt::format("a datagram socket does not tell where its datagrams arrive: {}", std::strerror(errno)));
  }
  socket.shape.msg_namelen = kNameBytes;
  socket.shape.msg_controllen = kControlBytes;
  return socket;
}

ReceivedDatagram read_datagram(DatagramSocket& socket, const char* buffer, std::size_t size) noexcept {
  MR_ASSERT(size >= kFrontBytes);
  io_uring_recvmsg_out front;
  std::memcpy(&front, buffer, sizeof front);
  ReceivedDatagram out{.bytes = {buffer + kFrontBytes, size - kFrontBytes},
                       .flow = {.local = socket.local, .local_port = socket.port},
                       .is_truncated = (front.flags & MSG_TRUNC) != 0};
  read_name(socket, buffer + sizeof front, out.flow);
  if (front.controllen != 0) {
    // CMSG_FIRSTHDR gives what it takes: no const. Nothing is written.
    read_control(socket, const_cast<char*>(buffer) + sizeof front + kNameBytes,
                 std::min<std::size_t>(front.controllen, kControlBytes), out);
  }
  return out;
}

void address_datagram(const DatagramSocket& socket, const DatagramFlow& flow, DatagramAddress& to,
                      msghdr& message) noexcept {
  const bool chooses = !socket.is_wildcard || flow.local == IpBytes{};
  message.msg_name = &to.peer;
  if (socket.is_v4) {
    to.peer.v4 = {};
    to.peer.v4.sin_family = AF_INET;
    to.peer.v4.sin_port = htons(flow.peer_port);
    std::memcpy(&to.peer.v4.sin_addr, flow.peer.data() + 12, sizeof(in_addr));
    message.msg_namelen = sizeof(sockaddr_in);
    if (!chooses) {
      in_pktinfo from{};
      std::memcpy(&from.ipi_spec_dst, flow.local.data() + 12, sizeof(in_addr));
      write_control(to, message, IPPROTO_IP, IP_PKTINFO, from);
    }
    return;
  }
  to.peer.v6 = {};
  to.peer.v6.sin6_family = AF_INET6;
  to.peer.v6.sin6_port = htons(flow.peer_port);
  to.peer.v6.sin6_scope_id = flow.scope;
  std::memcpy(&to.peer.v6.sin6_addr, flow.peer.data(), sizeof(in6_addr));
  message.msg_namelen = sizeof(sockaddr_in6);
  if (!chooses) {
    in6_pktinfo from{};
    std::memcpy(&from.ipi6_addr, flow.local.data(), sizeof(in6_addr));
    from.ipi6_ifindex = is_link_local(flow.local) ? flow.scope : 0;
    write_control(to, message, IPPROTO_IPV6, IPV6_PKTINFO, from);
  }
}

}  // namespace millrace::uring
