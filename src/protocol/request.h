// One request as the wire said it, in views. 64 bytes, so that a batch of them stays in the nearest cache.
// Thread: the worker that parsed it. Ownership: none; `key` points into the received bytes or the session's carry and
// is valid until the session is called again.
#pragma once

#include <cstdint>
#include <string_view>

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
  FlushAll,
  CacheMemlimit,
  Stats,
  Version,
  Verbosity,
  Shutdown,
  MetaNoop,
  Quit,
  SaslList,
  SaslAuth,
  SaslStep,
};

struct Request {
  Command command{};
  bool noreply = false;
  bool ends_reply = true;  ///< get family: last key of its line, END follows it. Such a request may have no key at all
  bool has_argument = false;  ///< FlushAll: a delay was given; Shutdown: "graceful"; see key for any other word
  std::uint32_t flags = 0;    ///< client flags of a storage command
  std::int64_t exptime =
      0;  ///< as on the wire: relative up to 30 days, else Unix time; negative: expired. FlushAll: delay
  std::uint64_t number = 0;       ///< Cas: cas unique; Incr, Decr: delta; Verbosity: level; CacheMemlimit: MiB
  std::uint32_t value_bytes = 0;  ///< storage commands: length on the wire, without CRLF
  std::uint32_t unused = 0;
  std::string_view key{};    ///< Stats, Shutdown: the words after the command, as sent, without spaces around them
  std::string_view value{};  ///< storage commands whose data block arrived whole; see Found::Request
};
static_assert(sizeof(Request) <= 72);

[[nodiscard]] constexpr bool is_retrieval(Command c) noexcept { return c <= Command::Gats; }
[[nodiscard]] constexpr bool is_storage(Command c) noexcept { return c >= Command::Set && c <= Command::Cas; }

}  // namespace millrace::protocol
