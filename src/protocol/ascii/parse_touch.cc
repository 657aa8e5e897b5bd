// touch: `touch <key> <exptime> [noreply]`. Unlike in a storage header the time has to fit 32 bits.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict parse_touch(std::string_view arguments, Request& request) noexcept {
  Words words(arguments);
  const std::string_view key = words.next_key();
  const std::string_view exptime_word = words.next();
  if (exptime_word.empty()) {
    return refuse(reply::kBadFormat);
  }
  request.noreply = ends_with_noreply(arguments);
  if (key.size() > kKeyBytesMax) {
    return refuse(reply::kBadFormat, request.noreply);
  }
  const std::optional<std::int32_t> exptime = parse_i32(exptime_word);
  if (!exptime) {
    return refuse(reply::kBadExptime, request.noreply);
  }
  request.key = key;
  request.exptime = *exptime;
  return {};
}

}  // namespace millrace::protocol::ascii
