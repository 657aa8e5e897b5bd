// See key_line.h.

#include "protocol/ascii/key_line.h"

#include "base/assert.h"
#include "protocol/ascii/line.h"
#include "protocol/ascii/tokens.h"
#include "protocol/reply.h"

namespace millrace::protocol::ascii {

/// The part of the line that is in view.
struct KeyLine::Piece {
  std::string_view bytes;  ///< all of it
  std::string_view keys;   ///< without the line's end
  std::string_view rest;   ///< of `keys`: behind the key at hand
  bool ends = false;       ///< the line ends with it
};

void KeyLine::give(std::string_view key, bool is_last, Request& request) noexcept {
  has_given_key_ = true;
  request.command = command_;
  request.exptime = exptime_;
  request.key = key;
  request.ends_reply = is_last;
}

/// `key` is whole. What stands behind it says whether it is the last: spaces do not count, a later byte might.
Parsed KeyLine::finish_key(std::string_view key, const Piece& piece, std::uint32_t consumed,
                           Request& request) noexcept {
  const std::string_view rest = without_leading_spaces(piece.rest);
  const bool is_last = piece.ends && rest.empty();
  const auto used = is_last ? piece.bytes.size() : static_cast<std::size_t>(rest.data() - piece.bytes.data());
  if (key.size() > kKeyBytesMax) {
    return {.found = Found::Error, .consumed = consumed, .error = reply::kBadFormat};
  }
  drop(used);
  consumed += static_cast<std::uint32_t>(used);
  if (key.empty() && !has_given_key_) {  // nothing but spaces
    MR_ASSERT(is_over());
    return {.found = Found::Error, .consumed = consumed, .error = reply::kBadFormat};
  }
  give(key, is_last, request);
  return {.found = Found::Request, .consumed = consumed};
}

Parsed KeyLine::next(std::string_view in, Carry& carry, Request& request) noexcept {
  std::uint32_t consumed = 0;
  while (!in.empty()) {
    if (known_bytes_ == 0) {
      const std::size_t end = find_line_end(in);
      is_end_known_ = end != kNoLineEnd;
      known_bytes_ = static_cast<std::uint32_t>(is_end_known_ ? end + 1 : in.size());
    }
    Piece piece{.bytes = in.substr(0, known_bytes_), .keys = {}, .rest = {}};
    piece.ends = is_end_known_ && piece.bytes.size() == known_bytes_;
    piece.keys = piece.ends ? without_line_end(piece.bytes) : piece.bytes;
    if (carry.is_empty()) {
      piece.keys = without_leading_spaces(piece.keys);
    }
    const std::size_t key_bytes = word_bytes(piece.keys);
    const bool is_whole = piece.ends || key_bytes < piece.keys.size();
    piece.rest = piece.keys.substr(key_bytes);
    if (is_whole && carry.is_empty()) {
      return finish_key(piece.keys.substr(0, key_bytes), piece, consumed, request);
    }
    if (carry.size() + key_bytes > kKeyBytesMax + 1) {  // one more, as the last may be the CR of the line's end
      return {.found = Found::Error, .consumed = consumed, .error = reply::kBadFormat};
    }
    if (!carry.append(piece.keys.substr(0, key_bytes))) {
      return {.found = Found::Close, .consumed = consumed, .error = reply::kOutOfMemoryReading};
    }
    if (is_whole) {
      std::string_view key = carry.view();
      if (piece.ends && piece.bytes.size() == 1 && key.ends_with('\r')) {
        key.remove_suffix(1);  // the line's end was cut in two
      }
      carry.clear();
      return finish_key(key, piece, consumed, request);
    }
    const std::size_t used = piece.bytes.size();
    drop(used);
    in.remove_prefix(used);
    consumed += static_cast<std::uint32_t>(used);
  }
  return {.found = Found::NeedMore, .consumed = consumed};
}

}  // namespace millrace::protocol::ascii
