// A listening datagram socket as the transport sees it: what is fixed about it, and what lies in front of each datagram
// that the kernel put into a receive buffer.
//
// Thread: describe() on any, before the socket is used; the rest on the transport's. Ownership: values; the descriptor
// is the transport's. Each buffer of a multishot recvmsg is laid out so (liburing's io_uring_recvmsg_out):
//
//   | io_uring_recvmsg_out | name: who sent it | control: where it arrived, what was lost before | the datagram |
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "dataplane/api/datagram.h"

namespace millrace::uring {

/// The longest payload over IPv6 without jumbograms is 65527 bytes, over IPv4 65507.
inline constexpr std::uint32_t kDatagramBytesMax = 65536;

struct DatagramSocket {
  msghdr shape{};  ///< how much room name and control get in front of each datagram
  dataplane::IpBytes local{};
  std::uint16_t port = 0;
  bool is_v4 = false;
  bool is_wildcard = false;  ///< each datagram says which address of ours it came to, and each answer leaves from it
  std::uint32_t lost_so_far = 0;  ///< the kernel's own count, when it told it last

  /// Bytes in front of the datagram in its buffer.
  [[nodiscard]] static std::size_t front_bytes() noexcept;
  /// Asks the kernel where the socket is bound, and makes it tell what we need.
  static Result<DatagramSocket> describe(int fd);
};

struct ReceivedDatagram {
  std::string_view bytes;
  dataplane::DatagramFlow flow;  ///< but for the number of the socket
  bool is_truncated = false;
  std::uint32_t lost = 0;  ///< datagrams that found no room in the socket since the last one we were told of
};

/// What the kernel wrote into a buffer.
[[nodiscard]] ReceivedDatagram read_datagram(DatagramSocket& socket, const char* buffer, std::size_t size) noexcept;

/// Whom a datagram goes to and where it leaves, in the kernel's form, beside the message that points to it.
struct DatagramAddress {
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } peer;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in6_pktinfo))];
};

/// Fills `to` and points `message` to it.
void address_datagram(const DatagramSocket& socket, const dataplane::DatagramFlow& flow, DatagramAddress& to,
                      msghdr& message) noexcept;

}  // namespace millrace::uring
