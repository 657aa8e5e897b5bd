// A TAP device as a FramePort: the kernel's network stack is the peer. For developers and tests, not for speed: one
// system call a frame.
//
// Thread: open() anywhere; then one. Ownership: owns the descriptor and the pool its packets come from. With one open
// descriptor the interface vanishes with the port. The kernel's end (up, addresses, MTU) is the operator's affair:
// `ip`.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "dataplane/buf/packet_pool.h"
#include "dataplane/port/frame_port.h"

namespace millrace::port {

struct TapOptions {
  std::string interface{};  ///< its name on the kernel's side; made when it is not there
  MacBytes mac{};           ///< ours; the kernel's end has one of its own
  std::uint16_t mtu = 1500;
  std::uint32_t buffers = 1024;
  std::uint32_t external_max = 256;
};

class TapPort final : public FramePort {
 public:
  static Result<std::unique_ptr<TapPort>> open(const TapOptions& options);
  TapPort(const TapPort&) = delete;
  TapPort& operator=(const TapPort&) = delete;
  ~TapPort() override;

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override;
  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override;
  std::size_t alloc(std::span<buf::Packet> out) noexcept override;
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override;
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override { return pool_.take_released(tokens); }
  [[nodiscard]] LinkState link() const noexcept override { return link_; }
  [[nodiscard]] const PortCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] const PortCounters& counters() const noexcept override { return counters_; }

  void release(std::span<void* const> origins) noexcept override { pool_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return pool_.next_segment(origin);
  }

  /// To wait for frames with poll(2).
  [[nodiscard]] int descriptor() const noexcept { return fd_; }
  [[nodiscard]] std::size_t free_buffers() const noexcept { return pool_.free_buffers(); }

 private:
  TapPort(const TapOptions& options, int fd);
  /// 0: sent. Else errno.
  int write_frame(const buf::Packet& packet) const noexcept;

  int fd_;
  LinkState link_ = LinkState::Up;
  PortCapabilities capabilities_;
  PortCounters counters_;
  buf::PacketPool pool_;
};

}  // namespace millrace::port
