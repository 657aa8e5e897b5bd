// Before a text connection is let in (-Y) it may say one thing: `set <any> <any> <any> <bytes>` and a block
// `<user> <password>`. Everything else is answered with an error, whole lines of it; nothing else is parsed, nothing is
// kept but one line or one block.

#include <algorithm>

#include "base/assert.h"
#include "protocol/ascii/line.h"
#include "protocol/ascii/numbers.h"
#include "protocol/ascii/tokens.h"
#include "protocol/reply.h"
#include "protocol/session.h"

namespace millrace::protocol {
namespace {

[[nodiscard]] std::uint32_t count(std::size_t bytes) noexcept { return static_cast<std::uint32_t>(bytes); }

/// The length of the block that a line announces; nothing: it is not a login's.
[[nodiscard]] std::optional<std::uint32_t> block_bytes_of(std::string_view line) noexcept {
  ascii::Words words(line);
  if (words.next() != "set") {
    return std::nullopt;
  }
  words.next();
  words.next();
  words.next();
  const std::optional<ascii::SignedDigits> length = ascii::parse_header_number(words.next());
  if (!length || length->is_negative || length->magnitude > kValueBytesMax) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(length->magnitude) + kBlockEndBytes;
}

}  // namespace

Parsed Session::next_login(std::string_view in, Request& request) noexcept {
  const std::size_t end = ascii::find_line_end(in.substr(0, carry_.room()));
  if (end == ascii::kNoLineEnd) {
    return carry_.size() + in.size() <= kLineBytesMax ? carry_on(in) : close(count(in.size()), {});
  }
  const std::uint32_t line_bytes = count(end + 1);
  std::string_view line = in.substr(0, line_bytes);
  if (!carry_.is_empty()) {
    if (!carry_.append(line)) {
      return close(line_bytes, reply::kOutOfMemoryReading);
    }
    line = carry_.view();
    carry_.clear();
  }
  const std::optional<std::uint32_t> block_bytes = block_bytes_of(ascii::without_line_end(line));
  if (!block_bytes) {
    return {.found = Found::Error, .consumed = line_bytes, .error = reply::kUnauthenticated};
  }
  bytes_left_ = *block_bytes;
  if (bytes_left_ > kLoginBytesMax + kBlockEndBytes) {
    state_ = State::SkipBlock;
    return {.found = Found::Error, .consumed = line_bytes, .error = reply::kTokenTooLong};
  }
  state_ = State::LoginBlock;
  Parsed parsed = next_login_block(in.substr(line_bytes), request);
  parsed.consumed += line_bytes;
  return parsed;
}

Parsed Session::next_login_block(std::string_view in, Request& request) noexcept {
  static_assert(kLoginBytesMax + kBlockEndBytes <= kCarryBytes);
  MR_ASSERT(bytes_left_ > carry_.size());
  const std::uint32_t taken = count(std::min<std::size_t>(bytes_left_ - carry_.size(), in.size()));
  std::string_view block = in.substr(0, taken);
  if (taken < bytes_left_) {
    if (!carry_.append(block)) {
      return close(taken, reply::kOutOfMemoryReading);
    }
    if (carry_.size() < bytes_left_) {
      return {.found = Found::NeedMore, .consumed = taken};
    }
    block = carry_.view();
    carry_.clear();
  }
  state_ = State::Login;
  if (!block.ends_with("\r\n")) {
    return {.found = Found::Error, .consumed = taken, .error = reply::kBadTermination};
  }
  block.remove_suffix(kBlockEndBytes);
  ascii::Words words(block);
  request.key = words.next();
  request.value = words.next();
  request.value_bytes = count(request.value.size());
  if (request.value.empty()) {
    return {.found = Found::Error, .consumed = taken, .error = reply::kBadToken};
  }
  request.command = Command::Login;
  return {.found = Found::Request, .consumed = taken};
}

void Session::admit() noexcept {
  is_admitted_ = true;
  if (state_ == State::Login) {
    state_ = State::Line;
  }
}

}  // namespace millrace::protocol
