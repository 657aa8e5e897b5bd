// What a process does to itself before it serves: limits, the background, its user, its pid file. Cold; main thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.h"

namespace millrace::server {

/// Room for `connections` and the server's own descriptors: raises RLIMIT_NOFILE as far as it may. A sentence when the
/// limit stays below what -c needs.
Result<void> raise_descriptor_limit(std::uint32_t connections, std::uint32_t workers);

/// -r: core files as large as the hard limit allows.
Result<void> raise_core_limit();

/// -d: a child goes on without the terminal. The parent stays until the child serves or has ended, and leaves with its
/// status, so that whoever started it sees a start that failed, and why.
class Background {
 public:
  /// Returns in the child. Call before any thread is started.
  static Result<Background> enter();
  /// Of a process that stays where it is.
  Background() = default;
  Background(Background&& other) noexcept : parent_(std::exchange(other.parent_, -1)) {}
  Background& operator=(Background&& other) noexcept {
    std::swap(parent_, other.parent_);
    return *this;
  }
  ~Background();
  /// The child serves: lets its parent and its terminal go.
  Result<void> settle();

 private:
  explicit Background(int parent) : parent_(parent) {}
  int parent_ = -1;  ///< a pipe: a byte says that we serve, its end that we do not
};

/// -u: becomes `user` for good, all threads; the socket file at `unix_path`, if not empty, becomes the user's too. Does
/// nothing when we are not root.
Result<void> become_user(const std::string& user, const std::string& unix_path);

/// -P: writes the pid on construction, removes the file on destruction.
class PidFile {
 public:
  static Result<PidFile> create(const std::string& path);
  PidFile() = default;
  PidFile(PidFile&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  PidFile& operator=(PidFile&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~PidFile();

 private:
  explicit PidFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace millrace::server
