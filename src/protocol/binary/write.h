// Binary replies as bytes. Pure; writes into memory that the caller sized with the constants here; returns the end of
// what was written. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/binary/header.h"
#include "protocol/binary/status_codes.h"
#include "protocol/limits.h"

namespace millrace::protocol::binary {

/// Whom a reply answers.
struct Asked {
  std::uint8_t opcode = 0;
  std::uint32_t opaque = 0;
};

/// Longest reply of an error: header and words.
inline constexpr std::size_t kErrorBytesMax = kHeaderBytes + 48;
/// Longest reply to a hit, without its value: header, flags, key.
inline constexpr std::size_t kHitHeadBytesMax = kHeaderBytes + 4 + kKeyBytesMax;
/// The reply of incr and decr.
inline constexpr std::size_t kNumberReplyBytes = kHeaderBytes + 8;

/// A header with nothing behind it.
char* write_done(char* at, Asked asked, std::uint64_t cas) noexcept;
/// memcached's words for `status` are the body.
char* write_error(char* at, Asked asked, Status status) noexcept;
/// What stands before the value of a hit; `key` empty: it is not asked for.
char* write_hit_head(char* at, Asked asked, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes,
                     std::uint64_t cas) noexcept;
/// A miss of a get that wants its key back: the key, and no words.
char* write_miss_with_key(char* at, Asked asked, std::string_view key) noexcept;
/// The new number of incr and decr.
char* write_number(char* at, Asked asked, std::uint64_t number, std::uint64_t cas) noexcept;

/// write_error() as a string. Cold.
std::string error_reply(Asked asked, Status status);
/// A reply whose body is text: version, the mechanisms of SASL. Cold.
std::string text_reply(Asked asked, Status status, std::string_view text);
/// One packet of a `stats` reply; both empty: the last. Cold.
void append_stat(std::string& out, Asked asked, std::string_view name, std::string_view value);

}  // namespace millrace::protocol::binary
