// Bytes of one connection in, requests out: the classic text protocol as a resumable, single-pass parser.
//
// Thread: the worker that owns the connection. Ownership: owns at most one carry buffer (a line that is not complete yet,
// limits.h says how long it can get), allocated when first needed. Pure: no socket, no store, no clock.
//
// Use: give the unread bytes to next() again and again, dropping `consumed` bytes from the front each time, until it says
// NeedMore. After ValueBegins, hand bytes to take_value() until it says that the block is over.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "protocol/limits.h"
#include "protocol/request.h"

namespace millrace::protocol {

enum class Found : std::uint8_t {
  NeedMore,     ///< all bytes given were taken in; nothing complete
  Request,      ///< `request` is whole; a storage command's `value` is a view of its data block, CRLF checked
  ValueBegins,  ///< a storage command whose data block is not all here: decide, then call take_value or skip_value
  Error,        ///< a request that cannot be: send `error` as it is (unless empty: noreply); the connection stays usable
  Close,        ///< not our protocol, or hopeless: send `error` (may be empty) and close
};

struct Parsed {
  Found found = Found::NeedMore;
  std::uint32_t consumed = 0;
  std::string_view error{};  ///< a whole reply line with CRLF; static storage
};

struct ValueTaken {
  std::string_view bytes{};    ///< part of the value, to be copied to where it belongs
  std::uint32_t consumed = 0;  ///< `bytes` and what of the CRLF was there
  bool is_over = false;        ///< the data block and its CRLF are complete
  bool is_bad = false;         ///< with is_over: no CRLF where it belongs: "CLIENT_ERROR bad data chunk"
};

struct SessionOptions {
  std::uint32_t item_bytes_max = 1024 * 1024;  ///< -I; a value longer than this is answered as too large and swallowed
};

class Session {
 public:
  explicit Session(const SessionOptions& options) noexcept : options_(&options) {}

  /// Looks at the front of `in`. Call again with the rest until NeedMore.
  Parsed next(std::string_view in, Request& request) noexcept;

  /// After ValueBegins: the next part of the data block.
  ValueTaken take_value(std::string_view in) noexcept;
  /// After ValueBegins: swallow the data block instead (the request was refused); next() goes on behind it.
  void skip_value() noexcept;
  /// A data block is due: next bytes go to take_value().
  [[nodiscard]] bool is_in_value() const noexcept;
  /// Nothing of a request has been seen since the last complete one.
  [[nodiscard]] bool is_idle() const noexcept;

 private:
  const SessionOptions* options_;
  // sketch: carry buffer and its length, state, bytes of data block or of swallowed block left, the get line in progress
};

}  // namespace millrace::protocol
