// A line of the get family whose keys are being handed out, one a call. The line may be longer than what has arrived,
// and than anything we would keep: of a key that is cut, the part that is here goes into the carry, and nothing else
// does.
//
// Thread: the connection's worker. Ownership: none. Invariants: 1. every byte is searched for the line's end once: the
// first `known_bytes_` of the unread bytes are of this line, and with `is_end_known_` the last of them is its LF. 2.
// the carry holds at most a key and a CR.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/carry.h"
#include "protocol/found.h"
#include "protocol/request.h"

namespace millrace::protocol::ascii {

class KeyLine {
 public:
  /// The next byte is the first behind the command word, or further on. `known_bytes` up to and including the line's LF
  /// when it has been seen, else 0.
  void begin(Command command, std::int32_t exptime, std::uint32_t known_bytes) noexcept {
    *this = KeyLine{};
    command_ = command;
    exptime_ = exptime;
    known_bytes_ = known_bytes;
    is_end_known_ = known_bytes != 0;
  }

  /// Request, NeedMore (all of `in` was of this line), Error (no keys, or one too long) or Close (no memory for a
  /// carry).
  Parsed next(std::string_view in, Carry& carry, Request& request) noexcept;

  /// A key that was found elsewhere: in a carry that held more than one.
  void give(std::string_view key, bool is_last, Request& request) noexcept;

  /// The line's LF has been consumed.
  [[nodiscard]] bool is_over() const noexcept { return is_end_known_ && known_bytes_ == 0; }

 private:
  struct Piece;
  Parsed finish_key(std::string_view key, const Piece& piece, std::uint32_t consumed, Request& request) noexcept;
  void drop(std::size_t bytes) noexcept { known_bytes_ -= static_cast<std::uint32_t>(bytes); }

  std::uint32_t known_bytes_ = 0;
  std::int32_t exptime_ = 0;
  Command command_{};
  bool is_end_known_ = false;
  bool has_given_key_ = false;
};

}  // namespace millrace::protocol::ascii
