// stats flush_all cache_memlimit verbosity shutdown watch slabs lru lru_crawler config, and what to say of words that
// are no command.
// Rare, so that plain comparing is fast enough.

#include "protocol/ascii/numbers.h"
#include "protocol/ascii/parse.h"
#include "protocol/ascii/tokens.h"

namespace millrace::protocol::ascii {
namespace {

/// `flush_all [delay] [noreply]`
Verdict parse_flush_all(std::string_view arguments, Request& request) noexcept {
  request.command = Command::FlushAll;
  Words words(arguments);
  const std::string_view first = words.next();
  const bool is_only_word = without_leading_spaces(words.rest()).empty();
  if (first.empty() || (is_only_word && request.noreply)) {
    return {};
  }
  const std::optional<std::int32_t> delay = parse_i32(first);
  if (!delay) {
    return refuse(reply::kBadExptime, request.noreply);
  }
  request.has_argument = true;
  request.exptime = *delay;
  return {};
}

/// `cache_memlimit <MiB> [noreply]`: without a number it is no command at all.
Verdict parse_cache_memlimit(std::string_view arguments, Request& request) noexcept {
  request.command = Command::CacheMemlimit;
  const std::optional<std::uint32_t> mebibytes = parse_u32(Words(arguments).next());
  if (!mebibytes) {
    return refuse(reply::kError, request.noreply);
  }
  request.number = *mebibytes;
  return {};
}

/// `verbosity <level> [noreply]`
Verdict parse_verbosity(std::string_view arguments, Request& request) noexcept {
  request.command = Command::Verbosity;
  const std::optional<std::uint32_t> level = parse_u32(Words(arguments).next());
  if (!level) {
    return refuse(reply::kBadFormat, request.noreply);
  }
  request.number = *level;
  return {};
}

/// `shutdown [graceful]`. Whether it is allowed comes before whether its words make sense, so that the words go along.
Verdict parse_shutdown(std::string_view arguments, Request& request) noexcept {
  request.command = Command::Shutdown;
  request.key = without_leading_spaces(without_trailing_spaces(arguments));
  // Any beginning of the word will do, as in memcached.
  request.has_argument = !request.key.empty() && std::string_view("graceful").starts_with(request.key);
  return {};
}

/// The words go along as they are.
Verdict take_words(Command command, std::string_view arguments, Request& request) noexcept {
  request.command = command;
  request.key = without_leading_spaces(without_trailing_spaces(arguments));
  return {};
}

}  // namespace

Verdict parse_stats(std::string_view arguments, Request& request) noexcept {
  request.key = without_leading_spaces(without_trailing_spaces(arguments));
  return {};
}

Verdict parse_admin(std::string_view line, Request& request) noexcept {
  Words words(line);
  const std::string_view word = words.next();
  const std::string_view arguments = words.rest();
  request.noreply = ends_with_noreply(line);
  if (word == "flush_all") {
    return parse_flush_all(arguments, request);
  }
  if (word == "cache_memlimit") {
    return parse_cache_memlimit(arguments, request);
  }
  if (word == "verbosity") {
    return parse_verbosity(arguments, request);
  }
  if (word == "shutdown") {
    return parse_shutdown(arguments, request);
  }
  if (word == "watch") {
    return take_words(Command::Watch, arguments, request);
  }
  if (word == "slabs") {
    return take_words(Command::Slabs, arguments, request);
  }
  if (word == "lru") {
    return take_words(Command::Lru, arguments, request);
  }
  if (word == "lru_crawler") {
    return take_words(Command::LruCrawler, arguments, request);
  }
  if (word == "config") {
    return take_words(Command::Config, arguments, request);
  }
  // A browser, a load balancer's probe, or a request forged through one: nothing it sends next is meant for us.
  const std::string_view trimmed = without_trailing_spaces(arguments);
  const std::string_view last = trimmed.substr(trimmed.rfind(' ') + 1);
  if (last.starts_with("HTTP/")) {
    return {.meaning = Meaning::Close};
  }
  return refuse(reply::kError, request.noreply);
}

}  // namespace millrace::protocol::ascii
