// What a process does to itself before it serves: limits, the background, its user, its pid file. Cold; main thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace millrace::server {

/// Room for `connections` and the server's own descriptors: raises RLIMIT_NOFILE as far as it may. A sentence when the
/// limit stays below what -c needs.
Result<void> raise_descriptor_limit(std::uint32_t connections, std::uint32_t workers);

/// -r: core files as large as the hard limit allows.
Result<void> raise_core_limit();

/// -k: keeps every page of the process in memory.
Result<void> lock_all_memory();

/// -d: into the background, away from the terminal. Returns in the child; call before any thread is started.
Result<void> go_to_background();

/// -u: becomes `user` for good, all threads. Does nothing when we are not root.
Result<void> become_user(const std::string& user);

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
