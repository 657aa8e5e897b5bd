// get gets: `<verb> <key>+`; gat gats: `<verb> <exptime> <key>+`. The keys come out one by one (key_line.h); here is
// what can be said of the line as a whole.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"
#include "protocol/limits.h"

namespace millrace::protocol::ascii {

/// A key that is too long is a run of kKeyBytesMax + 1 bytes without a space. So look for a space backwards from the
/// end of such a run: with keys of ordinary length that is found within a few bytes, and the next run starts behind it.
bool has_overlong_key(std::string_view keys) noexcept {
  while (keys.size() > kKeyBytesMax) {
    const std::size_t space = keys.substr(0, kKeyBytesMax + 1).rfind(' ');
    if (space == std::string_view::npos) {
      return true;
    }
    keys.remove_prefix(space + 1);
  }
  return false;
}

Verdict parse_get(std::string_view arguments, Request& request) noexcept {
  const std::string_view keys = without_leading_spaces(arguments);
  if (keys.empty() || has_overlong_key(keys)) {
    return refuse(reply::kBadFormat);
  }
  request.exptime = 0;
  return {.meaning = Meaning::Keys, .keys = keys};
}

Verdict parse_gat(std::string_view arguments, Request& request) noexcept {
  Words words(arguments);
  const std::string_view exptime_word = words.next();
  const std::string_view keys = without_leading_spaces(words.rest());
  if (keys.empty()) {
    return refuse(reply::kBadFormat);
  }
  const std::optional<std::int32_t> exptime = parse_i32(exptime_word);
  if (!exptime) {
    return refuse(reply::kBadExptime);
  }
  if (has_overlong_key(keys)) {
    return refuse(reply::kBadFormat);
  }
  request.exptime = *exptime;
  return {.meaning = Meaning::Keys, .keys = keys};
}

}  // namespace millrace::protocol::ascii
