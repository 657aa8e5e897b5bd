// Which UDP ports are open, and whose they are. One core.
//
// Nothing allocates after the constructor but a longer list of numbers that were given back. Why a table with a place
// for every port: a client has hundreds of them, and the one load costs less than comparing with two.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace millrace::udp {

class PortTable {
 public:
  static constexpr std::size_t kPortsMax = 16'384;

  PortTable() : socket_of_(65'536, kNone) {}

  /// The number datagrams to `port` will carry, the lowest that was never used or one given back; nothing: port 0,
  /// taken, or no room.
  std::optional<std::uint16_t> bind(std::uint16_t port) noexcept {
    if (port == 0 || socket_of_[port] != kNone || (free_.empty() && count_ == kPortsMax)) {
      return std::nullopt;
    }
    if (free_.empty()) {
      socket_of_[port] = static_cast<std::uint16_t>(count_++);
    } else {
      socket_of_[port] = free_.back();
      free_.pop_back();
    }
    return socket_of_[port];
  }
  /// Of a port that is open: its number may be given to another.
  void unbind(std::uint16_t port) noexcept {
    free_.push_back(socket_of_[port]);
    socket_of_[port] = kNone;
  }
  [[nodiscard]] std::optional<std::uint16_t> find(std::uint16_t port) const noexcept {
    const std::uint16_t socket = find_or_none(port);
    return socket == kNone ? std::nullopt : std::optional(socket);
  }
  /// The same; kNone: it is closed.
  static constexpr std::uint16_t kNone = 0xffff;
  [[nodiscard]] std::uint16_t find_or_none(std::uint16_t port) const noexcept { return socket_of_[port]; }

 private:
  std::vector<std::uint16_t> socket_of_;  ///< by port
  std::vector<std::uint16_t> free_;
  std::size_t count_ = 0;
};

}  // namespace millrace::udp
