#include "dataplane/port/pcap_port.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::port {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{256} * 1024;
constexpr std::uint32_t kInbound = 1;
constexpr std::uint32_t kOutbound = 2;
constexpr std::uint32_t kBlockBytes = 32 + 12;  // of an enhanced packet block: fields, and an option with the direction
constexpr std::uint32_t kFrameBytesMax = 65'535 + 18;

}  // namespace

Result<std::unique_ptr<PcapPort>> PcapPort::open(FramePort& inner, const std::string& path,
                                                 std::int64_t wall_at_start_ns) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail("capture: cannot write " + path + ": " + std::strerror(errno));
  }
  return std::unique_ptr<PcapPort>(new PcapPort(inner, fd, wall_at_start_ns));
}

PcapPort::PcapPort(FramePort& inner, int fd, std::int64_t wall_at_start_ns)
    : inner_(inner), fd_(fd), wall_at_start_ns_(wall_at_start_ns), buffer_(kBufferBytes) {
  write_preamble();
}

PcapPort::~PcapPort() {
  flush();
  ::close(fd_);
}

template <typename Number>
void PcapPort::put(Number number) noexcept {
  std::memcpy(buffer_.data() + used_, &number, sizeof number);
  used_ += sizeof number;
}

void PcapPort::write_preamble() noexcept {
  // Section header block (4.1): our own byte order, version 1.0, length not said.
  put<std::uint32_t>(0x0a0d0d0a);
  put<std::uint32_t>(28);
  put<std::uint32_t>(0x1a2b3c4d);
  put<std::uint16_t>(1);
  put<std::uint16_t>(0);
  put<std::int64_t>(-1);
  put<std::uint32_t>(28);
  // Interface description block (4.2): Ethernet, frames whole, stamps in nanoseconds (if_tsresol = 9).
  put<std::uint32_t>(1);
  put<std::uint32_t>(32);
  put<std::uint16_t>(1);
  put<std::uint16_t>(0);
  put<std::uint32_t>(0);
  put<std::uint16_t>(9);
  put<std::uint16_t>(1);
  put<std::uint32_t>(9);
  put<std::uint32_t>(0);  // end of options
  put<std::uint32_t>(32);
}

void PcapPort::write_frame(Instant now, const buf::Packet& packet, std::uint32_t direction) noexcept {
  const std::uint32_t padding = (4 - packet.size() % 4) % 4;
  const std::uint32_t block_bytes = kBlockBytes + packet.size() + padding;
  if (packet.size() > kFrameBytesMax) {
    return;  // no port has such frames
  }
  if (used_ + block_bytes > buffer_.size()) {
    flush();
  }
  if (!is_whole_) {
    return;
  }
  const auto stamp = static_cast<std::uint64_t>(wall_at_start_ns_ + now.ns);
  put<std::uint32_t>(6);  // enhanced packet block (4.3)
  put(block_bytes);
  put<std::uint32_t>(0);  // interface
  put(static_cast<std::uint32_t>(stamp >> 32));
  put(static_cast<std::uint32_t>(stamp));
  put(packet.size());
  put(packet.size());
  packet.for_each_segment([&](std::span<const std::byte> segment) {
    std::memcpy(buffer_.data() + used_, segment.data(), segment.size());
    used_ += segment.size();
  });
  std::memset(buffer_.data() + used_, 0, padding);
  used_ += padding;
  put<std::uint16_t>(2);  // epb_flags
  put<std::uint16_t>(4);
  put(direction);
  put<std::uint32_t>(0);  // end of options
  put(block_bytes);
}

void PcapPort::flush() noexcept {
  std::size_t written = 0;
  while (is_whole_ && written < used_) {
    const ssize_t count = ::write(fd_, buffer_.data() + written, used_ - written);
    if (count > 0) {
      written += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      is_whole_ = false;
    }
  }
  used_ = 0;
}

std::size_t PcapPort::rx_burst(Instant now, std::span<buf::Packet> out) noexcept {
  const std::size_t count = inner_.rx_burst(now, out);
  for (const buf::Packet& packet : out.first(count)) {
    write_frame(now, packet, kInbound);
  }
  return count;
}

std::size_t PcapPort::tx_burst(Instant now, std::span<buf::Packet> packets) noexcept {
  // Taken packets are gone, so each is written before it is offered, and offered alone so that none is written twice.
  std::size_t count = 0;
  for (; count < packets.size(); ++count) {
    const std::size_t before = used_;
    write_frame(now, packets[count], kOutbound);
    const std::size_t block = used_ >= before ? used_ - before : used_;  // less: the buffer was flushed first
    if (inner_.tx_burst(now, packets.subspan(count, 1)) == 0) {
      used_ -= block;
      break;
    }
  }
  return count;
}

}  // namespace millrace::port
