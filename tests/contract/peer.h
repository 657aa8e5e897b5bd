// The other end of a connection: a plain blocking socket, as simple as can be, so that what a test sees is the
// transport's doing. It blocks for no longer than patience lasts, twice over: the driver's own waits fail first.
// One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/api/endpoint.h"

namespace millrace::contract {

class Peer {
 public:
  Peer() = default;
  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Peer& operator=(Peer&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  /// A socket of the endpoint's family, not yet connected.
  static Peer unconnected(const dataplane::Endpoint& to);
  bool connect(const dataplane::Endpoint& to);

  /// False when the connection broke before all was taken.
  bool send(std::string_view bytes);
  /// Sends what the kernel takes without blocking; returns how much.
  std::size_t send_some(std::string_view bytes);
  /// Blocks for at least one byte; empty at the end of the stream, or when it was reset (see was_reset()).
  std::string receive(std::size_t bytes_max);
  /// Blocks until `bytes` are there or the stream ended.
  std::string receive_exactly(std::size_t bytes);
  /// Everything up to the end of the stream.
  std::string receive_to_end();
  [[nodiscard]] bool was_reset() const { return was_reset_; }

  void finish_sending();  ///< half close
  void reset();           ///< closes with a reset
  void close();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
  bool was_reset_ = false;
};

}  // namespace millrace::contract
