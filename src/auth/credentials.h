// Who may come in: names and passwords, read from a file of `user:password` lines as memcached's -Y has it.
//
// Any thread; a plain value that does not change. Ownership: owns its bytes, which are overwritten when it goes.
// Invariants: 1. at least one entry, at most kUsersMax; 2. name and password are not empty, without zero bytes, and fit
// kLineBytesMax together. 3. How long admits() takes depends on nothing that is secret: all entries are compared, all
// bytes of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace millrace::auth {

inline constexpr std::size_t kUsersMax = 8;
inline constexpr std::size_t kLineBytesMax = 255;
/// Room for eight lines of the longest with their ends, and nothing like a disk image.
inline constexpr std::size_t kFileBytesMax = 4096;

/// Whether all `bytes` are the same; looks at every one of them.
[[nodiscard]] bool are_equal(const char* a, const char* b, std::size_t bytes) noexcept;

class Credentials {
 public:
  Credentials() = default;
  Credentials(const Credentials&) = default;
  Credentials& operator=(const Credentials&) = default;
  ~Credentials();

  /// The whole text of a file. An error names the line, never what stands in it.
  [[nodiscard]] static Result<Credentials> parse(std::string_view text);

  [[nodiscard]] bool admits(std::string_view user, std::string_view password) const noexcept;
  [[nodiscard]] std::size_t users() const noexcept { return count_; }

 private:
  /// A word, filled up with zeros, so that two of them can be compared without a look at their lengths.
  struct Word {
    std::array<char, kLineBytesMax + 1> bytes{};
    void set(std::string_view text) noexcept;
  };
  struct Entry {
    Word user;
    Word password;
  };

  std::array<Entry, kUsersMax> entries_{};
  std::size_t count_ = 0;
};

/// Reads and parses the file at `path`. Cold.
[[nodiscard]] Result<Credentials> read_credentials(const char* path);

}  // namespace millrace::auth
