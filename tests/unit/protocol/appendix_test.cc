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
const std::string kMeta = "error CLIENT_ERROR ";

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
    {"me a\r\n", {"meta me a"}},
    {"me nokey\r\n", {"meta me nokey"}},
    {"mg\r\n", {kBad}},
    {"mg nokey\r\n", {"meta get nokey"}},
    {"mg nokey v k O1\r\n", {"meta get nokey given=v returns=kO opaque=O1"}},
    {"mg nokey v q k O1\r\nmn\r\n", {"meta get nokey given=qv returns=kO opaque=O1", "mn"}},
    {"mg nokey N30 t v c f\r\nmg nokey v N30\r\n",
     {"meta gat nokey given=Nv vivify=30 returns=Ntcf", "meta gat nokey given=Nv vivify=30 returns=N"}},
    {"mg a v v\r\n", {kMeta + "duplicate flag"}},
    {"mg a !\r\n", {kBad}},
    {"mg a O" + std::string(40, 'x') + "\r\n", {kMeta + "opaque token too long"}},
    {"ms m 2\r\nhi\r\n", {"meta set m value=hi"}},
    {"ms m 2 c T30 F5 I\r\nhi\r\nmg m v t f c s k h l\r\n",
     {"meta set m flags=5 exptime=30 value=hi given=TI returns=c", "meta get m given=v returns=tfcskhl"}},
    {"ms m S2\r\nhi\r\n", {kBad, kUnknown}},
    {"ms m 2 MX\r\nhi\r\n", {kMeta + "invalid mode for ms M token"}},
    {"ms m 2 C999\r\nhi\r\n", {"meta cas m number=999 value=hi given=C compare=999"}},
    {"ms m 2 C1 I\r\nhi\r\nmg m v\r\n", {"meta cas m number=1 value=hi given=CI compare=1", "meta get m given=v"}},
    {"ms nn 2 MR\r\nhi\r\n", {"meta replace nn value=hi"}},
    {"ms m 2 ME\r\nhi\r\n", {"meta add m value=hi"}},
    {"ms nn 2 MA\r\nhi\r\n", {"meta append nn value=hi"}},
    {"ms nn 2 MA N60\r\nhi\r\n", {"meta append nn exptime=60 value=hi given=N vivify=60"}},
    {"md m I T30\r\nmg m v t\r\nmg m v\r\n",
     {"meta delete m exptime=30 given=TI", "meta get m given=v returns=t", "meta get m given=v"}},
    {"md m q\r\nmd m q\r\nmn\r\n", {"meta delete m given=q", "meta delete m given=q", "mn"}},
    {"ma c1\r\nma c1 N0 J13 v\r\nma c1 v D2\r\nma c1 MD v t c\r\nma c1 M- D100 v\r\n",
     {"meta incr c1", "meta incr c1 given=Nv initial=13 returns=N", "meta incr c1 given=v delta=2",
      "meta decr c1 given=v returns=tc", "meta decr c1 given=v delta=100"}},
    {"mg Zm9v b k\r\nms Zm9v 2 b k\r\nhi\r\nmg Zm9v b k v\r\nget foo\r\n",
     {"meta get foo given=b returns=k", "meta set foo value=hi given=b returns=k", "meta get foo given=vb returns=k",
      "get foo"}},
    {"mg a x y\r\n", {kMeta + "invalid flag"}},
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
