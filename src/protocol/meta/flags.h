// The flags of a meta line: one letter each, some with a token behind it. All five commands take all of them and heed
// those that mean something to them, as in memcached. Pure; any thread. Views go into the line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/ascii/tokens.h"
#include "protocol/meta/args.h"
#include "protocol/request.h"

namespace millrace::protocol::meta {

struct Flags {
  Args args;
  std::string_view key;                   ///< as on the wire; with b, what it stands for
  std::array<char, kReturnsMax> returns;  ///< args.return_count of them
  std::string_view opaque;                ///< with its O; may be too long
  std::int32_t exptime = 0;               ///< T
  std::uint32_t client_flags = 0;         ///< F
  char mode = '\0';                       ///< M; none: zero
};

/// Reads all words left in `words`, of which `words_before` have gone before. Of flags that are to be answered those in
/// `returned` are kept. A key in base64 is decoded into `scratch`. An error is a reply line; empty: none. Whether an M
/// or an opaque is a good one, the command says.
[[nodiscard]] std::string_view read_flags(ascii::Words& words, std::uint32_t words_before, std::string_view returned,
                                          Flags& flags, Scratch& scratch) noexcept;

/// A word that memcached does not even take for a flag makes the line no meta line at all.
[[nodiscard]] constexpr bool is_flag_letter(char c) noexcept { return (c > '@' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace millrace::protocol::meta
