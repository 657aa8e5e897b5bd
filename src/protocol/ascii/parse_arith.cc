// incr decr: `<verb> <key> <delta> [noreply]`. Further words are ignored, as in memcached.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict parse_arith(std::string_view arguments, Request& request) noexcept {
  Words words(arguments);
  const std::string_view key = words.next_key();
  const std::string_view delta_word = words.next();
  if (delta_word.empty()) {
    return refuse(reply::kBadFormat);
  }
  request.noreply = ends_with_noreply(arguments);
  if (key.size() > kKeyBytesMax) {
    return refuse(reply::kBadFormat, request.noreply);
  }
  const std::optional<std::uint64_t> delta = parse_u64(delta_word);
  if (!delta) {
    return refuse(reply::kBadDelta, request.noreply);
  }
  request.key = key;
  request.number = *delta;
  return {};
}

}  // namespace millrace::protocol::ascii
