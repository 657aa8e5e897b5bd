// The sockets that each worker listens on, all opened before anyone serves. Cold; main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"
#include "server/access.h"

namespace millrace::server {

/// One row a worker, one descriptor an address: those of streams first, then those of datagrams (-U), for each worker
/// its own, so that the kernel spreads clients over them by a hash of addresses and ports; then those of --udp-aim,
/// whose ports are one worker's alone. Owned by whoever takes them;
/// closed on destruction otherwise.
class Listening {
 public:
  static Result<Listening> open(const config::Options& options, std::uint32_t workers);
  Listening(Listening&& other) noexcept = default;
  Listening& operator=(Listening&&) = delete;
  ~Listening();

  /// Hands over the descriptors of one worker.
  std::vector<int> take(std::uint32_t worker);
  [[nodiscard]] const std::vector<std::string>& addresses() const { return addresses_; }
  /// What the doors ask of whoever comes, in the order of take(); then what a card does.
  [[nodiscard]] const std::vector<worker::ListenerPolicy>& policies() const { return policies_; }
  /// Of TCP; 0 without.
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  Listening() = default;
  Result<void> open_door(const config::Options& options, Door& door);
  Result<void> open_aimed(dataplane::Endpoint endpoint);
  std::vector<std::vector<int>> sockets_;
  std::vector<std::string> addresses_;
  std::vector<worker::ListenerPolicy> policies_;
  std::uint16_t port_ = 0;
};

}  // namespace millrace::server
