// Every option of memcached 1.6.45: obeyed (a field changes), noted (a note says why not) or refused; never ignored.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "cli_words.h"
#include "config/option_table.h"
#include "config/settings_stats.h"

namespace millrace::config {
namespace {

using ::testing::HasSubstr;

enum class Fate {
  Obeyed,
  Noted,
  Refused,
  Leaves
};

/// Written down by hand from memcached's own help and source, not taken from our table.
struct LetterCase {
  char letter;
  const char* value;  ///< nullptr: takes none
  Fate fate;
};
constexpr LetterCase kLetters[] = {
    {'p', "1234", Fate::Obeyed},
    {'U', "1234", Fate::Obeyed},
    {'s', "/tmp/s", Fate::Obeyed},
    {'a', "600", Fate::Obeyed},
    {'A', nullptr, Fate::Obeyed},
    {'l', "127.0.0.9", Fate::Obeyed},
    {'d', nullptr, Fate::Obeyed},
    {'r', nullptr, Fate::Obeyed},
    {'u', "nobody", Fate::Obeyed},
    {'m', "99", Fate::Obeyed},
    {'M', nullptr, Fate::Obeyed},
    {'c', "99", Fate::Obeyed},
    {'k', nullptr, Fate::Obeyed},
    {'v', nullptr, Fate::Obeyed},
    {'h', nullptr, Fate::Leaves},
    {'i', nullptr, Fate::Leaves},
    {'V', nullptr, Fate::Leaves},
    {'P', "/tmp/p", Fate::Obeyed},
    {'f', "1.3", Fate::Obeyed},
    {'n', "99", Fate::Obeyed},
    {'L', nullptr, Fate::Obeyed},
    {'D', "/", Fate::Obeyed},
    {'t', "2", Fate::Obeyed},
    {'R', "99", Fate::Noted},
    {'C', nullptr, Fate::Obeyed},
    {'b', "99", Fate::Obeyed},
    {'B', "binary", Fate::Obeyed},
    {'I', "2m", Fate::Obeyed},
    {'S', nullptr, Fate::Obeyed},
    {'F', nullptr, Fate::Obeyed},
    {'X', nullptr, Fate::Obeyed},
    {'W', nullptr, Fate::Obeyed},
    {'Y', "/tmp/a", Fate::Obeyed},
    {'e', "/tmp/e", Fate::Refused},
    {'Z', nullptr, Fate::Refused},
    {'N', "2", Fate::Noted},
    {'o', "idle_timeout=9", Fate::Obeyed},
};

struct WordCase {
  const char* word;  ///< as given to -o
  Fate fate;
};
constexpr WordCase kWords[] = {
    {"maxconns_fast", Fate::Noted},
    {"no_maxconns_fast", Fate::Noted},
    {"idle_timeout=9", Fate::Obeyed},
    {"track_sizes", Fate::Obeyed},
    {"hashpower=20", Fate::Noted},
    {"no_hashexpand", Fate::Noted},
    {"tail_repair_time=9", Fate::Noted},
    {"hash_algorithm=jenkins", Fate::Noted},
    {"hash_algorithm=murmur3", Fate::Noted},
    {"slab_reassign", Fate::Noted},
    {"no_slab_reassign", Fate::Noted},
    {"slab_automove=0", Fate::Obeyed},
    {"slab_automove=2", Fate::Obeyed},
    {"no_slab_automove", Fate::Obeyed},
    {"slab_automove_ratio=0.8", Fate::Noted},
    {"slab_automove_window=30", Fate::Noted},
    {"slab_automove_freeratio=0.01", Fate::Noted},
    {"slab_sizes=100-200", Fate::Obeyed},
    {"slab_chunk_max=512", Fate::Noted},
    {"no_chunked_items", Fate::Noted},
    {"lru_crawler", Fate::Noted},
    {"no_lru_crawler", Fate::Obeyed},
    {"lru_crawler_sleep=200", Fate::Obeyed},
    {"lru_crawler_tocrawl=9", Fate::Obeyed},
    {"lru_maintainer", Fate::Noted},
    {"no_lru_maintainer", Fate::Noted},
    {"hot_lru_pct=20", Fate::Noted},
    {"warm_lru_pct=40", Fate::Noted},
    {"hot_max_factor=0.2", Fate::Noted},
    {"warm_max_factor=2.0", Fate::Noted},
    {"temporary_ttl=61", Fate::Noted},
    {"watcher_logbuf_size=256", Fate::Noted},
    {"worker_logbuf_size=64", Fate::Noted},
    {"read_buf_mem_limit=64", Fate::Noted},
    {"resp_obj_mem_limit=64", Fate::Noted},
    {"modern", Fate::Noted},
    {"no_modern", Fate::Noted},
    {"no_drop_privileges", Fate::Noted},
    {"inline_ascii_resp", Fate::Noted},
    {"no_inline_ascii_resp", Fate::Noted},
    {"drop_privileges", Fate::Refused},
    {"sock_cookie_id=1", Fate::Refused},
    {"ext_path=/mnt/x:1G", Fate::Refused},
    {"ext_page_size=64", Fate::Refused},
    {"ext_wbuf_size=4", Fate::Refused},
    {"ext_threads=1", Fate::Refused},
    {"ext_item_size=512", Fate::Refused},
    {"ext_item_age=1", Fate::Refused},
    {"ext_low_ttl=0", Fate::Refused},
    {"ext_drop_unread", Fate::Refused},
    {"ext_recache_rate=1", Fate::Refused},
    {"ext_compact_under=1", Fate::Refused},
    {"ext_drop_under=1", Fate::Refused},
    {"ext_max_frag=0.8", Fate::Refused},
    {"ext_max_sleep=1", Fate::Refused},
    {"ssl_chain_cert=/c", Fate::Refused},
    {"ssl_key=/k", Fate::Refused},
    {"ssl_verify_mode=0", Fate::Refused},
    {"ssl_keyformat=1", Fate::Refused},
    {"ssl_ciphers=x", Fate::Refused},
    {"ssl_ca_cert=/c", Fate::Refused},
    {"ssl_wbuf_size=16", Fate::Refused},
    {"ssl_session_cache", Fate::Refused},
    {"ssl_kernel_tls", Fate::Refused},
    {"ssl_min_version=2", Fate::Refused},
    {"proxy_config=/x", Fate::Refused},
    {"proxy_arg=x", Fate::Refused},
    {"proxy_uring", Fate::Refused},
    {"proxy_memprofile", Fate::Refused},
};

/// Whether anything but the notes differs; every field the server reads is in one of the two lists.
bool differ(const Options& a, const Options& b) {
  const auto fields = [](const Options& o) {
    return std::tuple(o.listen.size(), o.tcp_port, o.tcp_port_any, o.unix_path, o.unix_mode, o.connections_max,
                      o.listen_backlog, o.idle_timeout_s, o.memory_bytes, o.evicts, o.item_bytes_max, o.growth_factor,
                      o.chunk_bytes_min, o.chunk_sizes, o.wants_huge_pages, o.locks_memory, o.udp_port);
  };
  const auto more = [](const Options& o) {
    return std::tuple(o.workers, o.cores, o.may_oversubscribe, o.polls, o.cas_enabled, o.shutdown_enabled,
                      o.flush_enabled, o.dump_enabled, o.tracks_sizes, o.detail_enabled, o.prefix_delimiter,
                      o.verbosity, o.daemonizes, o.core_dumps, o.user, o.pid_file, o.protocol, o.wants_sasl,
                      o.auth_file, o.watch_enabled, o.crawls, o.crawl_sleep_us, o.crawl_slots, o.automove);
  };
  return fields(a) != fields(b) || more(a) != more(b);
}

void expect_fate(std::vector<std::string> words, Fate fate, const ProcessFacts& process) {
  const std::string shown = ::testing::PrintToString(words);
  words.insert(words.begin(), "-uroot");
  const auto parsed = parse_cli(words, process);
  if (fate == Fate::Refused) {
    ASSERT_FALSE(parsed.has_value()) << shown;
    EXPECT_GT(parsed.error().what.size(), 30U) << shown << ": " << parsed.error().what << " is no reason";
    return;
  }
  ASSERT_TRUE(parsed.has_value()) << shown << ": " << parsed.error().what;
  const auto* options = std::get_if<Options>(&*parsed);
  EXPECT_EQ(options == nullptr, fate == Fate::Leaves) << shown;
  if (options == nullptr) {
    return;
  }
  const Options plain = accepted({"-uroot"}, process);
  EXPECT_EQ(differ(*options, plain), fate == Fate::Obeyed) << shown;
  EXPECT_EQ(options->notes.size(), fate == Fate::Noted ? 1U : 0U) << shown;
}

TEST(MemcachedOptions, EveryLetterIsObeyedNotedOrRefused) {
  for (const LetterCase& entry : kLetters) {
    std::vector<std::string> words = {std::string("-") + entry.letter};
    if (entry.value != nullptr) {
      words.emplace_back(entry.value);
    }
    expect_fate(words, entry.fate, {.is_root = true, .sasl_pwdb = "/etc/users"});
  }
}

TEST(MemcachedOptions, EveryExtendedWordIsObeyedNotedOrRefused) {
  for (const WordCase& entry : kWords) {
    expect_fate({"-o", entry.word}, entry.fate, {.is_root = true});
  }
}

TEST(MemcachedOptions, TheListsAreWholeAndOurTableHasNoMore) {
  std::set<char> letters;
  for (const LetterCase& entry : kLetters) {
    letters.insert(entry.letter);
  }
  // The string memcached gives to getopt, without the colons.
  for (const char letter : std::string("aAZpsUmMckhiVrvdluPfntDLRCbBISFXWYeoN")) {
    EXPECT_TRUE(letters.contains(letter)) << letter;
  }
  for (const OptionRow& row : option_rows()) {
    EXPECT_TRUE(row.letter == 0 || letters.contains(row.letter)) << "-" << row.letter << " means nothing to memcached";
  }
  std::set<std::string> words;
  for (const WordCase& entry : kWords) {
    const std::string word = entry.word;
    words.insert(word.substr(0, word.find('=')));
  }
  for (const ExtendedRow& row : extended_rows()) {
    EXPECT_TRUE(words.contains(row.name)) << row.name;
  }
  EXPECT_EQ(words.size(), extended_rows().size());
}

TEST(MemcachedOptions, LongNamesAreMemcacheds) {
  const std::vector<std::pair<char, const char*>> names = {{'p', "port"},
                                                           {'U', "udp-port"},
                                                           {'s', "unix-socket"},
                                                           {'a', "unix-mask"},
                                                           {'A', "enable-shutdown"},
                                                           {'l', "listen"},
                                                           {'d', "daemon"},
                                                           {'r', "enable-coredumps"},
                                                           {'u', "user"},
                                                           {'m', "memory-limit"},
                                                           {'M', "disable-evictions"},
                                                           {'c', "conn-limit"},
                                                           {'k', "lock-memory"},
                                                           {'v', "verbose"},
                                                           {'h', "help"},
                                                           {'i', "license"},
                                                           {'V', "version"},
                                                           {'P', "pidfile"},
                                                           {'f', "slab-growth-factor"},
                                                           {'n', "slab-min-size"},
                                                           {'L', "enable-largepages"},
                                                           {'t', "threads"},
                                                           {'R', "max-reqs-per-event"},
                                                           {'C', "disable-cas"},
                                                           {'b', "listen-backlog"},
                                                           {'B', "protocol"},
                                                           {'I', "max-item-size"},
                                                           {'S', "enable-sasl"},
                                                           {'F', "disable-flush-all"},
                                                           {'X', "disable-dumping"},
                                                           {'W', "disable-watch"},
                                                           {'Y', "auth-file"},
                                                           {'e', "memory-file"},
                                                           {'Z', "enable-ssl"},
                                                           {'o', "extended"},
                                                           {'N', "napi-ids"}};
  for (const auto& [letter, name] : names) {
    const auto rows = option_rows();
    const auto row = std::ranges::find(rows, letter, &OptionRow::letter);
    ASSERT_NE(row, rows.end()) << letter;
    EXPECT_STREQ(row->name, name);
  }
}

TEST(MemcachedOptions, EveryRowHasItsSentenceAndNoTwoShareAName) {
  std::set<std::string> names;
  std::set<char> letters;
  for (const OptionRow& row : option_rows()) {
    EXPECT_GT(std::string(row.sentence).size(), 4U) << row.id;
    if (row.kind == OptionKind::Group) {
      continue;
    }
    EXPECT_TRUE(row.letter == 0 || letters.insert(row.letter).second) << row.letter;
    EXPECT_TRUE(row.name[0] == '\0' || names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.letter != 0 || row.name[0] != '\0') << row.id;
    if (row.kind == OptionKind::Number) {
      const std::uint64_t standard = row.get_number(Options{});
      EXPECT_LE(row.min, standard) << row.id;
      EXPECT_GE(row.max, standard) << row.id;
    }
  }
}

/// What the table says of defaults that are not plain numbers is what Options{} has.
TEST(MemcachedOptions, DefaultTextsAreTrue) {
  const auto says = [](const char* id) {
    const auto rows = option_rows();
    const auto row = std::ranges::find_if(rows, [&](const OptionRow& r) { return std::string(r.id) == id; });
    return row == rows.end() ? std::string() : std::string(row->default_text);
  };
  const Options plain;
  EXPECT_EQ(says("port"), std::to_string(plain.tcp_port));
  EXPECT_EQ(accepted({"-m", says("memory")}).memory_bytes, plain.memory_bytes);
  EXPECT_EQ(accepted({"-I", says("item_max")}).item_bytes_max, plain.item_bytes_max);
  EXPECT_EQ(accepted({"-f", says("growth_factor")}).growth_factor, 1.10);
  EXPECT_EQ(plain.growth_factor, std::nullopt) << "the store's choice";
  EXPECT_EQ(accepted({"-a", says("unix_mode")}).unix_mode, plain.unix_mode);
  EXPECT_EQ(says("prefix_delimiter"), std::string(1, plain.prefix_delimiter));
}

// --- stats settings ------------------------------------------------------------------------------------------------

std::string setting(const Options& options, const std::string& name) {
  for (const auto& [key, value] : settings_stats(options, 4, 5000)) {
    if (key == name) {
      return value;
    }
  }
  return "(missing)";
}

TEST(SettingsStats, SayWhatWasAskedFor) {
  const Options options = accepted({"-m",  "100", "-c",
                                    "7",   "-M",  "-f",
                                    "1.5", "-n",  "64",
                                    "-D",  "/",   "-C",
                                    "-b",  "8",   "-I",
                                    "2m",  "-A",  "-F",
                                    "-X",  "-l",  "127.0.0.1:1,[::1]:2,::1",
                                    "-vv", "-o",  "idle_timeout=3,track_sizes"});
  const std::vector<std::pair<const char*, const char*>> wanted = {{"maxbytes", "104857600"},
                                                                   {"maxconns", "7"},
                                                                   {"tcpport", "5000"},
                                                                   {"udpport", "0"},
                                                                   {"inter", "127.0.0.1:1,[::1]:2,::1"},
                                                                   {"verbosity", "2"},
                                                                   {"evictions", "off"},
                                                                   {"domain_socket", "NULL"},
                                                                   {"umask", "700"},
                                                                   {"shutdown_command", "yes"},
                                                                   {"growth_factor", "1.50"},
                                                                   {"chunk_size", "64"},
                                                                   {"num_threads", "4"},
                                                                   {"stat_key_prefix", "/"},
                                                                   {"detail_enabled", "yes"},
                                                                   {"cas_enabled", "no"},
                                                                   {"tcp_backlog", "8"},
                                                                   {"auth_enabled_sasl", "no"},
                                                                   {"item_size_max", "2097152"},
                                                                   {"flush_enabled", "no"},
                                                                   {"dump_enabled", "no"},
                                                                   {"hash_algorithm", "xxh3"},
                                                                   {"idle_timeout", "3"},
                                                                   {"track_sizes", "yes"},
                                                                   {"slab_automove", "1"}};
  for (const auto& [name, value] : wanted) {
    EXPECT_EQ(setting(options, name), value) << name;
  }
}

TEST(SettingsStats, DefaultsAreMemcachedsWhereWeDoTheSame) {
  const Options plain;
  EXPECT_EQ(setting(plain, "evictions"), "on");
  EXPECT_EQ(setting(plain, "cas_enabled"), "yes");
  EXPECT_EQ(setting(plain, "umask"), "700");
  EXPECT_EQ(setting(plain, "stat_key_prefix"), ":");
  EXPECT_EQ(setting(plain, "binding_protocol"), "auto-negotiate");
  EXPECT_EQ(setting(plain, "maxconns_fast"), "yes");
  EXPECT_EQ(setting(accepted({"-s", "/tmp/x"}), "domain_socket"), "/tmp/x");
}

TEST(SettingsStats, Udp) {
  EXPECT_EQ(setting(accepted({}), "udpport"), "0");
  EXPECT_EQ(setting(accepted({}), "num_threads_per_udp"), "0");
  EXPECT_EQ(setting(accepted({"-U", "77"}), "udpport"), "77");
  EXPECT_EQ(setting(accepted({"-U", "77"}), "num_threads_per_udp"), "4");
  EXPECT_EQ(setting(accepted({"-U", "77", "-s", "/tmp/x"}), "udpport"), "0");
}

TEST(SettingsStats, NamesAreMemcachedsAndComeOnce) {
  // All names that 1.6.45 lists, without those of extstore, TLS and proxy.
  const std::set<std::string> theirs = {"maxbytes",
                                        "maxconns",
                                        "tcpport",
                                        "udpport",
                                        "inter",
                                        "verbosity",
                                        "oldest",
                                        "evictions",
                                        "domain_socket",
                                        "umask",
                                        "shutdown_command",
                                        "growth_factor",
                                        "chunk_size",
                                        "num_threads",
                                        "num_threads_per_udp",
                                        "stat_key_prefix",
                                        "detail_enabled",
                                        "reqs_per_event",
                                        "cas_enabled",
                                        "tcp_backlog",
                                        "binding_protocol",
                                        "auth_enabled_sasl",
                                        "auth_enabled_ascii",
                                        "item_size_max",
                                        "maxconns_fast",
                                        "hashpower_init",
                                        "slab_reassign",
                                        "slab_automove",
                                        "slab_automove_ratio",
                                        "slab_automove_window",
                                        "slab_chunk_max",
                                        "lru_crawler",
                                        "lru_crawler_sleep",
                                        "lru_crawler_tocrawl",
                                        "tail_repair_time",
                                        "flush_enabled",
                                        "dump_enabled",
                                        "hash_algorithm",
                                        "lru_maintainer_thread",
                                        "lru_segmented",
                                        "hot_lru_pct",
                                        "warm_lru_pct",
                                        "hot_max_factor",
                                        "warm_max_factor",
                                        "temp_lru",
                                        "temporary_ttl",
                                        "idle_timeout",
                                        "watcher_logbuf_size",
                                        "worker_logbuf_size",
                                        "read_buf_mem_limit",
                                        "track_sizes",
                                        "inline_ascii_response",
                                        "drop_privileges",
                                        "ssl_enabled",
                                        "num_napi_ids",
                                        "memory_file",
                                        "client_flags_size"};
  std::set<std::string> ours;
  for (const auto& [name, value] : settings_stats(Options{})) {
    EXPECT_TRUE(theirs.contains(name)) << name;
    EXPECT_TRUE(ours.insert(name).second) << name << " comes twice";
    EXPECT_FALSE(value.empty()) << name;
    EXPECT_EQ(value.find_first_of(" \r\n"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace millrace::config
