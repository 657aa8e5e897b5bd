#include "tests/contract/peer.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tests/contract/patience.h"

namespace millrace::contract {
namespace {

constexpr std::size_t kReadBytes = 1 << 16;

/// A call with a time limit is interrupted when the kernel takes down the ring of the test before.
template <typename Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

}  // namespace

Peer Peer::unconnected(const dataplane::Endpoint& to) {
  const int fd = socket(to.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{.tv_sec = 2 * kPatience.count(), .tv_usec = 0};
  for (const int wait : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    setsockopt(fd, SOL_SOCKET, wait, &limit, sizeof limit);
  }
  return Peer(fd);
}

bool Peer::connect(const dataplane::Endpoint& to) {
  const auto* address = reinterpret_cast<const sockaddr*>(&to.address);
  return uninterrupted([&] { return ::connect(fd_, address, to.address_bytes); }) == 0;
}

bool Peer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = uninterrupted([&] { return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); });
    if (sent < 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::size_t Peer::send_some(std::string_view bytes) {
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

std::string Peer::receive(std::size_t bytes_max) {
  std::string bytes(bytes_max, '\0');
  const ssize_t got = uninterrupted([&] { return recv(fd_, bytes.data(), bytes.size(), 0); });
  was_reset_ = was_reset_ || (got < 0 && errno == ECONNRESET);
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

std::string Peer::receive_exactly(std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) {
    const std::string some = receive(std::min(bytes - all.size(), kReadBytes));
    if (some.empty()) {
      break;
    }
    all += some;
  }
  return all;
}

std::string Peer::receive_to_end() {
  std::string all;
  for (std::string some = receive(kReadBytes); !some.empty(); some = receive(kReadBytes)) {
    all += some;
  }
  return all;
}

void Peer::finish_sending() { shutdown(fd_, SHUT_WR); }

void Peer::reset() {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void Peer::close() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

}  // namespace millrace::contract
