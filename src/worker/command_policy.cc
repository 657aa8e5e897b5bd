#include "worker/command_policy.h"

#include <array>

#include "dataplane/api/interface_address.h"
#include "worker/admin/words.h"

namespace millrace::worker {
namespace {

using protocol::Command;

constexpr CommandSet range(Command first, Command last) noexcept {
  CommandSet set = 0;
  for (auto n = static_cast<unsigned>(first); n <= static_cast<unsigned>(last); ++n) {
    set |= CommandSet{1} << n;
  }
  return set;
}

struct Named {
  std::string_view word;
  CommandSet set;
};

constexpr std::array kNamed = {
    Named{"read", range(Command::Get, Command::Gets) | set_of(Command::MetaDebug)},
    Named{"write",
          range(Command::Gat, Command::Gats) | range(Command::Set, Command::Touch) | set_of(Command::FlushAll)},
    Named{"admin", kAdminCommands},
    Named{"dump", kDumps},
    Named{"get", set_of(Command::Get)},
    Named{"gets", set_of(Command::Gets)},
    Named{"gat", set_of(Command::Gat)},
    Named{"gats", set_of(Command::Gats)},
    Named{"set", set_of(Command::Set)},
    Named{"add", set_of(Command::Add)},
    Named{"replace", set_of(Command::Replace)},
    Named{"append", set_of(Command::Append)},
    Named{"prepend", set_of(Command::Prepend)},
    Named{"cas", set_of(Command::Cas)},
    Named{"delete", set_of(Command::Delete)},
    Named{"incr", set_of(Command::Incr)},
    Named{"decr", set_of(Command::Decr)},
    Named{"touch", set_of(Command::Touch)},
    Named{"flush_all", set_of(Command::FlushAll)},
    Named{"cache_memlimit", set_of(Command::CacheMemlimit)},
    Named{"stats", set_of(Command::Stats)},
    Named{"verbosity", set_of(Command::Verbosity)},
    Named{"shutdown", set_of(Command::Shutdown)},
    Named{"watch", set_of(Command::Watch)},
    Named{"slabs", set_of(Command::Slabs)},
    Named{"lru", set_of(Command::Lru)},
    Named{"lru_crawler", set_of(Command::LruCrawler)},
    Named{"config", set_of(Command::Config)},
};

}  // namespace

std::optional<CommandSet> command_set_of(std::string_view word) {
  for (const Named& named : kNamed) {
    if (named.word == word) {
      return named.set;
    }
  }
  return std::nullopt;
}

std::string command_words() {
  std::string words;
  for (const Named& named : kNamed) {
    words.append(words.empty() ? "" : ", ").append(named.word);
  }
  return words;
}

CommandSet parts_of(Command command, std::string_view arguments) {
  if (command == Command::Watch) {
    return kDumps;
  }
  const std::vector<std::string_view> words = words_of(arguments);
  if (words.empty()) {
    return 0;
  }
  if (command == Command::LruCrawler) {
    return words[0] == "metadump" || words[0] == "mgdump" ? kDumps : 0;
  }
  if (command == Command::Stats) {
    const bool is_detail = words[0] == "detail";
    if (words[0] == "cachedump" || (is_detail && words.size() > 1 && words[1] == "dump")) {
      return kDumps;
    }
    if (words[0] == "hotkeys") {
      return words.size() > 1 ? kStatsChanges : kDumps;
    }
    return is_detail || words[0] == "reset" ? kStatsChanges : 0;
  }
  return 0;
}

std::optional<dataplane::IpBytes> address_in(std::string_view peer_text) {
  if (!peer_text.starts_with("tcp")) {
    return std::nullopt;
  }
  const std::size_t begin = peer_text.find(':') + 1;
  std::string_view address = peer_text.substr(begin, peer_text.rfind(':') - begin);
  if (address.starts_with('[')) {
    address = address.substr(1, address.size() - 2);
  }
  auto parsed = dataplane::parse_ip(address.substr(0, address.find('%')));
  return parsed ? std::optional{*parsed} : std::nullopt;
}

}  // namespace millrace::worker
