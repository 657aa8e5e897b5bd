// set add replace append prepend: `<verb> <key> <flags> <exptime> <bytes> [noreply]`, cas with its token behind the
// length. The length is looked at first: once it is known, a bad header costs the client its request but not the
// connection's step, because the data block can be passed over.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

Verdict parse_store(std::string_view arguments, Request& request) noexcept {
  Words words(arguments);
  const std::string_view key = words.next_key();
  const std::string_view flags_word = words.next();
  const std::string_view exptime_word = words.next();
  const std::optional<std::int32_t> length = parse_i32(words.next());
  if (!length || *length < 0 || static_cast<std::uint32_t>(*length) > kValueBytesMax) {
    return refuse(reply::kBadFormat);
  }
  request.value_bytes = static_cast<std::uint32_t>(*length);
  request.noreply = ends_with_noreply(words.rest());

  const std::optional<std::uint32_t> flags = parse_flags(flags_word);
  const std::optional<std::int32_t> exptime = parse_header_exptime(exptime_word);
  bool is_good = key.size() <= kKeyBytesMax && flags && exptime;
  if (request.command == Command::Cas) {
    const std::optional<std::uint64_t> token = parse_u64(words.next());
    request.number = token.value_or(0);
    is_good = is_good && token;
  }
  if (!is_good) {
    return refuse(reply::kBadFormat, request.noreply, request.value_bytes + kBlockEndBytes);
  }
  request.key = key;
  request.flags = *flags;
  request.exptime = *exptime;
  return {.meaning = Meaning::DataBlock};
}

}  // namespace millrace::protocol::ascii
