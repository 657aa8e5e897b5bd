// The credentials in force, and their exchange while the server runs.
//
// Thread: admits() on any worker, reload() on the main thread, at the same time. A worker reads the pointer only in a
// handshake, never per request; whoever is in the middle of a check keeps the old credentials until it is done.
// Ownership: the server's; outlives the workers. Invariant: there are always credentials: a file that cannot be read
// changes nothing.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "auth/credentials.h"

namespace millrace::auth {

class Authenticator {
 public:
  /// Reads the file at `path`, and again at each reload().
  [[nodiscard]] static Result<std::unique_ptr<Authenticator>> open(std::string path);

  [[nodiscard]] bool admits(std::string_view user, std::string_view password) const noexcept;
  /// How many users there are now; an error: the file is bad and the old credentials stay. Connections that have
  /// authenticated stay as they are.
  [[nodiscard]] Result<std::size_t> reload();
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  Authenticator(std::string path, std::shared_ptr<const Credentials> first)
      : path_(std::move(path)), current_(std::move(first)) {}

  std::string path_;
  std::atomic<std::shared_ptr<const Credentials>> current_;
};

}  // namespace millrace::auth
