// Framing of the binary protocol: a header says how long everything is, so that nothing is searched for. What is cut is
// carried up to header, extras and key (of a SASL message all of it); a value never is.

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "protocol/binary/opcodes.h"
#include "protocol/binary/parse.h"
#include "protocol/binary/write.h"
#include "protocol/session.h"

namespace millrace::protocol {
namespace {

using binary::Header;
using binary::kHeaderBytes;
using binary::Look;

static_assert(sizeof(binary::Args) <= kExtraBytesMax && binary::kErrorBytesMax <= kExtraBytesMax);
static_assert(kHeaderBytes + 0xff + kKeyBytesMax + binary::kSaslBytesMax <= kCarryBytes);

[[nodiscard]] constexpr bool is_sasl(Command command) noexcept {
  return command == Command::SaslAuth || command == Command::SaslStep;
}

/// How much of a request has to be here before it is handed out.
[[nodiscard]] std::uint32_t bytes_needed(const Header& header) noexcept {
  const std::uint32_t head_bytes = kHeaderBytes + header.extras_bytes + header.key_bytes;
  return is_sasl(binary::command_of(header.opcode)) ? head_bytes + binary::value_bytes_of(header) : head_bytes;
}

}  // namespace

Parsed Session::next_binary(std::string_view in, Request& request, Scratch& scratch) noexcept {
  const binary::Admission admission = options_->guard != Guard::Sasl ? binary::Admission::None
                                      : is_admitted_                 ? binary::Admission::Given
                                                                     : binary::Admission::Wanted;
  std::uint32_t consumed = 0;
  if (!carry_.is_empty() && carry_.size() < kHeaderBytes) {
    consumed = top_up_carry(in, kHeaderBytes);
    in.remove_prefix(consumed);
  }
  const std::string_view head = carry_.is_empty() ? in : carry_.view();
  if (head.size() < kHeaderBytes) {
    return carry_.is_empty() ? carry_on(in) : Parsed{.found = Found::NeedMore, .consumed = consumed};
  }
  const Header header = binary::read_header(head.data());
  if (const binary::HeaderVerdict verdict = binary::check_header(header, admission); verdict.look != Look::Goes) {
    return refuse_binary(header, verdict, carry_.is_empty() ? kHeaderBytes : consumed, scratch);
  }
  const std::uint32_t needed = bytes_needed(header);
  if (carry_.is_empty()) {
    return in.size() < needed ? carry_on(in)
                              : take_binary(header, in.substr(0, needed), in.substr(needed), needed, request, scratch);
  }
  const std::uint32_t more = top_up_carry(in, needed);
  consumed += more;
  if (carry_.size() < needed) {
    return {.found = Found::NeedMore, .consumed = consumed};
  }
  const std::string_view carried = carry_.view();
  carry_.clear();  // its bytes stay where they are for the views in `request`
  return take_binary(header, carried, in.substr(more), consumed, request, scratch);
}

/// Moves what is missing to `bytes_wanted` from `in` into the carry, which has memory already: it holds something.
std::uint32_t Session::top_up_carry(std::string_view in, std::uint32_t bytes_wanted) noexcept {
  MR_ASSERT(!carry_.is_empty() && carry_.size() <= bytes_wanted);
  const std::string_view part = in.substr(0, bytes_wanted - carry_.size());
  [[maybe_unused]] const bool was_taken = carry_.append(part);
  MR_DCHECK(was_taken);
  return static_cast<std::uint32_t>(part.size());
}

/// `head` is a whole request but for its value, which begins with `rest`.
Parsed Session::take_binary(const Header& header, std::string_view head, std::string_view rest, std::uint32_t consumed,
                            Request& request, Scratch& scratch) noexcept {
  const std::size_t body_bytes = std::size_t{header.extras_bytes} + header.key_bytes;
  binary::Args args;
  binary::parse(header, head.substr(kHeaderBytes, body_bytes), request, args);
  request.dialect = Dialect::Binary;
  request.ends_reply = false;
  std::memcpy(scratch.extra.data(), &args, sizeof args);
  request.extra_at = scratch.extra.data();
  request.extra_bytes = sizeof args;
  if (is_sasl(request.command)) {
    request.value = head.substr(kHeaderBytes + body_bytes);
    return {.found = Found::Request, .consumed = consumed};
  }
  if (rest.size() < request.value_bytes || request.value_bytes > options_->item_bytes_max) {
    bytes_left_ = request.value_bytes;
    is_bad_ = false;
    state_ = State::Value;
    return {.found = Found::ValueBegins, .consumed = consumed};
  }
  request.value = rest.substr(0, request.value_bytes);
  return {.found = Found::Request, .consumed = consumed + request.value_bytes};
}

Parsed Session::refuse_binary(const Header& header, const binary::HeaderVerdict& verdict, std::uint32_t consumed,
                              Scratch& scratch) noexcept {
  carry_.clear();
  if (verdict.look == Look::Hangup) {
    return close(consumed, {});
  }
  char* const begin = scratch.extra.data();
  const char* const end = binary::write_error(begin, {header.opcode, header.opaque}, verdict.status);
  const std::string_view error(begin, static_cast<std::size_t>(end - begin));
  if (verdict.look == Look::Close) {
    return close(consumed, error);
  }
  if (verdict.swallow_bytes != 0) {
    bytes_left_ = verdict.swallow_bytes;
    state_ = State::SkipBlock;
  }
  return {.found = Found::Error, .consumed = consumed, .error = error};
}

}  // namespace millrace::protocol
