// Who may connect to a listener, and what he may ask there. Made at start from --allow, --refuse and --admin-listen;
// read by every worker afterwards. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/api/ip_prefix.h"
#include "protocol/request.h"

namespace millrace::worker {

/// Bit n for the protocol's command n, whatever its dialect, and two for parts of commands.
using CommandSet = std::uint64_t;

[[nodiscard]] constexpr CommandSet set_of(protocol::Command command) noexcept {
  return CommandSet{1} << static_cast<unsigned>(command);
}
/// Whatever shows keys that were not asked for by name: cachedump, metadump, mgdump, stats detail dump, hotkeys, watch.
inline constexpr CommandSet kDumps = CommandSet{1} << 62;
/// stats reset; stats detail, hotkeys on and off.
inline constexpr CommandSet kStatsChanges = CommandSet{1} << 63;
static_assert(static_cast<unsigned>(protocol::Command::SaslStep) < 61);

/// What --admin-listen keeps from all other listeners: everything that is about the server and not about keys, but for
/// flush_all, which applications use, and for statistics that change nothing.
inline constexpr CommandSet kAdminCommands =
    set_of(protocol::Command::CacheMemlimit) | set_of(protocol::Command::Verbosity) |
    set_of(protocol::Command::Shutdown) | set_of(protocol::Command::Watch) | set_of(protocol::Command::Slabs) |
    set_of(protocol::Command::Lru) | set_of(protocol::Command::LruCrawler) | kDumps | kStatsChanges;

/// A command's name, or a group's: read, write, admin, dump. Nothing for a word that is neither.
[[nodiscard]] std::optional<CommandSet> command_set_of(std::string_view word);
/// All words that command_set_of() knows, for the sentence that refuses another.
[[nodiscard]] std::string command_words();

/// What of `stats <arguments>` or `lru_crawler <arguments>` belongs to a part of a command: kDumps, kStatsChanges or
/// none.
[[nodiscard]] CommandSet parts_of(protocol::Command command, std::string_view arguments);

struct ListenerPolicy {
  std::vector<dataplane::IpPrefix> allow;  ///< empty: everybody
  CommandSet refused = 0;

  [[nodiscard]] bool admits(const dataplane::IpBytes& peer) const noexcept {
    for (const dataplane::IpPrefix& prefix : allow) {
      if (prefix.contains(peer)) {
        return true;
      }
    }
    return allow.empty();
  }
};

/// The address in a transport's peer_text(); nothing for a unix socket's.
[[nodiscard]] std::optional<dataplane::IpBytes> address_in(std::string_view peer_text);

}  // namespace millrace::worker
