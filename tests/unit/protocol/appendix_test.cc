// What memcached 1.6.45 was seen to answer on the wire, as far as the parser decides it: one row an exchange, in the
// order in which they were recorded. Whether a key is there, and what a stats line says, is checked end to end
// elsewhere.

#include "expect.h"

namespace millrace::tests {
namespace {

struct Row {
  std::string stream;
  Events events;
};

const std::string kGarbage(3000, 'x');

const Row kRows[] = {
    {"\r\n", {kBad}},
    {"get\r\n", {kBad}},
    {"gets\r\n", {kBad}},
    {"get " + std::string(250, 'k') + "\r\n", {"get " + std::string(250, 'k')}},
    {"get " + std::string(251, 'k') + "\r\n", {kBad}},  // theirs adds an empty line, by mistake
    {"set " + std::string(251, 'k') + " 0 0 1\r\nx\r\n", {kBad}},
    {"GET a\r\n", {kUnknown}},
    {" get a\r\n", {kUnknown}},
    {"get  a   b\r\n", {"get a b"}},
    {"get a\n", {"get a"}},
    {"set a 0 0 -1\r\n", {kBad}},
    {"set a 0 0 3\r\nabcd\r\n", {kBadBlock, kBad}},
    {"set a 0 0 3\r\nab\r\n\r\n", {kBadBlock, kBad}},
    {"set a 4294967296 0 1\r\nx\r\n", {"set a value=x"}},
    {"set a 4294967295 0 1\r\nx\r\nget a\r\n", {"set a flags=4294967295 value=x", "get a"}},
    {"set a -1 0 1\r\nx\r\n", {kBad}},
    {"set a 0 abc 1\r\nx\r\n", {kBad}},
    {"set a 0 -1 1\r\nx\r\nget a\r\n", {"set a exptime=-1 value=x", "get a"}},
    {"set a 0 2678400 1\r\nx\r\nget a\r\n", {"set a exptime=2678400 value=x", "get a"}},
    {"set a 0 0 1 noreply\r\nx\r\nget a\r\n", {"set a value=x noreply", "get a"}},
    {"set a 0 0 1 bogus\r\nx\r\n", {"set a value=x"}},
    {"set a 0 0\r\n", {kBad}},
    {"set n 0 0 2\r\n10\r\nincr n 1\r\ndecr n 100\r\nincr n 18446744073709551615\r\nincr n -1\r\nincr n abc\r\n"
     "set n 0 0 1\r\nx\r\nincr n 1\r\nincr nokey 1\r\n",
     {"set n value=10", "incr n number=1", "decr n number=100", "incr n number=18446744073709551615", kBadNumber,
      kBadNumber, "set n value=x", "incr n number=1", "incr nokey number=1"}},
    {"set d 0 0 3\r\n100\r\ndecr d 1\r\nget d\r\n", {"set d value=100", "decr d number=1", "get d"}},
    {"set big 0 0 1048577\r\n" + std::string(1048577, 'x') + "\r\n", {"too large set big value=1048577 bytes"}},
    {"delete a 0\r\n", {"delete a"}},
    {"delete a 5\r\n", {"delete a"}},
    {"delete a noreply\r\nmn\r\n", {"delete a noreply", "mn"}},
    {"delete a b c\r\n", {"delete a"}},
    {"touch a\r\n", {kBad}},
    {"touch a abc\r\n", {kBadTime}},
    {"touch nokey 10\r\n", {"touch nokey exptime=10"}},
    {"gat 10\r\n", {kBad}},
    {"gat abc k\r\n", {kBadTime}},
    {"gat 10 nokey\r\n", {"gat exptime=10 nokey"}},
    {"verbosity\r\n", {kBad}},
    {"verbosity 1\r\n", {"verbosity number=1"}},
    {"verbosity noreply\r\nmn\r\n", {kSilent, "mn"}},
    {"flush_all\r\n", {"flush_all"}},
    {"flush_all 0\r\n", {"flush_all argument"}},
    {"flush_all abc\r\n", {kBadTime}},
    {"flush_all -1\r\n", {"flush_all exptime=-1 argument"}},
    {"flush_all noreply\r\nmn\r\n", {"flush_all noreply", "mn"}},
    {"version\r\n", {"version"}},
    {"version x\r\n", {"version"}},
    {"quit\r\n", {"quit"}},
    {"stats bogus\r\n", {"stats bogus"}},
    {"stats reset\r\n", {"stats reset"}},
    {"stats sizes\r\n", {"stats sizes"}},
    {"stats detail\r\n", {"stats detail"}},
    {"stats detail on\r\n", {"stats detail\\x20on"}},
    {"stats cachedump 200 0\r\n", {"stats cachedump\\x20200\\x200"}},
    {"shutdown\r\n", {"shutdown"}},
    {"cache_memlimit\r\n", {kUnknown}},
    {"cache_memlimit 1\r\n", {"cache_memlimit number=1"}},
    {"cache_memlimit 64\r\n", {"cache_memlimit number=64"}},
    {"slabs\r\n", {"slabs"}},
    {"lru\r\n", {"lru"}},
    {"lru_crawler\r\n", {"lru_crawler"}},
    {"refresh_certs\r\n", {kUnknown}},
    {"extstore x y\r\n", {kUnknown}},
    {"misbehave\r\n", {kUnknown}},
    {"debugtime p\r\n", {kUnknown}},
    {"mn\r\n", {"mn"}},
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", {"close "}},
    {"watch bogus\r\n", {"watch bogus"}},
    {"cas a 0 0 1\r\n", {kBad}},  // theirs says so once the data block has come
    {"cas a 0 0 1 5\r\nx\r\n", {"cas a number=5 value=x"}},
    {"cas a 0 0 1 abc\r\nx\r\n", {kBad}},
    {"append nokey 0 0 1\r\nx\r\n", {"append nokey value=x"}},
    {"bogus\r\n", {kUnknown}},
    {kGarbage, {"close "}},
};

TEST(Appendix, ParsesAsMemcachedDoes) {
  for (const Row& row : kRows) {
    expect_found(row.stream, row.events);
  }
}

TEST(Appendix, AllInOneStream) {
  std::string stream;
  Events events;
  for (const Row& row : kRows) {
    if (row.events.back() != "close " && row.stream != "cas a 0 0 1\r\n" && row.stream.size() < 10'000) {
      stream += row.stream;
      events.insert(events.end(), row.events.begin(), row.events.end());
    }
  }
  expect_found(stream, events);
}

TEST(Appendix, ThousandsOfKeys) {
  std::string stream = "get";
  std::string events = "get";
  for (int i = 0; i < 1500; ++i) {
    stream += " k";
    events += " k";
  }
  expect_found(stream + "\r\n", {events});
}

}  // namespace
}  // namespace millrace::tests
