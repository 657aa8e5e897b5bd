// Who talks to whom: the addresses and ports that name a flow, seen from the receiver. Pure; any thread.
#pragma once

#include <cstring>

#include "dataplane/wire/address.h"

namespace millrace::wire {

struct FlowKey {
  IpAddress source{};
  IpAddress destination{};
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;

  friend constexpr bool operator==(const FlowKey&, const FlowKey&) = default;
  /// The same flow as the other end sees it.
  [[nodiscard]] constexpr FlowKey reversed() const noexcept {
    return {
        .source = destination, .destination = source, .source_port = destination_port, .destination_port = source_port};
  }
};

}  // namespace millrace::wire
