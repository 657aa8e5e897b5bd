// Any port, with everything that passes written to a pcapng file (draft-ietf-opsawg-pcapng), to be read by tshark.
//
// Thread: the port's. Ownership: borrows the port; owns the file. Packets and tokens are the inner port's.
// Blocks are gathered in memory and written when it is full, by flush() and at the end: that write may wait for the
// disk, which is why a capture is something an operator asks for. A disk that fails ends the capture, not the traffic.
// Received frames are written as they came (with checksums as the device left them); sent ones when the port took them.
// Checksums that a device fills are not in the file: make the stack without offloads, or tell tshark not to check.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataplane/port/frame_port.h"

namespace millrace::port {

class PcapPort final : public FramePort {
 public:
  /// `wall_at_start_ns`: Unix time at Instant{0}, for the stamps in the file.
  static Result<std::unique_ptr<PcapPort>> open(FramePort& inner, const std::string& path,
                                                std::int64_t wall_at_start_ns);
  PcapPort(const PcapPort&) = delete;
  PcapPort& operator=(const PcapPort&) = delete;
  ~PcapPort() override;

  std::size_t rx_burst(Instant now, std::span<buf::Packet> out) noexcept override;
  std::size_t tx_burst(Instant now, std::span<buf::Packet> packets) noexcept override;
  std::size_t alloc(std::span<buf::Packet> out) noexcept override { return inner_.alloc(out); }
  Status attach(buf::Packet& packet, std::span<const std::byte> bytes, std::uint64_t token) noexcept override {
    return inner_.attach(packet, bytes, token);
  }
  std::size_t take_released(std::span<std::uint64_t> tokens) noexcept override { return inner_.take_released(tokens); }
  [[nodiscard]] LinkState link() const noexcept override { return inner_.link(); }
  [[nodiscard]] const PortCapabilities& capabilities() const noexcept override { return inner_.capabilities(); }
  [[nodiscard]] const PortCounters& counters() const noexcept override { return inner_.counters(); }
  void release(std::span<void* const> origins) noexcept override { inner_.release(origins); }
  [[nodiscard]] buf::SegmentView next_segment(void* origin) const noexcept override {
    return inner_.next_segment(origin);
  }

  void flush() noexcept;
  /// False: the disk did not take it; nothing was written since.
  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }

 private:
  PcapPort(FramePort& inner, int fd, std::int64_t wall_at_start_ns);
  void write_preamble() noexcept;
  void write_frame(Instant now, const buf::Packet& packet, std::uint32_t direction) noexcept;
  template <typename Number>
  void put(Number number) noexcept;

  FramePort& inner_;
  int fd_;
  std::int64_t wall_at_start_ns_;
  bool is_whole_ = true;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
};

}  // namespace millrace::port
