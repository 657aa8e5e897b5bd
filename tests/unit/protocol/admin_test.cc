// The commands without a key, words that are no command, and lines that are none.

#include "expect.h"

namespace millrace::tests {
namespace {

TEST(ParseAdmin, FlushAll) {
  expect_found("flush_all\r\n", {"flush_all"});
  expect_found("flush_all \r\n", {"flush_all"});
  expect_found("flush_all 0\r\n", {"flush_all argument"});
  expect_found("flush_all 10 noreply\r\n", {"flush_all exptime=10 argument noreply"});
  expect_found("flush_all -1\r\n", {"flush_all exptime=-1 argument"});
  expect_found("flush_all abc\r\n", {kBadTime});
  expect_found("flush_all 99999999999\r\n", {kBadTime});
  expect_found("flush_all noreply\r\nmn\r\n", {"flush_all noreply", "mn"});
  expect_found("flush_all abc noreply\r\nmn\r\n", {kSilent, "mn"});
  expect_found("flush_all noreply x\r\n", {kBadTime});
  expect_found(" flush_all\r\n", {"flush_all"});
}

TEST(ParseAdmin, Verbosity) {
  expect_found("verbosity 1\r\n", {"verbosity number=1"});
  expect_found("verbosity 0 noreply\r\n", {"verbosity noreply"});
  expect_found("verbosity\r\n", {kBad});
  expect_found("verbosity abc\r\n", {kBad});
  expect_found("verbosity -1\r\n", {kBad});
  expect_found("verbosity 4294967296\r\n", {kBad});
  expect_found("verbosity noreply\r\nmn\r\n", {kSilent, "mn"});
}

TEST(ParseAdmin, CacheMemlimit) {
  expect_found("cache_memlimit\r\n", {kUnknown});
  expect_found("cache_memlimit x\r\n", {kUnknown});
  expect_found("cache_memlimit 64\r\n", {"cache_memlimit number=64"});
  expect_found("cache_memlimit 64 noreply\r\n", {"cache_memlimit number=64 noreply"});
}

TEST(ParseAdmin, Shutdown) {
  expect_found("shutdown\r\n", {"shutdown"});
  expect_found("shutdown graceful\r\n", {"shutdown graceful argument"});
  expect_found("shutdown grace\r\n", {"shutdown grace argument"});
  expect_found("shutdown gracefully\r\n", {"shutdown gracefully"});
  expect_found("shutdown graceful now\r\n", {"shutdown graceful\\x20now"});
}

TEST(ParseAdmin, Stats) {
  expect_found("stats\r\n", {"stats"});
  expect_found("stats \r\n", {"stats"});
  expect_found("stats  items \r\n", {"stats items"});
  expect_found("stats cachedump 1 1\r\n", {"stats cachedump\\x201\\x201"});
  expect_found("stats noreply\r\n", {"stats noreply"});
}

TEST(ParseAdmin, WordsGoAlongAsTheyAre) {
  expect_found("watch\r\n", {"watch"});
  expect_found("watch fetchers  mutations \r\n", {"watch fetchers\\x20\\x20mutations"});
  expect_found("slabs reassign 1 2\r\n", {"slabs reassign\\x201\\x202"});
  expect_found("slabs\r\n", {"slabs"});
  expect_found("lru mode flat\r\n", {"lru mode\\x20flat"});
  expect_found("lru_crawler metadump all\r\n", {"lru_crawler metadump\\x20all"});
  expect_found("lru_crawler crawl 1,2 noreply\r\n", {"lru_crawler crawl\\x201,2\\x20noreply noreply"});
  expect_found("config get cluster\r\n", {"config get\\x20cluster"});
  expect_found("lru_crawler crawl " + std::string(1000, '1') + "\r\n",
               {"lru_crawler crawl\\x20" + std::string(1000, '1')});
}

TEST(ParseAdmin, TheRest) {
  expect_found("version\r\n", {"version"});
  expect_found("version x\r\n", {"version"});
  expect_found("quit\r\n", {"quit"});
  expect_found("quit x\r\n", {"quit"});
  expect_found("mn\r\n", {"mn"});
  expect_found("mn x\r\n", {"mn"});
}

TEST(ParseUnknown, IsAnErrorAndNoMore) {
  for (const std::string_view word :
       {"bogus",     "GET a",       " get a",   "SET a 0 0 1",  "getx a", "get\ta",        "deletex a",
        "tou",       "slab",        "lrux",     "lru_crawlers", "watchx", "refresh_certs", "extstore x y",
        "misbehave", "debugtime p", "HTTP/1.1", "quitx",        "mz",     "versions"}) {
    expect_found(std::string(word) + "\r\nmn\r\n", {kUnknown, "mn"});
  }
  expect_found("bogus noreply\r\nmn\r\n", {kSilent, "mn"});
}

TEST(ParseUnknown, LinesTooShortAreBadFormat) {
  for (const std::string_view line : {"\r\n", "\n", "x\r\n", "mn\n", "xy\n", "\r\r\n"}) {
    expect_found(std::string(line) + "mn\r\n", {kBad, "mn"});
  }
  expect_found("xyz\nmn\r\n", {kUnknown, "mn"});
  expect_found("  \r\nmn\r\n", {kUnknown, "mn"});
  expect_found(std::string(300, ' ') + "\r\nmn\r\n", {kUnknown, "mn"});
}

TEST(Session, ClosesOnOtherProtocols) {
  expect_found("GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"close "});
  expect_found("POST /index HTTP/1.0 \r\n", {"close "});
  expect_found("mn\r\n\x80\r\nabc\r\nmn\r\n", {"mn", kBad, kUnknown, "mn"});
}

TEST(Session, ClosesOnALineWithoutEnd) {
  expect_found(std::string(2048, 'x'), {});
  expect_found(std::string(2048, 'x') + "\nmn\r\n", {kUnknown, "mn"});
  expect_found(std::string(2047, 'x') + "\r\nmn\r\n", {kUnknown, "mn"});
  expect_found(std::string(2049, 'x'), {"close "});
  expect_found(std::string(2049, 'x') + "\r\nmn\r\n", {"close "});
  expect_found("set " + std::string(3000, 'x') + " 0 0 1\r\n", {"close "});
  expect_found(" get " + std::string(3000, ' ') + "a\r\n", {"close "});
}

TEST(Session, StaysClosed) {
  const protocol::SessionOptions options{.speaks = protocol::Speaks::Text};
  protocol::Session session(options);
  protocol::Request request;
  protocol::Scratch scratch;
  EXPECT_EQ(session.next("\x80", request, scratch).found, protocol::Found::Close);
  EXPECT_EQ(session.next("mn\r\n", request, scratch).found, protocol::Found::Close);
}

TEST(Session, IsIdleBetweenRequests) {
  EXPECT_TRUE(transcript("").is_idle);
  EXPECT_TRUE(transcript("get a b\r\n").is_idle);
  EXPECT_TRUE(transcript("set a 0 0 1\r\nx\r\n").is_idle);
  EXPECT_FALSE(transcript("get a b").is_idle);
  EXPECT_FALSE(transcript("set a 0 0 1\r\n").is_idle);
  EXPECT_FALSE(transcript("set a 0 0 1\r\nx\r").is_idle);
  EXPECT_FALSE(transcript("set a x 0 1\r\nx\r").is_idle);
}

}  // namespace
}  // namespace millrace::tests
