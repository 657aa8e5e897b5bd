// One suite over every FramePort (dataplane/port/frame_port.h). A port adds itself to frame_port_makers(), with a peer
// at the other end of its wire.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "dataplane/port/frame_port.h"

namespace millrace::contract {

using Frame = std::vector<std::byte>;

/// A port under test and whoever is at the other end.
class FramePortBench {
 public:
  virtual ~FramePortBench() = default;
  [[nodiscard]] virtual port::FramePort& port() = 0;
  /// The peer sends a whole frame.
  virtual void peer_sends(const Frame& frame) = 0;
  /// What the peer got next; nothing when there is none for now.
  virtual std::optional<Frame> peer_receives() = 0;
  /// Time for the ports's calls; each reading may move it.
  virtual Instant now() = 0;
  /// Packets that could be had when none is out.
  [[nodiscard]] virtual std::size_t packets_in_all() const = 0;
  /// Takes the link down, or brings it up; false: this port's link cannot be.
  virtual bool set_link(bool is_up) = 0;
};

struct FramePortMaker {
  const char* name;
  /// Null, with the sentence on standard output, when this host cannot have one.
  std::unique_ptr<FramePortBench> (*make)(std::uint16_t mtu);
};

inline void PrintTo(const FramePortMaker& maker, std::ostream* out) { *out << maker.name; }

std::vector<FramePortMaker> frame_port_makers();

}  // namespace millrace::contract
