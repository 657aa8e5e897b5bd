// A backend under the contract suite: makes transports that listen somewhere, and peers that reach them.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "dataplane/api/transport.h"
#include "tests/contract/peer.h"

namespace millrace::contract {

/// What a test wants of a transport beyond the usual.
struct Wanted {
  std::uint32_t connections_max = 4096;
  std::uint32_t receive_buffers = 256;
  std::uint32_t receive_buffer_bytes = 8192;
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// Null, with the sentence on standard output, when this host cannot have one.
  virtual std::unique_ptr<dataplane::Transport> make(const Wanted& wanted) = 0;
  /// Where the transport made last listens.
  [[nodiscard]] virtual dataplane::Endpoint endpoint() const = 0;
  /// Whether a reset reaches the other side as such.
  [[nodiscard]] virtual bool has_resets() const = 0;
};

struct BackendMaker {
  const char* name;
  std::unique_ptr<Backend> (*make)();
};

inline void PrintTo(const BackendMaker& maker, std::ostream* out) { *out << maker.name; }

/// Every backend of this build; the suite runs over each.
const std::vector<BackendMaker>& backends();

}  // namespace millrace::contract
