// The meta commands mg ms md ma me are not served yet: they are unknown words, as to a memcached before 1.6. Only `ms`
// needs care, `ms <key> <bytes> <flags>*`: its data block is passed over, lest a value be obeyed as commands.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict refuse_meta(std::string_view line) noexcept {
  Words words(line);
  if (words.next() != "ms") {
    return refuse(reply::kError);
  }
  words.next();
  const std::optional<std::int32_t> length = parse_i32(words.next());
  if (!length || *length < 0 || static_cast<std::uint32_t>(*length) > kValueBytesMax) {
    return refuse(reply::kError);
  }
  return refuse(reply::kError, false, static_cast<std::uint32_t>(*length) + kBlockEndBytes);
}

}  // namespace millrace::protocol::ascii
