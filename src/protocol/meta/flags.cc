#include "protocol/meta/flags.h"

#include <bitset>
#include <optional>

#include "protocol/ascii/numbers.h"
#include "protocol/meta/base64.h"
#include "protocol/reply.h"

namespace millrace::protocol::meta {
namespace {

/// Words that memcached looks at in a line; it does not see the others.
constexpr std::uint32_t kWordsSeenMax = 23;

template <typename To, typename From>
[[nodiscard]] bool take(std::optional<From> number, To& to) noexcept {
  to = static_cast<To>(number.value_or(0));
  return number.has_value();
}

/// One flag into its place. An error is a reply line.
std::string_view read_flag(char letter, std::string_view token, Flags& flags) noexcept {
  Args& args = flags.args;
  const auto need = [](bool is_good, std::string_view error) { return is_good ? std::string_view{} : error; };
  switch (letter) {
    case 'N':
      args.given |= given::kVivify;
      return need(take(ascii::parse_i32(token), args.vivify_exptime), reply::kBadFlagToken);
    case 'T':
      args.given |= given::kTouch;
      return need(take(ascii::parse_i32(token), flags.exptime), reply::kBadFlagToken);
    case 'R':
      args.given |= given::kRecache;
      return need(take(ascii::parse_i32(token), args.recache_exptime), reply::kBadFlagToken);
    case 'C':
      args.given |= given::kCompare;
      return need(take(ascii::parse_u64(token), args.compare), reply::kBadFlagToken);
    case 'E':
      args.given |= given::kNewCas;
      return need(take(ascii::parse_u64(token), args.new_cas), reply::kBadFlagToken);
    case 'F':
      return need(take(ascii::parse_u32(token), flags.client_flags), reply::kBadFormat);
    case 'J':
      return need(take(ascii::parse_u64(token), args.initial), reply::kBadInitial);
    case 'D':
      return need(take(ascii::parse_u64(token), args.delta), reply::kBadDeltaValue);
    case 'M':
      flags.mode = token.empty() ? ' ' : token.front();  // further letters are ignored
      return {};
    case 'b':
      args.given |= given::kBinaryKey;
      return {};
    case 'v':
      args.given |= given::kValue;
      return {};
    case 'u':
      args.given |= given::kNoBump;
      return {};
    case 'q':
      args.given |= given::kQuiet;
      return {};
    case 'x':
      args.given |= given::kRemoveValue;
      return {};
    case 'I':
      args.given |= given::kInvalidate;
      return {};
    case 'O':
    case 'P':
    case 'L':
    case 'k':
    case 's':
    case 't':
    case 'c':
    case 'f':
    case 'l':
    case 'h':
      return {};
    default:
      return reply::kInvalidFlag;
  }
}

}  // namespace

std::string_view read_flags(ascii::Words& words, std::uint32_t words_before, std::string_view returned, Flags& flags,
                            Scratch& scratch) noexcept {
  std::array<std::string_view, kWordsSeenMax> seen;
  std::uint32_t count = 0;
  for (std::string_view word = words.next(); !word.empty() && words_before + count < kWordsSeenMax;
       word = words.next()) {
    if (!is_flag_letter(word.front())) {
      return reply::kBadFormat;
    }
    seen[count++] = word;
  }
  if (words_before + count > kWordsMax) {
    return reply::kTooManyFlags;
  }
  std::bitset<128> letters;
  std::string_view error;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char letter = seen[i].front();
    if (letters.test(static_cast<unsigned char>(letter))) {
      return reply::kDuplicateFlag;
    }
    letters.set(static_cast<unsigned char>(letter));
    const std::string_view bad = read_flag(letter, seen[i].substr(1), flags);
    if (bad == reply::kInvalidFlag) {
      return bad;
    }
    if (!bad.empty() && (bad != reply::kBadFormat || error.empty())) {
      error = bad;  // the last one is told, as in memcached, which has no words of its own for F
    }
    if (letter == 'O') {
      flags.opaque = seen[i];
    } else if (letter == 'b') {
      const std::size_t bytes = decode_base64(scratch.key.data(), flags.key);
      error = bytes == 0 ? reply::kBadKey : error;
      flags.key = {scratch.key.data(), bytes};
    }
    if (returned.find(letter) != std::string_view::npos) {
      flags.returns[flags.args.return_count++] = letter;
    }
  }
  return error;
}

}  // namespace millrace::protocol::meta
