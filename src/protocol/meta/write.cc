#include "protocol/meta/write.h"

#include <cstring>

#include "protocol/reply.h"

namespace millrace::protocol::meta {
namespace {

char* write_text(char* at, std::string_view text) noexcept { return at + text.copy(at, text.size()); }

char* write_counted(char* at, char letter, std::uint64_t number) noexcept {
  *at++ = ' ';
  *at++ = letter;
  return write_number(at, number);
}

/// In the form in which it came.
char* write_key(char* at, std::string_view key, bool is_binary) noexcept {
  at = write_text(at, " k");
  return is_binary ? write_text(encode_base64(at, key), " b") : write_text(at, key);
}

char* write_opaque(char* at, std::string_view opaque) noexcept {
  *at++ = ' ';
  return write_text(at, opaque);
}

}  // namespace

char* write_returns(char* at, const Extra& extra, const Shown& shown) noexcept {
  for (const char letter : extra.returns) {
    switch (letter) {
      case 's':
        at = write_counted(at, 's', shown.value_bytes);
        break;
      case 't':
        at = shown.ttl_s < 0 ? write_text(at, " t-1") : write_counted(at, 't', static_cast<std::uint64_t>(shown.ttl_s));
        break;
      case 'c':
        at = write_counted(at, 'c', shown.cas);
        break;
      case 'f':
        at = write_counted(at, 'f', shown.client_flags);
        break;
      case 'l':
        at = write_counted(at, 'l', shown.idle_s);
        break;
      case 'h':
        at = write_text(at, shown.was_fetched ? " h1" : " h0");
        break;
      case 'k':
        at = write_key(at, shown.key, extra.args.has(given::kBinaryKey));
        break;
      case 'O':
        at = write_opaque(at, extra.opaque);
        break;
      default:  // T, N, R: not told
        break;
    }
  }
  return at;
}

char* write_reflected(char* at, const Extra& extra, std::string_view key) noexcept {
  for (const char letter : extra.returns) {
    if (letter == 'k') {
      at = write_key(at, key, extra.args.has(given::kBinaryKey));
    } else if (letter == 'O') {
      at = write_opaque(at, extra.opaque);
    }
  }
  return at;
}

}  // namespace millrace::protocol::meta
