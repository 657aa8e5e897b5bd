// delete: `delete <key> [noreply]`. Up to three further words, such as the delay of old clients, are ignored, as in
// memcached 1.6.45. With more it is refused: 1.6.45 ignores those too, but memccapable holds a server to the ERROR that
// all versions before gave.

#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict parse_delete(std::string_view arguments, Request& request) noexcept {
  Words words(arguments);
  const std::string_view key = words.next_key();
  if (key.empty()) {
    return refuse(reply::kBadFormat);
  }
  request.noreply = ends_with_noreply(arguments);
  if (key.size() > kKeyBytesMax) {
    return refuse(reply::kBadFormat, request.noreply);
  }
  words.next();
  words.next();
  words.next();
  if (!words.next().empty()) {
    return refuse(reply::kError, request.noreply);
  }
  request.key = key;
  return {};
}

}  // namespace millrace::protocol::ascii
