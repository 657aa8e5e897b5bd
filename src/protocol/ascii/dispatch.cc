// From the first word of a line to the function that knows the rest. The common verbs are told by their first four
// bytes, one load and one switch; everything else by the length of its word.

#include <array>
#include <bit>
#include <cstring>

#include "base/assert.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"
#include "protocol/meta/parse.h"

namespace millrace::protocol::ascii {
namespace {

/// Four bytes as the number a load gives on this machine, whatever its byte order.
consteval std::uint32_t four(const char (&text)[5]) {
  return std::bit_cast<std::uint32_t>(std::array<char, 4>{text[0], text[1], text[2], text[3]});
}

Verdict parse_rare(std::string_view line, Request& request, Scratch& scratch) noexcept {
  const std::size_t word_size = word_bytes(line);
  const std::string_view word = line.substr(0, word_size);
  const std::string_view arguments = line.substr(word_size);
  switch (word_size) {
    case 2:
      if (word == "mn") {
        request.command = Command::MetaNoop;
        return {};
      }
      if (word[0] == 'm' && std::string_view("gsdae").find(word[1]) != std::string_view::npos) {
        return meta::parse(word[1], arguments, request, scratch);
      }
      break;
    case 3:
      if (word == "get" || word == "gat" || word == "set" || word == "add" || word == "cas") {
        return refuse(reply::kBadFormat);  // with a space behind it, it would not have come here
      }
      break;
    case 4:
      if (word == "quit") {
        request.command = Command::Quit;
        return {};
      }
      break;
    case 5:
      if (word == "stats") {
        request.command = Command::Stats;
        return parse_stats(arguments, request);
      }
      break;
    case 7:
      if (word == "version") {
        request.command = Command::Version;
        return {};
      }
      break;
    default:
      break;
  }
  return parse_admin(line, request);
}

/// `line` starts with `word`, and the word ends there.
[[nodiscard]] bool is_word(std::string_view line, std::string_view word) noexcept {
  return line.starts_with(word) && (line.size() == word.size() || line[word.size()] == ' ');
}

}  // namespace

Verdict parse_line(std::string_view line, std::size_t line_bytes, Request& request, Scratch& scratch) noexcept {
  if (line_bytes < kCommandLineBytesMin) {
    return refuse(reply::kBadFormat);
  }
  MR_DCHECK(line_bytes - line.size() <= 2);
  std::uint32_t head;
  std::memcpy(&head, line.data(), sizeof head);  // the line end is behind the line, so that four bytes are there
  const auto as = [&](Command command, std::string_view word,
                      Verdict (*parse)(std::string_view, Request&) noexcept) noexcept {
    if (!is_word(line, word)) {
      return parse_rare(line, request, scratch);
    }
    request.command = command;
    return parse(line.substr(word.size()), request);
  };
  switch (head) {
    case four("get "):
      return as(Command::Get, "get", parse_get);
    case four("gets"):
      return as(Command::Gets, "gets", parse_get);
    case four("gat "):
      return as(Command::Gat, "gat", parse_gat);
    case four("gats"):
      return as(Command::Gats, "gats", parse_gat);
    case four("set "):
      return as(Command::Set, "set", parse_store);
    case four("add "):
      return as(Command::Add, "add", parse_store);
    case four("cas "):
      return as(Command::Cas, "cas", parse_store);
    case four("repl"):
      return as(Command::Replace, "replace", parse_store);
    case four("appe"):
      return as(Command::Append, "append", parse_store);
    case four("prep"):
      return as(Command::Prepend, "prepend", parse_store);
    case four("dele"):
      return as(Command::Delete, "delete", parse_delete);
    case four("incr"):
      return as(Command::Incr, "incr", parse_arith);
    case four("decr"):
      return as(Command::Decr, "decr", parse_arith);
    case four("touc"):
      return as(Command::Touch, "touch", parse_touch);
    default:
      return parse_rare(line, request, scratch);
  }
}

}  // namespace millrace::protocol::ascii
