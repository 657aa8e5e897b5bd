#include "dataplane/port/tap_port.h"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::port {
namespace {

constexpr std::uint16_t kFrameHeadersMax = 18;  // Ethernet and one tag
constexpr std::uint16_t kSegmentsMax = 8;

}  // namespace

Result<std::unique_ptr<TapPort>> TapPort::open(const TapOptions& options) {
  if (options.interface.empty() || options.interface.size() >= IFNAMSIZ) {
    return fail("tap: an interface name has 1 to 15 letters, not \"" + options.interface + "\"");
  }
  const int fd = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    return fail(std::string("tap: cannot open /dev/net/tun: ") + std::strerror(errno));
  }
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  std::memcpy(request.ifr_name, options.interface.data(), options.interface.size());
  if (::ioctl(fd, TUNSETIFF, &request) != 0) {
    const int error = errno;
    ::close(fd);
    return fail("tap: cannot make the interface " + options.interface + ": " + std::strerror(error) +
                (error == EPERM ? " (it takes root, or CAP_NET_ADMIN in this network namespace)" : ""));
  }
  return std::unique_ptr<TapPort>(new TapPort(options, fd));
}

TapPort::TapPort(const TapOptions& options, int fd)
    : fd_(fd),
      capabilities_{.mac = options.mac,
                    .mtu = options.mtu,
                    .buffer_bytes = static_cast<std::uint16_t>(options.mtu + kFrameHeadersMax),
                    .tx_segments_max = options.external_max > 0 ? kSegmentsMax : std::uint16_t{1},
                    .external_max = options.external_max},
      pool_({.buffers = options.buffers,
             .headroom_bytes = capabilities_.headroom_bytes,
             .buffer_bytes = capabilities_.buffer_bytes,
             .external_max = options.external_max}) {}

TapPort::~TapPort() { ::close(fd_); }

std::size_t TapPort::alloc(std::span<buf::Packet> out) noexcept {
  const std::size_t count = pool_.alloc(out);
  counters_.alloc_failed += out.size() - count;
  return count;
}

Status TapPort::attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept {
  const Status status = capabilities_.external_max > 0 ? pool_.attach(packet, bytes, token) : Status::Unsupported;
  counters_.alloc_failed += status == Status::Exhausted ? 1 : 0;
  return status;
}

std::size_t TapPort::rx_burst(Instant, std::span<buf::Packet> out) noexcept {
  std::size_t count = 0;
  while (count < out.size() && link_ == LinkState::Up && pool_.alloc(out.subspan(count, 1)) == 1) {
    buf::Packet& packet = out[count];
    // One byte more than a frame may have, so that a longer one is noticed: the kernel cuts it without a word.
    std::byte beyond;
    iovec pieces[2] = {{packet.append(capabilities_.buffer_bytes).data(), capabilities_.buffer_bytes}, {&beyond, 1}};
    const ssize_t got = ::readv(fd_, pieces, 2);
    if (got <= 0) {
      packet = buf::Packet{};
      if (got < 0 && errno == EBADFD) {
        link_ = LinkState::Removed;
      }
      break;  // nothing there; EIO: the kernel's end is down
    }
    if (got > capabilities_.buffer_bytes) {
      packet = buf::Packet{};
      ++counters_.rx_errors;
      continue;
    }
    packet.truncate(static_cast<std::uint32_t>(got));
    ++counters_.rx_frames;
    counters_.rx_bytes += static_cast<std::uint64_t>(got);
    ++count;
  }
  return count;
}

int TapPort::write_frame(const buf::Packet& packet) const noexcept {
  iovec pieces[kSegmentsMax];
  int count = 0;
  bool fits = packet.size() <= std::uint32_t{capabilities_.mtu} + kFrameHeadersMax;
  packet.for_each_segment([&](std::span<const std::byte> segment) {
    if (count == kSegmentsMax) {
      fits = false;
      return;
    }
    pieces[count++] = {const_cast<std::byte*>(segment.data()), segment.size()};
  });
  if (!fits) {
    return EMSGSIZE;
  }
  return ::writev(fd_, pieces, count) < 0 ? errno : 0;
}

std::size_t TapPort::tx_burst(Instant, std::span<buf::Packet> packets) noexcept {
  std::size_t count = 0;
  for (; count < packets.size() && link_ == LinkState::Up; ++count) {
    const std::uint32_t bytes = packets[count].size();
    const int error = write_frame(packets[count]);
    if (error == EAGAIN) {
      break;
    }
    if (error == 0) {
      ++counters_.tx_frames;
      counters_.tx_bytes += bytes;
    } else {
      ++counters_.tx_errors;  // EIO: the kernel's end is down, and a cable would lose the frame too
    }
  }
  buf::release_burst(packets.first(count));
  counters_.tx_refused += packets.size() - count;
  return count;
}

}  // namespace millrace::port
