// The meta commands: `mg ms md ma me <key> [bytes] <flag>*`. Pure; any thread. A request says what the classic command
// of the same effect would (mg: Get, or Gat if it may change something; ms: Set Add Replace Append Prepend Cas; md:
// Delete; ma: Incr Decr), in Dialect::Meta, with the flags as its extra.
#pragma once

#include <string_view>

#include "protocol/ascii/parse.h"
#include "protocol/request.h"

namespace millrace::protocol::meta {

/// `letter`: the command's second. `arguments`: what stands behind the command word.
ascii::Verdict parse(char letter, std::string_view arguments, Request& request, Scratch& scratch) noexcept;

}  // namespace millrace::protocol::meta
