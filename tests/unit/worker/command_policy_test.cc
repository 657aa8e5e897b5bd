// Which commands a word of --refuse stands for, and who is let in.
#include "worker/command_policy.h"

#include <gtest/gtest.h>

#include "worker/admin/key_text.h"

namespace millrace::worker {
namespace {

using protocol::Command;

bool has(CommandSet set, Command command) { return (set & set_of(command)) != 0; }

TEST(CommandPolicy, EveryWordIsKnownAndNoOther) {
  std::string words = command_words();
  std::size_t known = 0;
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(", ", at), words.size());
    const auto set = command_set_of(std::string_view(words).substr(at, end - at));
    ASSERT_TRUE(set.has_value());
    EXPECT_NE(*set, 0U);
    ++known;
    at = end + 2;
  }
  EXPECT_GT(known, 20U);
  for (const std::string_view word : {"", "GET", "get ", "bogus", "version", "quit"}) {
    EXPECT_FALSE(command_set_of(word).has_value()) << word;
  }
}

TEST(CommandPolicy, WhoMayOnlyReadChangesNothing) {
  const CommandSet write = *command_set_of("write");
  for (const Command command :
       {Command::Set, Command::Add, Command::Replace, Command::Append, Command::Prepend, Command::Cas, Command::Delete,
        Command::Incr, Command::Decr, Command::Touch, Command::Gat, Command::Gats, Command::FlushAll}) {
    EXPECT_TRUE(has(write, command)) << static_cast<int>(command);
  }
  for (const Command command :
       {Command::Get, Command::Gets, Command::Stats, Command::Version, Command::Quit, Command::MetaNoop}) {
    EXPECT_FALSE(has(write, command)) << static_cast<int>(command);
  }
}

TEST(CommandPolicy, AdministratorsCommandsAreNotApplications) {
  for (const Command command : {Command::Shutdown, Command::Watch, Command::LruCrawler, Command::Slabs, Command::Lru,
                                Command::CacheMemlimit, Command::Verbosity}) {
    EXPECT_TRUE(has(kAdminCommands, command)) << static_cast<int>(command);
  }
  for (const Command command :
       {Command::Get, Command::Set, Command::FlushAll, Command::Stats, Command::Version, Command::Config}) {
    EXPECT_FALSE(has(kAdminCommands, command)) << static_cast<int>(command);
  }
}

TEST(CommandPolicy, PartsOfCommands) {
  EXPECT_EQ(parts_of(Command::Stats, ""), 0U);
  EXPECT_EQ(parts_of(Command::Stats, "items"), 0U);
  EXPECT_EQ(parts_of(Command::Stats, "cachedump 1 0"), kDumps);
  EXPECT_EQ(parts_of(Command::Stats, "detail dump"), kDumps);
  EXPECT_EQ(parts_of(Command::Stats, "detail on"), kStatsChanges);
  EXPECT_EQ(parts_of(Command::Stats, "reset"), kStatsChanges);
  EXPECT_EQ(parts_of(Command::Stats, "hotkeys"), kDumps);
  EXPECT_EQ(parts_of(Command::Stats, "hotkeys on 9"), kStatsChanges);
  EXPECT_EQ(parts_of(Command::LruCrawler, "metadump all"), kDumps);
  EXPECT_EQ(parts_of(Command::LruCrawler, "mgdump all"), kDumps);
  EXPECT_EQ(parts_of(Command::LruCrawler, "crawl all"), 0U);
  EXPECT_EQ(parts_of(Command::Watch, ""), kDumps);
}

TEST(CommandPolicy, NetworksAdmit) {
  const ListenerPolicy everybody;
  EXPECT_TRUE(everybody.admits(*address_in("tcp:8.8.8.8:1")));
  ListenerPolicy some;
  some.allow = {*dataplane::IpPrefix::parse("10.0.0.0/8"), *dataplane::IpPrefix::parse("2001:db8::/32")};
  EXPECT_TRUE(some.admits(*address_in("tcp:10.1.2.3:4711")));
  EXPECT_TRUE(some.admits(*address_in("tcp6:[2001:db8::7]:4711")));
  EXPECT_TRUE(some.admits(*address_in("tcp6:[::ffff:10.1.2.3]:4711")));
  EXPECT_FALSE(some.admits(*address_in("tcp:11.1.2.3:4711")));
  EXPECT_FALSE(some.admits(*address_in("tcp6:[2001:db9::7]:4711")));
  EXPECT_FALSE(some.admits(*address_in("tcp6:[::1]:4711")));
}

TEST(CommandPolicy, AddressesOfPeers) {
  EXPECT_FALSE(address_in("unix:/run/x.sock").has_value());
  EXPECT_FALSE(address_in("").has_value());
  EXPECT_FALSE(address_in("tcp:").has_value());
  EXPECT_FALSE(address_in("tcp6:[]:1").has_value());
  EXPECT_TRUE(address_in("tcp6:[fe80::1%eth0]:1").has_value());
}

TEST(KeyText, Uri) {
  std::string out;
  append_uri(out, "aZ09-._~ /%\xff\n");
  EXPECT_EQ(out, "aZ09-._~%20%2F%25%FF%0A");
}

TEST(KeyText, Base64IsTheRfcs) {
  const std::pair<std::string_view, std::string_view> rows[] = {{"", ""},
                                                                {"f", "Zg=="},
                                                                {"fo", "Zm8="},
                                                                {"foo", "Zm9v"},
                                                                {"foob", "Zm9vYg=="},
                                                                {"fooba", "Zm9vYmE="},
                                                                {"foobar", "Zm9vYmFy"},
                                                                {"\xff\xfe\xfd", "//79"}};
  for (const auto& [key, text] : rows) {
    std::string out;
    append_base64(out, key);
    EXPECT_EQ(out, text);
  }
}

TEST(KeyText, WhatALineCanCarry) {
  EXPECT_TRUE(is_text_key("plain:key\xff"));
  for (const std::string_view key : {"a b", "a\tb", "a\r\n", "a\x7f"}) {
    EXPECT_FALSE(is_text_key(key));
  }
  EXPECT_FALSE(is_text_key(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace millrace::worker
