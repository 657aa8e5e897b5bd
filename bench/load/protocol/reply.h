// What the reply readers of all protocols tell their sink. Plain values.
//
// A reader cuts a server's byte stream into replies, however the stream was split, and holds each against the operation
// it answers: what is no reply to that stops it for good. Whether a value is the right one is its sink's business. The
// bytes come from the wire, so nothing about them is asserted. A reader is owned by one connection.
//
// A sink has, those that return bool returning false to stop:
//   Expected expected()                         the oldest request that is not answered yet
//   bool on_value(const ValueHeader&)           a hit; its key is valid during the call
//   bool on_value_bytes(std::uint32_t offset, std::string_view)   its data, in pieces; none for a value of 0 bytes
//   void on_miss()                              a key is not there, where the protocol says so
//   void on_error(std::string_view text)        the server says that it cannot
//   void on_done(Outcome)                       the reply is complete: the oldest request is answered
#pragma once

#include <cstdint>
#include <string_view>

#include "bench/load/operation.h"

namespace millrace::load {

/// No reader takes a larger value.
inline constexpr std::uint32_t kReplyValueBytesMax = 1U << 30;
/// So much of what was refused is kept.
inline constexpr std::size_t kOffenceBytesMax = 120;

struct Expected {
  Operation operation = Operation::Get;
  std::uint32_t keys = 0;  ///< 0: nothing is owed
};

struct ValueHeader {
  std::string_view key{};  ///< empty: that of the next key asked
  std::uint32_t flags = 0;
  std::uint32_t bytes = 0;
  std::uint64_t unique = 0;  ///< Gets
  bool has_flags = true;
};

enum class Outcome : std::uint8_t {
  Done,     ///< as asked; a read: all values that there are have come
  Refused,  ///< it was there (add, cas), or was not (append)
  Missed,   ///< delete, touch, cas, incr: it is not there
  Error,    ///< on_error() had the words
};

}  // namespace millrace::load
