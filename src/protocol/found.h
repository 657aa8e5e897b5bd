// What the session says of the bytes it was given. Plain values; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::protocol {

enum class Found : std::uint8_t {
  NeedMore,     ///< all bytes given were taken in; nothing complete
  Request,      ///< `request` is whole; a storage command's `value` is a view of its data block, CRLF checked
  ValueBegins,  ///< a storage command whose data block is not all here, or too long to store: decide, then call
                ///< take_value or skip_value
  Error,        ///< a request that cannot be: send `error` as it is (empty: noreply); the connection stays usable
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

}  // namespace millrace::protocol
