#include "protocol/meta/parse.h"

#include <optional>

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"
#include "protocol/meta/args.h"
#include "protocol/meta/base64.h"
#include "protocol/meta/flags.h"
#include "protocol/reply.h"

namespace millrace::protocol::meta {
namespace {

using ascii::Meaning;
using ascii::refuse;
using ascii::Verdict;

/// Puts what was read into the request; then only its command is missing.
void give(const Flags& flags, Request& request, Scratch& scratch) noexcept {
  request.dialect = Dialect::Meta;
  request.ends_reply = false;  // no END comes behind it
  request.key = flags.key;
  request.flags = flags.client_flags;
  request.exptime = flags.exptime;
  Args args = flags.args;
  args.opaque_bytes = static_cast<std::uint8_t>(flags.opaque.size());
  request.extra_at = scratch.extra.data();
  request.extra_bytes =
      write_extra(scratch.extra.data(),
                  {.args = args, .returns = {flags.returns.data(), args.return_count}, .opaque = flags.opaque});
}

/// Whether each word begins as a flag does; a line with another is no meta line, whatever else is wrong with it.
bool are_flags(ascii::Words words) noexcept {
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (!is_flag_letter(word.front())) {
      return false;
    }
  }
  return true;
}

/// Everything about flags that can be wrong whatever the command.
std::string_view read_checked(ascii::Words& words, std::uint32_t words_before, std::string_view returned, Flags& flags,
                              Scratch& scratch) noexcept {
  const bool is_too_long = flags.key.size() > kKeyBytesMax;
  if (is_too_long) {
    flags.key = {};  // not to be decoded
  }
  const std::string_view error = read_flags(words, words_before, returned, flags, scratch);
  return is_too_long ? reply::kBadFormat : error;
}

Verdict parse_get(ascii::Words& words, Flags& flags, Request& request, Scratch& scratch) noexcept {
  if (const auto error = read_checked(words, 2, "stcflhOkTNR", flags, scratch); !error.empty()) {
    return refuse(error);
  }
  if (flags.opaque.size() > kOpaqueBytesMax) {
    return refuse(reply::kOpaqueTooLong);
  }
  // With T or N it changes what is there.
  request.command = flags.args.has(given::kTouch | given::kVivify) ? Command::Gat : Command::Get;
  give(flags, request, scratch);
  return {};
}

Verdict parse_delete(ascii::Words& words, Flags& flags, Request& request, Scratch& scratch) noexcept {
  request.command = Command::Delete;
  if (const auto error = read_checked(words, 2, "Ok", flags, scratch); !error.empty()) {
    return refuse(error);
  }
  if (flags.opaque.size() > kOpaqueBytesMax) {
    return refuse(reply::kOpaqueTooLong);
  }
  give(flags, request, scratch);
  return {};
}

Verdict parse_arith(ascii::Words& words, Flags& flags, Request& request, Scratch& scratch) noexcept {
  if (!are_flags(words)) {
    return refuse(reply::kBadFormat);
  }
  if (!read_checked(words, 2, "ctOkTN", flags, scratch).empty()) {
    return refuse(reply::kBadArithFlag);  // whatever else was wrong
  }
  switch (flags.mode) {
    case '\0':
    case 'I':
    case '+':
      request.command = Command::Incr;
      break;
    case 'D':
    case '-':
      request.command = Command::Decr;
      break;
    default:
      return refuse(reply::kBadArithMode);
  }
  if (flags.opaque.size() > kOpaqueBytesMax) {
    return refuse(reply::kOpaqueTooLong);
  }
  give(flags, request, scratch);
  return {};
}

/// The classic command of a mode. None: no such mode.
std::optional<Command> storing_command(const Flags& flags) noexcept {
  const bool compares = flags.args.has(given::kCompare);
  switch (flags.mode) {
    case '\0':
    case 'S':
      return compares ? Command::Cas : Command::Set;
    case 'R':
      return compares ? Command::Cas : Command::Replace;
    case 'E':
      return Command::Add;
    case 'A':
      return Command::Append;
    case 'P':
      return Command::Prepend;
    default:
      return std::nullopt;
  }
}

/// As with a classic storage command: once the length is known, a bad line costs its request but not the connection's
/// step.
Verdict parse_set(ascii::Words& words, Flags& flags, Request& request, Scratch& scratch) noexcept {
  const std::optional<std::int32_t> length = ascii::parse_i32(words.next());
  if (!length || *length < 0 || static_cast<std::uint32_t>(*length) > kValueBytesMax) {
    return refuse(reply::kBadFormat);
  }
  if (!are_flags(words)) {
    return refuse(reply::kBadFormat);  // and its length is not believed either
  }
  request.value_bytes = static_cast<std::uint32_t>(*length);
  const auto refuse_block = [&](std::string_view error) {
    return refuse(error, false, request.value_bytes + kBlockEndBytes);
  };
  if (const auto error = read_checked(words, 3, "Okcs", flags, scratch); !error.empty()) {
    return refuse_block(error);
  }
  const std::optional<Command> command = storing_command(flags);
  if (!command) {
    return refuse_block(reply::kBadSetMode);
  }
  if (flags.opaque.size() > kOpaqueBytesMax) {
    return refuse_block(reply::kOpaqueTooLong);
  }
  give(flags, request, scratch);
  request.command = *command;
  if (*command != Command::Add) {  // which compares nothing
    request.number = flags.args.compare;
  }
  if ((*command == Command::Append || *command == Command::Prepend) && flags.args.has(given::kVivify)) {
    request.exptime = flags.args.vivify_exptime;  // and nothing else: what is there keeps its own
  }
  return {.meaning = Meaning::DataBlock};
}

/// `me <key> [b]`: heeds no other flag, and no second one.
Verdict parse_debug(ascii::Words& words, Flags& flags, Request& request, Scratch& scratch) noexcept {
  request.command = Command::MetaDebug;
  if (flags.key.size() > kKeyBytesMax) {
    return refuse(reply::kBadFormat);
  }
  if (!are_flags(words)) {
    return refuse(reply::kBadFormat);
  }
  if (words.next() == "b") {
    const std::size_t bytes = decode_base64(scratch.key.data(), flags.key);
    if (bytes == 0) {
      return refuse(reply::kBadFormat);
    }
    flags.key = {scratch.key.data(), bytes};
    flags.args.given |= given::kBinaryKey;
  }
  give(flags, request, scratch);
  return {};
}

}  // namespace

Verdict parse(char letter, std::string_view arguments, Request& request, Scratch& scratch) noexcept {
  ascii::Words words(arguments);
  Flags flags;
  flags.key = words.next_key();
  if (flags.key.empty()) {
    return refuse(reply::kBadFormat);
  }
  switch (letter) {
    case 'g':
      return parse_get(words, flags, request, scratch);
    case 's':
      return parse_set(words, flags, request, scratch);
    case 'd':
      return parse_delete(words, flags, request, scratch);
    case 'a':
      return parse_arith(words, flags, request, scratch);
    default:
      return parse_debug(words, flags, request, scratch);
  }
}

}  // namespace millrace::protocol::meta
