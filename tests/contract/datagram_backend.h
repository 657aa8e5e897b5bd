// A backend under rules 15 to 18: makes transports with a listening datagram socket, and clients that reach it. Apart
// from Backend, because a transport that has no streams keeps these rules too.
//
// Another backend adds a file with a maker and its name to datagram_backends(); what cannot be had on this host says
// so.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/api/datagram.h"
#include "dataplane/api/transport.h"

namespace millrace::contract {

/// What a test wants of a transport beyond the usual. A backend that has no such limit does as well as it can.
struct DatagramWanted {
  std::uint32_t datagram_bytes_max = 65536;  ///< the longest that is taken in
  std::uint32_t receive_buffers = 256;
  std::uint32_t sends_max = 512;  ///< datagrams that can be under way
};

/// A client's socket, bound to a port of its own. It speaks to the listening socket only: what comes from another
/// address or port than it wrote to is no answer, and not seen.
class DatagramClient {
 public:
  virtual ~DatagramClient() = default;
  virtual void send(std::string_view bytes) = 0;
  /// The answer that waits, if one does.
  virtual std::optional<std::string> receive() = 0;
  /// What an event about a datagram of this client must say, but for the number of the socket.
  [[nodiscard]] virtual dataplane::DatagramFlow flow() const = 0;
};

class DatagramBackend {
 public:
  virtual ~DatagramBackend() = default;
  /// Null, with the sentence on standard output, when this host cannot have one. The backend outlives it.
  virtual std::unique_ptr<dataplane::Transport> make(const DatagramWanted& wanted) = 0;
  /// A client of the transport made last.
  virtual std::unique_ptr<DatagramClient> client() = 0;
  /// The index by which events name the listening socket.
  [[nodiscard]] virtual std::uint16_t listener() const = 0;
  /// The longest datagram that a client can send and get.
  [[nodiscard]] virtual std::size_t datagram_bytes_max() const = 0;
  /// Whether nothing is too long for it, whatever a test wants.
  [[nodiscard]] virtual bool takes_any_length() const { return false; }
  /// Whether questions come with room (rule 18), once their client has been answered.
  [[nodiscard]] virtual bool has_room() const { return false; }
  /// Called between polls: a wire without a thread of its own moves here what is on it.
  virtual void move() {}
};

struct DatagramBackendMaker {
  const char* name;
  std::unique_ptr<DatagramBackend> (*make)();
};

inline void PrintTo(const DatagramBackendMaker& maker, std::ostream* out) { *out << maker.name; }

/// Every backend of this build; the suite runs over each.
const std::vector<DatagramBackendMaker>& datagram_backends();

}  // namespace millrace::contract
