// Bytes of one connection in, requests out, in whichever protocol its first byte says: a resumable, single-pass parser.
//
// Thread: the worker that owns the connection. Ownership: owns at most one carry buffer (a line that is not complete
// yet, limits.h says how long it can get), allocated when first needed and freed with the session. Pure: no socket, no
// store, no clock.
//
// Use: give the unread bytes to next() again and again, dropping `consumed` bytes from the front each time, until it
// says NeedMore. After ValueBegins, hand bytes to take_value() until it says that the block is over. Each call may be
// given any beginning of the unread bytes, even a shorter one than the call before.
//
// Invariants: 1. where the bytes were cut makes no difference to the requests, with one exception that README.md names.
// 2. a call that finds something with a line still unfinished leaves at least a byte of it unread, so that "while there
// are bytes, call next()" misses nothing. 3. a byte is looked at a bounded number of times.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/ascii/key_line.h"
#include "protocol/carry.h"
#include "protocol/found.h"
#include "protocol/limits.h"
#include "protocol/request.h"

namespace millrace::protocol {

namespace ascii {
struct Verdict;
}
namespace binary {
struct Header;
struct HeaderVerdict;
}  // namespace binary

/// What connections may speak. Auto: the first byte decides.
enum class Speaks : std::uint8_t {
  Auto,
  Text,
  Binary
};
/// What a connection has to do before it may do anything else: nothing; the login of -Y; SASL.
enum class Guard : std::uint8_t {
  None,
  Login,
  Sasl
};

struct SessionOptions {
  std::uint32_t item_bytes_max = 1024 * 1024;  ///< -I; a longer value always comes as ValueBegins, so that it can be
                                               ///< refused and passed over without a look at its block
  Speaks speaks = Speaks::Auto;
  Guard guard = Guard::None;
};

class Session {
 public:
  explicit Session(const SessionOptions& options) noexcept : options_(&options) {}

  /// Looks at the front of `in`. Call again with the rest until NeedMore. `request` is written when one is found; its
  /// views go into `in`, the carry or `scratch`, and are good until the next call.
  Parsed next(std::string_view in, Request& request, Scratch& scratch) noexcept;

  /// After ValueBegins: the next part of the data block.
  ValueTaken take_value(std::string_view in) noexcept;
  /// After ValueBegins: swallow the data block instead (the request was refused); next() goes on behind it.
  void skip_value() noexcept;
  /// What the guard asked for was done: everything may be asked from now on. deny(): it has to be done again.
  void admit() noexcept;
  void deny() noexcept { is_admitted_ = false; }
  /// A data block is due: next bytes go to take_value().
  [[nodiscard]] bool is_in_value() const noexcept { return state_ == State::Value; }
  /// Nothing of a request has been seen since the last complete one.
  [[nodiscard]] bool is_idle() const noexcept {
    return state_ == State::New || (is_between_requests() && carry_.is_empty());
  }

 private:
  enum class State : std::uint8_t {
    Line,         // a line begins, or has begun in the carry
    New,          // not a byte yet: the first says which protocol
    Binary,       // a header begins, or has begun in the carry
    Login,        // a line begins, which has to be a login's
    LoginBlock,   // in its block, of bytes_left_ bytes
    Keys,         // in a get line; of a key that was cut, the first part is in the carry
    CarriedKeys,  // in a get line whose next keys are in the carry
    Value,        // in a data block
    SkipBlock,    // passing over bytes_left_ bytes
    SkipLine,     // passing over a line
    Closed,
  };

  Parsed resume(std::string_view in, Request& request, Scratch& scratch) noexcept;
  Parsed next_request(std::string_view in, Request& request, Scratch& scratch) noexcept;
  Parsed next_line(std::string_view in, Request& request, Scratch& scratch) noexcept;
  Parsed next_carried_line(std::string_view in, Request& request, Scratch& scratch) noexcept;
  Parsed next_key(std::string_view in, Request& request) noexcept;
  Parsed next_carried_key(std::string_view in, Request& request) noexcept;
  Parsed begin_block(std::uint32_t consumed, std::string_view rest, Request& request) noexcept;
  Parsed begin_long_line(std::string_view in, Request& request) noexcept;
  Parsed next_binary(std::string_view in, Request& request, Scratch& scratch) noexcept;
  [[nodiscard]] std::uint32_t top_up_carry(std::string_view in, std::uint32_t bytes_wanted) noexcept;
  Parsed take_binary(const binary::Header& header, std::string_view head, std::string_view rest, std::uint32_t consumed,
                     Request& request, Scratch& scratch) noexcept;
  Parsed refuse_binary(const binary::Header& header, const binary::HeaderVerdict& verdict, std::uint32_t consumed,
                       Scratch& scratch) noexcept;
  Parsed next_login(std::string_view in, Request& request) noexcept;
  Parsed next_login_block(std::string_view in, Request& request) noexcept;
  /// A guard knows one protocol, and there is no way around it in the other.
  [[nodiscard]] bool may_speak(bool binary) const noexcept {
    return (binary ? options_->speaks != Speaks::Text && options_->guard != Guard::Login
                   : options_->speaks != Speaks::Binary && options_->guard != Guard::Sasl);
  }
  /// Where a connection is when the next request begins.
  [[nodiscard]] State next_state() const noexcept {
    return is_binary_ ? State::Binary : options_->guard != Guard::Login || is_admitted_ ? State::Line : State::Login;
  }
  [[nodiscard]] bool is_between_requests() const noexcept {
    return state_ == State::Line || state_ == State::Binary || state_ == State::Login;
  }
  [[nodiscard]] std::uint32_t block_end_bytes() const noexcept { return is_binary_ ? 0 : kBlockEndBytes; }
  Parsed refuse(const ascii::Verdict& verdict, std::uint32_t consumed) noexcept;
  Parsed carry_on(std::string_view in) noexcept;
  Parsed close(std::uint32_t consumed, std::string_view error) noexcept;
  [[nodiscard]] std::uint32_t skip(std::string_view in) noexcept;

  const SessionOptions* options_;
  Carry carry_;
  ascii::KeyLine keys_;
  std::uint32_t bytes_left_ = 0;   // Value: of value and CRLF; SkipBlock
  std::uint16_t carried_at_ = 0;   // CarriedKeys: where in the carry the next key starts
  std::uint16_t carried_end_ = 0;  // CarriedKeys: where its last whole key ends
  State state_ = State::New;
  bool is_bad_ = false;  // Value: a byte of the CRLF was something else
  bool is_binary_ = false;
  bool is_admitted_ = false;
  bool is_line_in_carry_ = false;  // CarriedKeys: all of the line but its LF, which is unread
};
static_assert(sizeof(Session) <= 64, "one per connection, beside the connection's other first line");

}  // namespace millrace::protocol
