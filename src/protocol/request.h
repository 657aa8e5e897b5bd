// One request as the wire said it, in views. Little more than a cache line, so that a batch of them stays in the
// nearest cache. Thread: the worker that parsed it. Ownership: none; `key` points into the received bytes, the
// session's carry or the caller's scratch, `extra` into the scratch; both are valid until the session is called again.
//
// A dialect is a way to say the same commands. What all say alike has a field here; what only one says is in `extra`,
// in that dialect's own encoding, and travels with the request to whoever executes it, who also writes the reply.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "protocol/limits.h"

namespace millrace::protocol {

enum class Command : std::uint8_t {
  Get,
  Gets,
  Gat,
  Gats,
  Set,
  Add,
  Replace,
  Append,
  Prepend,
  Cas,
  Delete,
  Incr,
  Decr,
  Touch,
  MetaDebug,  ///< me
  FlushAll,
  CacheMemlimit,
  Stats,
  Version,
  Verbosity,
  Shutdown,
  MetaNoop,
  Quit,
  Watch,
  Slabs,
  Lru,
  LruCrawler,
  Config,
  SaslList,
  SaslAuth,
  SaslStep,
  Login,  ///< the login of -Y: `key` is the user, `value` the password
};

enum class Dialect : std::uint8_t {
  Text,    ///< the classic commands; no `extra`
  Meta,    ///< mg ms md ma me
  Binary,  ///< requests with a 24-byte header
};

struct Request {
  Command command{};
  bool noreply = false;
  bool ends_reply = true;  ///< text get family: last key of its line, END follows it. Such a request may have no key at
                           ///< all. Other dialects: false
  bool has_argument = false;  ///< FlushAll: a delay was given; Shutdown: "graceful"; see key for any other word
  std::uint32_t flags = 0;    ///< client flags of a storage command
  std::int64_t exptime =
      0;  ///< as on the wire: relative up to 30 days, else Unix time; negative: expired. FlushAll: delay
  std::uint64_t number = 0;       ///< Cas: cas unique; Incr, Decr: delta; Verbosity: level; CacheMemlimit: MiB
  std::uint32_t value_bytes = 0;  ///< storage commands: length on the wire, without CRLF
  Dialect dialect = Dialect::Text;
  std::uint8_t extra_bytes = 0;
  std::uint16_t unused = 0;
  std::string_view key{};    ///< takes_words(): the words after the command, as sent, without spaces around them
  std::string_view value{};  ///< storage commands whose data block arrived whole; see Found::Request
  const char* extra_at = nullptr;

  /// What the dialect says besides, at most kExtraBytesMax.
  [[nodiscard]] std::string_view extra() const noexcept { return {extra_at, extra_bytes}; }
};
static_assert(sizeof(Request) <= 72);

/// Where a parser puts what is not in the received bytes as it is needed: a decoded key, a dialect's extra. Owned by
/// whoever calls the session; written by one call and good until the next.
struct Scratch {
  std::array<char, kKeyBytesMax> key;
  std::array<char, kExtraBytesMax> extra;
};

[[nodiscard]] constexpr bool is_retrieval(Command c) noexcept { return c <= Command::Gats; }
/// About one key; the others are about the server.
[[nodiscard]] constexpr bool is_about_key(Command c) noexcept { return c <= Command::MetaDebug; }
[[nodiscard]] constexpr bool is_storage(Command c) noexcept { return c >= Command::Set && c <= Command::Cas; }
/// Commands of administrators whose words are looked at where they are carried out.
[[nodiscard]] constexpr bool takes_words(Command c) noexcept {
  return c == Command::Stats || c == Command::Shutdown || (c >= Command::Watch && c <= Command::Config);
}

}  // namespace millrace::protocol
