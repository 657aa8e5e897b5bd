// Every bound of the protocol, with its reason. Compile-time; any thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::protocol {

/// Longest key: what memcached accepts, so every client cuts or hashes its keys to it.
inline constexpr std::size_t kKeyBytesMax = 250;

/// Longest command line, without its LF. memcached closes a connection that sent more without a line end (get and gets
/// apart), which bounds what an idle connection can make us keep.
inline constexpr std::size_t kLineBytesMax = 2048;

/// The one buffer a connection may own: a line that is not complete yet, and its LF. get and gets lines may be longer,
/// but of those no more than a key is ever kept.
inline constexpr std::size_t kCarryBytes = kLineBytesMax + 1;

/// Shortest line with its end (LF, or CR and LF) that can be a command: "mn" and CRLF. memcached calls anything shorter
/// a format error rather than an unknown command.
inline constexpr std::size_t kCommandLineBytesMin = 4;

/// Longest value length that is a number to us: lengths are signed 32-bit numbers in memcached, and the CRLF behind the
/// block has to be counted too. How long a value may be is the store's to say.
inline constexpr std::uint32_t kValueBytesMax = 0x7fffffffU - 2;

/// A data block is a value and the CRLF behind it.
inline constexpr std::uint32_t kBlockEndBytes = 2;

/// Longest block of a login: a user and a password, and blanks. It is kept whole, for a connection that may be
/// anybody's.
inline constexpr std::uint32_t kLoginBytesMax = 1024;

/// What a dialect says besides the fields that all have: its own, in few bytes, because they travel with the request.
inline constexpr std::size_t kExtraBytesMax = 128;

/// Digits looked at in a number, leading zeros included: memcached's limits, which are above any value that fits.
inline constexpr std::size_t kNumber32BytesMax = 11;
inline constexpr std::size_t kNumber64BytesMax = 22;

static_assert(kLineBytesMax > 5 * kKeyBytesMax,
              "a line has room for any command with its key, and for a gat of several");
static_assert(kValueBytesMax + kBlockEndBytes <= 0x7fffffffU);

}  // namespace millrace::protocol
