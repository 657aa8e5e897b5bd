// Which UDP ports are open, and whose they are. One core; filled at start, or when an operator says so.
//
// No allocation. Why a list: a worker has one or two ports; a comparison of each is a few instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace millrace::udp {

class PortTable {
 public:
  static constexpr std::size_t kPortsMax = 16;

  /// The number datagrams to `port` will carry; nothing: port 0, taken, or no room.
  std::optional<std::uint16_t> bind(std::uint16_t port) noexcept {
    if (port == 0 || count_ == kPortsMax || find(port)) {
      return std::nullopt;
    }
    ports_[count_] = port;
    return static_cast<std::uint16_t>(count_++);
  }
  [[nodiscard]] std::optional<std::uint16_t> find(std::uint16_t port) const noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      if (ports_[i] == port) {
        return static_cast<std::uint16_t>(i);
      }
    }
    return std::nullopt;
  }

 private:
  std::array<std::uint16_t, kPortsMax> ports_{};
  std::size_t count_ = 0;
};

}  // namespace millrace::udp
