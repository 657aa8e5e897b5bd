// Framing: which bytes are a line, which are a data block, which are passed over. What a line means is said in ascii/.

#include "protocol/session.h"

#include <algorithm>

#include "base/assert.h"
#include "base/attributes.h"
#include "protocol/ascii/line.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/binary/header.h"
#include "protocol/reply.h"

namespace millrace::protocol {
namespace {

/// An event of the transport is far smaller; a bound here keeps every count in 32 bits.
constexpr std::size_t kViewBytesMax = std::size_t{1} << 30;

[[nodiscard]] std::uint32_t count(std::size_t bytes) noexcept { return static_cast<std::uint32_t>(bytes); }

}  // namespace

Parsed Session::next(std::string_view in, Request& request, Scratch& scratch) noexcept {
  MR_ASSERT(in.size() <= kViewBytesMax);
  request = Request{};
  if (MR_LIKELY(state_ == State::Line && carry_.is_empty())) {
    return next_line(in, request, scratch);
  }
  if (state_ == State::Keys) {
    return next_key(in, request);
  }
  if (state_ == State::Binary) {
    return next_binary(in, request, scratch);
  }
  return resume(in, request, scratch);
}

Parsed Session::resume(std::string_view in, Request& request, Scratch& scratch) noexcept {
  MR_ASSERT(state_ != State::Value);  // those bytes are take_value()'s
  if (in.empty()) {
    return {};
  }
  if (state_ == State::Closed) {
    return close(count(in.size()), {});
  }
  if (state_ == State::CarriedKeys) {
    return next_carried_key(in, request);
  }
  std::uint32_t passed = 0;
  if (state_ == State::New) {
    is_binary_ = in.front() == binary::kRequestMagic;
    if (!may_speak(is_binary_)) {
      return close(count(in.size()), {});
    }
    state_ = next_state();
  } else if (state_ == State::SkipBlock || state_ == State::SkipLine) {
    passed = skip(in);
    if (!is_between_requests()) {
      return {.found = Found::NeedMore, .consumed = passed};
    }
    in.remove_prefix(passed);
  }
  Parsed parsed = next_request(in, request, scratch);
  parsed.consumed += passed;
  return parsed;
}

Parsed Session::next_request(std::string_view in, Request& request, Scratch& scratch) noexcept {
  switch (state_) {
    case State::Binary:
      return next_binary(in, request, scratch);
    case State::Login:
      return next_login(in, request);
    case State::LoginBlock:
      return next_login_block(in, request);
    default:
      MR_ASSERT(state_ == State::Line);
      return carry_.is_empty() ? next_line(in, request, scratch) : next_carried_line(in, request, scratch);
  }
}

/// A line that begins with `in`.
Parsed Session::next_line(std::string_view in, Request& request, Scratch& scratch) noexcept {
  const std::size_t end = ascii::find_line_end(in.substr(0, kLineBytesMax + 1));
  if (MR_UNLIKELY(end == ascii::kNoLineEnd)) {
    return in.size() <= kLineBytesMax ? carry_on(in) : begin_long_line(in, request);
  }
  const std::uint32_t line_bytes = count(end + 1);
  const std::string_view line = ascii::without_line_end(in.substr(0, line_bytes));
  if (const std::string_view key = ascii::lone_get_key(line); !key.empty()) {
    request.command = Command::Get;
    request.key = key;
    return {.found = Found::Request, .consumed = line_bytes};
  }
  const ascii::Verdict verdict = ascii::parse_line(line, line_bytes, request, scratch);
  switch (verdict.meaning) {
    case ascii::Meaning::Request:
      return {.found = Found::Request, .consumed = line_bytes};
    case ascii::Meaning::DataBlock:
      return begin_block(line_bytes, in.substr(line_bytes), request);
    case ascii::Meaning::Keys: {
      if (ascii::word_bytes(verdict.keys) == verdict.keys.size()) {  // one key: nothing to remember
        request.key = verdict.keys;
        return {.found = Found::Request, .consumed = line_bytes};
      }
      const std::uint32_t before = count(static_cast<std::size_t>(verdict.keys.data() - in.data()));
      keys_.begin(request.command, static_cast<std::int32_t>(request.exptime), line_bytes - before);
      Parsed parsed = next_key(in.substr(before, line_bytes - before), request);
      parsed.consumed += before;
      return parsed;
    }
    case ascii::Meaning::Error:
    case ascii::Meaning::Close:
      break;
  }
  return refuse(verdict, line_bytes);
}

/// A line whose beginning is in the carry.
Parsed Session::next_carried_line(std::string_view in, Request& request, Scratch& scratch) noexcept {
  MR_ASSERT(carry_.size() <= kLineBytesMax);
  const std::size_t end = ascii::find_line_end(in.substr(0, carry_.room()));
  if (end == ascii::kNoLineEnd) {
    return carry_.size() + in.size() <= kLineBytesMax ? carry_on(in) : begin_long_line(in, request);
  }
  const std::uint32_t line_bytes = count(end + 1);  // of `in`
  if (!carry_.append(in.substr(0, line_bytes))) {
    return close(line_bytes, reply::kOutOfMemoryReading);
  }
  const std::string_view carried = carry_.view();
  const std::string_view line = ascii::without_line_end(carried);
  const ascii::Verdict verdict = ascii::parse_line(line, carried.size(), request, scratch);
  carry_.clear();  // its bytes stay where they are for the views in `request`
  switch (verdict.meaning) {
    case ascii::Meaning::Request:
      return {.found = Found::Request, .consumed = line_bytes};
    case ascii::Meaning::DataBlock:
      return begin_block(line_bytes, in.substr(line_bytes), request);
    case ascii::Meaning::Keys: {
      carried_at_ = static_cast<std::uint16_t>(verdict.keys.data() - carried.data());
      carried_end_ = static_cast<std::uint16_t>(ascii::without_trailing_spaces(line).size());
      is_line_in_carry_ = true;
      keys_.begin(request.command, static_cast<std::int32_t>(request.exptime), 1);
      state_ = State::CarriedKeys;
      Parsed parsed = next_carried_key(in.substr(end), request);
      parsed.consumed += count(end);
      return parsed;
    }
    case ascii::Meaning::Error:
    case ascii::Meaning::Close:
      break;
  }
  return refuse(verdict, line_bytes);
}

/// More than a line's length without a line end: a get of many keys, or nothing we know. Its keys are handed out as
/// they come. If the line can be seen whole all the same, a key that is too long refuses all of it, as in a short line.
Parsed Session::begin_long_line(std::string_view in, Request& request) noexcept {
  const std::size_t carried = carry_.size();
  const std::size_t added = kLineBytesMax - carried;  // at least a byte of `in` stays: the line is longer than that
  MR_ASSERT(added < in.size());
  const auto begins_with = [&](std::string_view word) {
    const std::size_t in_carry = std::min(carried, word.size());
    return carry_.view().substr(0, in_carry) == word.substr(0, in_carry) &&
           in.substr(0, word.size() - in_carry) == word.substr(in_carry);
  };
  const bool is_gets = begins_with("gets ");
  if (!is_gets && !begins_with("get ")) {
    return close(count(in.size()), {});
  }
  const std::size_t word_end = is_gets ? 4 : 3;
  const std::size_t end = ascii::find_line_end(in);
  if (end != ascii::kNoLineEnd) {
    const std::string_view head = carry_.view().substr(std::min(carried, word_end));
    std::string_view tail = ascii::without_line_end(in.substr(0, end + 1));
    tail.remove_prefix(word_end - std::min(carried, word_end));
    const std::size_t across = head.size() - (head.rfind(' ') + 1) + ascii::word_bytes(tail);
    if (ascii::has_overlong_key(head) || ascii::has_overlong_key(tail) || across > kKeyBytesMax) {
      carry_.clear();
      return {.found = Found::Error, .consumed = count(end + 1), .error = reply::kBadFormat};
    }
  }
  const Command command = is_gets ? Command::Gets : Command::Get;
  if (carried == 0) {
    keys_.begin(command, 0, end == ascii::kNoLineEnd ? 0 : count(end + 1 - word_end));
    Parsed parsed = next_key(in.substr(word_end), request);
    parsed.consumed += count(word_end);
    return parsed;
  }
  if (!carry_.append(in.substr(0, added))) {
    return close(count(in.size()), reply::kOutOfMemoryReading);
  }
  keys_.begin(command, 0, end == ascii::kNoLineEnd ? 0 : count(end + 1 - added));
  carried_at_ = static_cast<std::uint16_t>(word_end);
  carried_end_ = static_cast<std::uint16_t>(carry_.view().rfind(' ') + 1);  // there is one, behind the word
  is_line_in_carry_ = false;
  state_ = State::CarriedKeys;
  Parsed parsed = next_carried_key(in.substr(added), request);
  parsed.consumed += count(added);
  return parsed;
}

Parsed Session::next_key(std::string_view in, Request& request) noexcept {
  state_ = State::Keys;
  const Parsed parsed = keys_.next(in, carry_, request);
  if (keys_.is_over()) {
    state_ = State::Line;
  } else if (parsed.found == Found::Error) {
    carry_.clear();
    state_ = State::SkipLine;
  } else if (parsed.found == Found::Close) {
    state_ = State::Closed;
  }
  return parsed;
}

Parsed Session::next_carried_key(std::string_view in, Request& request) noexcept {
  MR_ASSERT(!in.empty() && carried_at_ <= carried_end_);
  // A whole line was cleared when it was parsed; its bytes are still there.
  const std::string_view all = is_line_in_carry_ ? carry_.cleared_view(carried_end_) : carry_.view();
  const std::string_view keys = ascii::without_leading_spaces(all.substr(carried_at_, carried_end_ - carried_at_));
  if (!is_line_in_carry_ && keys.empty()) {  // only part of a key is left
    carry_.keep_last(carry_.size() - carried_end_);
    return next_key(in, request);
  }
  const std::string_view key = keys.substr(0, ascii::word_bytes(keys));
  if (key.size() > kKeyBytesMax) {
    carry_.clear();
    state_ = State::SkipLine;
    return {.found = Found::Error, .consumed = 0, .error = reply::kBadFormat};
  }
  carried_at_ = static_cast<std::uint16_t>(key.data() + key.size() - all.data());
  const bool is_last = is_line_in_carry_ && carried_at_ == carried_end_;
  keys_.give(key, is_last, request);
  if (is_last) {
    state_ = State::Line;
  }
  return {.found = Found::Request, .consumed = is_last ? 1U : 0U};
}

/// `rest` is what stands behind the line of a storage command.
Parsed Session::begin_block(std::uint32_t consumed, std::string_view rest, Request& request) noexcept {
  const std::uint32_t block_bytes = request.value_bytes + kBlockEndBytes;
  if (rest.size() < block_bytes || request.value_bytes > options_->item_bytes_max) {
    bytes_left_ = block_bytes;
    is_bad_ = false;
    state_ = State::Value;
    return {.found = Found::ValueBegins, .consumed = consumed};
  }
  consumed += block_bytes;
  if (rest.substr(request.value_bytes, kBlockEndBytes) != "\r\n") {
    return refuse(ascii::refuse(reply::kBadChunk, request.noreply), consumed);
  }
  request.value = rest.substr(0, request.value_bytes);
  return {.found = Found::Request, .consumed = consumed};
}

Parsed Session::refuse(const ascii::Verdict& verdict, std::uint32_t consumed) noexcept {
  if (verdict.meaning == ascii::Meaning::Close) {
    return close(consumed, {});
  }
  if (verdict.swallow_bytes != 0) {
    bytes_left_ = verdict.swallow_bytes;
    state_ = State::SkipBlock;
  }
  return {.found = Found::Error, .consumed = consumed, .error = verdict.error};
}

/// The line is not complete.
Parsed Session::carry_on(std::string_view in) noexcept {
  if (!carry_.append(in)) {
    return close(count(in.size()), reply::kOutOfMemoryReading);
  }
  return {.found = Found::NeedMore, .consumed = count(in.size())};
}

Parsed Session::close(std::uint32_t consumed, std::string_view error) noexcept {
  carry_.clear();
  state_ = State::Closed;
  return {.found = Found::Close, .consumed = consumed, .error = error};
}

/// Passes over what is to be passed over; says how much of `in` that was.
std::uint32_t Session::skip(std::string_view in) noexcept {
  if (state_ == State::SkipLine) {
    const std::size_t end = ascii::find_line_end(in);
    if (end == ascii::kNoLineEnd) {
      return count(in.size());
    }
    state_ = State::Line;
    return count(end + 1);
  }
  MR_ASSERT(state_ == State::SkipBlock && bytes_left_ > 0);
  const std::uint32_t passed = count(std::min<std::size_t>(bytes_left_, in.size()));
  bytes_left_ -= passed;
  if (bytes_left_ == 0) {
    state_ = next_state();
  }
  return passed;
}

ValueTaken Session::take_value(std::string_view in) noexcept {
  MR_ASSERT(state_ == State::Value && bytes_left_ > 0);
  ValueTaken taken;
  const std::uint32_t end_bytes = block_end_bytes();
  if (bytes_left_ > end_bytes) {
    taken.bytes = in.substr(0, bytes_left_ - end_bytes);
    in.remove_prefix(taken.bytes.size());
    taken.consumed = count(taken.bytes.size());
    bytes_left_ -= taken.consumed;
  }
  while (!in.empty() && bytes_left_ > 0 && bytes_left_ <= end_bytes) {
    is_bad_ = is_bad_ || in.front() != (bytes_left_ == kBlockEndBytes ? '\r' : '\n');
    in.remove_prefix(1);
    --bytes_left_;
    ++taken.consumed;
  }
  if (bytes_left_ == 0) {
    taken.is_over = true;
    taken.is_bad = is_bad_;
    state_ = next_state();
  }
  return taken;
}

void Session::skip_value() noexcept {
  MR_ASSERT(state_ == State::Value && bytes_left_ > 0);
  state_ = State::SkipBlock;
}

}  // namespace millrace::protocol
