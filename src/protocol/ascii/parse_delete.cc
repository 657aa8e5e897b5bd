// delete: `delete <key> [noreply]`. Further words, such as the delay of old clients, are ignored, as in
// memcached 1.6.45.

#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict parse_delete(std::string_view arguments, Request& request) noexcept {
  const std::string_view key = Words(arguments).next_key();
  if (key.empty()) {
    return refuse(reply::kBadFormat);
  }
  request.noreply = ends_with_noreply(arguments);
  if (key.size() > kKeyBytesMax) {
    return refuse(reply::kBadFormat, request.noreply);
  }
  request.key = key;
  return {};
}

}  // namespace millrace::protocol::ascii
