// Replies to meta commands as bytes: the flags behind a code such as HD. Pure; any thread. Writes into memory that the
// caller sized with the constant here; returns the end of what was written.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/limits.h"
#include "protocol/meta/args.h"
#include "protocol/meta/base64.h"

namespace millrace::protocol::meta {

/// What an item is told to be.
struct Shown {
  std::string_view key;
  std::uint32_t value_bytes = 0;
  std::int64_t ttl_s = -1;  ///< -1: none
  std::uint64_t cas = 0;
  std::uint32_t client_flags = 0;
  std::uint32_t idle_s = 0;
  bool was_fetched = false;
};

/// Longest line: a code with a length, each flag once, Z, X and W, CRLF.
inline constexpr std::size_t kLineBytesMax =
    (3 + 10) + 12 + 22 + 22 + 12 + 12 + 3 + (1 + kOpaqueBytesMax) + (2 + base64_bytes(kKeyBytesMax) + 2) + 6 + 2;

/// ` <flag>` for each that was asked for, in the order in which they were.
char* write_returns(char* at, const Extra& extra, const Shown& shown) noexcept;
/// The same for what answers no item: key and opaque alone.
char* write_reflected(char* at, const Extra& extra, std::string_view key) noexcept;

}  // namespace millrace::protocol::meta
