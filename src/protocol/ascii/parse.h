// What a complete line means. One function a family of verbs, each in the file of its name; dispatch.cc picks one.
// All are pure and see one line in one piece, without its line end. Any thread. Views go into the line.
#pragma once

#include <cstdint>
#include <string_view>

#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"
#include "protocol/reply.h"
#include "protocol/request.h"

namespace millrace::protocol::ascii {

enum class Meaning : std::uint8_t {
  Request,    ///< all of it is in `request`
  DataBlock,  ///< a storage command; its data block follows the line
  Keys,       ///< a line of the get family; `keys` are its keys, at least one, none too long
  Error,      ///< send `error`, then pass over `swallow_bytes` behind the line
  Close,      ///< close without a word
};

struct Verdict {
  Meaning meaning = Meaning::Request;
  std::uint32_t swallow_bytes = 0;
  std::string_view error{};  ///< empty: noreply asked for silence
  std::string_view keys{};
};

/// memcached keeps an error to itself, too, when the line ends with noreply.
[[nodiscard]] inline Verdict refuse(std::string_view error, bool noreply = false,
                                    std::uint32_t swallow_bytes = 0) noexcept {
  return {.meaning = Meaning::Error, .swallow_bytes = swallow_bytes, .error = noreply ? std::string_view{} : error};
}

/// `line` without its line end; `line_bytes` with it.
Verdict parse_line(std::string_view line, std::size_t line_bytes, Request& request, Scratch& scratch) noexcept;

// `arguments` is what stands behind the command word: empty, or spaces first. request.command is set by the caller.
Verdict parse_get(std::string_view arguments, Request& request) noexcept;     // get gets        parse_get.cc
Verdict parse_gat(std::string_view arguments, Request& request) noexcept;     // gat gats        parse_get.cc
Verdict parse_store(std::string_view arguments, Request& request) noexcept;   // set ... cas     parse_store.cc
Verdict parse_arith(std::string_view arguments, Request& request) noexcept;   // incr decr       parse_arith.cc
Verdict parse_delete(std::string_view arguments, Request& request) noexcept;  //                 parse_delete.cc
Verdict parse_touch(std::string_view arguments, Request& request) noexcept;   //                 parse_touch.cc
Verdict parse_stats(std::string_view arguments, Request& request) noexcept;   //                 parse_admin.cc
/// Commands whose word memcached looks for behind leading spaces too, and words nobody knows. `line` is the whole line.
Verdict parse_admin(std::string_view line, Request& request) noexcept;  // flush_all ... config

/// The key of a line that is `get <key>` and nothing else, else empty: half of all lines there are, told with one load,
/// one comparison and one search. Whatever else the line is, parse_line() says.
[[nodiscard]] inline std::string_view lone_get_key(std::string_view line) noexcept {
  constexpr std::string_view kGet = "get ";
  if (!line.starts_with(kGet)) {
    return {};
  }
  const std::string_view key = line.substr(kGet.size());
  return key.size() <= kKeyBytesMax && word_bytes(key) == key.size() ? key : std::string_view{};
}

/// Some key is longer than a key may be. Looks at few of the bytes: see parse_get.cc.
[[nodiscard]] bool has_overlong_key(std::string_view keys) noexcept;

}  // namespace millrace::protocol::ascii
