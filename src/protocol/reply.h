// Replies as bytes. The fixed lines, and the few that are built. Pure; writes into memory that the caller sized with
// the constants here; returns the end of what was written. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace millrace::protocol {

namespace reply {
inline constexpr std::string_view kStored = "STORED\r\n";
inline constexpr std::string_view kNotStored = "NOT_STORED\r\n";
inline constexpr std::string_view kExists = "EXISTS\r\n";
inline constexpr std::string_view kNotFound = "NOT_FOUND\r\n";
inline constexpr std::string_view kDeleted = "DELETED\r\n";
inline constexpr std::string_view kTouched = "TOUCHED\r\n";
inline constexpr std::string_view kOk = "OK\r\n";
inline constexpr std::string_view kEnd = "END\r\n";
inline constexpr std::string_view kReset = "RESET\r\n";
inline constexpr std::string_view kMetaMiss = "EN\r\n";
inline constexpr std::string_view kMetaNoop = "MN\r\n";
inline constexpr std::string_view kCrlf = "\r\n";
inline constexpr std::string_view kError = "ERROR\r\n";
inline constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format\r\n";
inline constexpr std::string_view kBadChunk = "CLIENT_ERROR bad data chunk\r\n";
inline constexpr std::string_view kBadExptime = "CLIENT_ERROR invalid exptime argument\r\n";
inline constexpr std::string_view kBadDelta = "CLIENT_ERROR invalid numeric delta argument\r\n";
inline constexpr std::string_view kNotNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
inline constexpr std::string_view kBadFlagToken = "CLIENT_ERROR bad token in command line format\r\n";
inline constexpr std::string_view kBadInitial = "CLIENT_ERROR invalid numeric initial value\r\n";
inline constexpr std::string_view kBadDeltaValue = "CLIENT_ERROR invalid numeric delta value\r\n";
inline constexpr std::string_view kBadKey = "CLIENT_ERROR error decoding key\r\n";
inline constexpr std::string_view kBadSetMode = "CLIENT_ERROR invalid mode for ms M token\r\n";
inline constexpr std::string_view kBadArithMode = "CLIENT_ERROR invalid mode for ma M token\r\n";
inline constexpr std::string_view kInvalidFlag = "CLIENT_ERROR invalid flag\r\n";
inline constexpr std::string_view kDuplicateFlag = "CLIENT_ERROR duplicate flag\r\n";
inline constexpr std::string_view kBadArithFlag = "CLIENT_ERROR invalid or duplicate flag\r\n";
inline constexpr std::string_view kTooManyFlags = "CLIENT_ERROR options flags are too long\r\n";
inline constexpr std::string_view kOpaqueTooLong = "CLIENT_ERROR opaque token too long\r\n";
inline constexpr std::string_view kTooLarge = "SERVER_ERROR object too large for cache\r\n";
inline constexpr std::string_view kOutOfMemoryStoring = "SERVER_ERROR out of memory storing object\r\n";
inline constexpr std::string_view kOutOfMemory = "SERVER_ERROR out of memory\r\n";
inline constexpr std::string_view kOutOfMemoryAllocating = "SERVER_ERROR Out of memory allocating new item\r\n";
inline constexpr std::string_view kOutOfMemoryWriting = "SERVER_ERROR out of memory writing get response\r\n";
inline constexpr std::string_view kOutOfMemoryStats = "SERVER_ERROR out of memory writing stats\r\n";
inline constexpr std::string_view kOutOfMemoryReading = "SERVER_ERROR Out of memory during read\r\n";
inline constexpr std::string_view kBadShutdownMode = "CLIENT_ERROR invalid shutdown mode\r\n";
inline constexpr std::string_view kShutdownDisabled = "SERVER_ERROR: shutdown not enabled\r\n";
inline constexpr std::string_view kTooLongForUdp = "SERVER_ERROR response too long for UDP\r\n";
inline constexpr std::string_view kUnauthenticated = "CLIENT_ERROR unauthenticated\r\n";
inline constexpr std::string_view kTokenTooLong = "CLIENT_ERROR auth token too long\r\n";
inline constexpr std::string_view kBadTermination = "CLIENT_ERROR bad command line termination\r\n";
inline constexpr std::string_view kBadToken = "CLIENT_ERROR bad authentication token format\r\n";
inline constexpr std::string_view kAuthFailure = "CLIENT_ERROR authentication failure\r\n";
inline constexpr std::string_view kNotAllowedHere = "CLIENT_ERROR command not allowed here\r\n";
inline constexpr std::string_view kTooManyConnections = "ERROR Too many open connections\r\n";
}  // namespace reply

/// Longest `VALUE <key> <flags> <bytes> <cas>\r\n`.
inline constexpr std::size_t kValueLineBytesMax = 6 + 250 + 1 + 10 + 1 + 10 + 1 + 20 + 2;
/// Longest number line.
inline constexpr std::size_t kNumberLineBytesMax = 20 + 2;

// All of these may write what is behind their text, too, as far as the longest text would reach.

/// `VALUE <key> <flags> <bytes>\r\n`, at most kValueLineBytesMax.
char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes) noexcept;
/// `VALUE <key> <flags> <bytes> <cas>\r\n`.
char* write_value_line(char* at, std::string_view key, std::uint32_t flags, std::uint32_t value_bytes,
                       std::uint64_t cas) noexcept;
/// `<number>`, at most 20 bytes.
char* write_number(char* at, std::uint64_t number) noexcept;
/// `<number>\r\n`.
char* write_number_line(char* at, std::uint64_t number) noexcept;

}  // namespace millrace::protocol
