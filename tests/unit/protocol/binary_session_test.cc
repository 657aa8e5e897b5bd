// Binary streams: what is found in them, wherever they are cut; which protocol a connection may speak; and what it may
// ask before it has authenticated.

#include "expect.h"
#include "support/binary_packet.h"

namespace millrace::tests {
namespace {

using namespace std::string_view_literals;

constexpr protocol::SessionOptions kSasl{.speaks = protocol::Speaks::Binary, .guard = protocol::Guard::Sasl};
constexpr protocol::SessionOptions kLogin{.speaks = protocol::Speaks::Text, .guard = protocol::Guard::Login};

const std::string kNoop = packet(0x0a);

TEST(BinarySession, FindsRequests) {
  expect_found(packet(0x00, "a") + kNoop, {"get a", "mn op=10"});
  expect_found(packet(0x0d, "a\r\n b"), {"get a\\x0d\\x0a\\x20b op=13"});
  expect_found(packet(0x01, "a", big32(5) + big32(60), "hello") + kNoop,
               {"set a flags=5 exptime=60 value=hello op=1", "mn op=10"});
  expect_found(packet(0x11, "a", big32(0) + big32(0), ""), {"set a value= op=17"});
  expect_found(packet(0x0e, "a", "", "more", {.opaque = 0, .cas = 9}), {"append a value=more op=14 cas=9"});
  expect_found(packet(0x05, "n", big64(1) + big64(7) + big32(0)), {"incr n number=1 op=5 initial=7 creates"});
  expect_found(packet(0x16, "n", big64(1) + big64(7) + big32(0xffffffff)),
               {"decr n exptime=4294967295 number=1 op=22 initial=7"});
  expect_found(packet(0x1c, "n", big32(9)), {"touch n exptime=9 op=28"});
  expect_found(packet(0x24, "n", big32(9)), {"gat n exptime=9 op=36"});
  expect_found(packet(0x08) + packet(0x18, "", big32(3)), {"flush_all op=8", "flush_all exptime=3 op=24 argument"});
  expect_found(packet(0x10) + packet(0x10, "items"), {"stats op=16", "stats items op=16"});
  expect_found(packet(0x0b) + packet(0x07) + packet(0x17), {"version op=11", "quit op=7", "quit op=23"});
}

TEST(BinarySession, TakesLargeValuesInPieces) {
  const std::string value(3000, '\n');
  expect_found(packet(0x01, "a", big64(0), value) + kNoop, {"set a value=" + readable(value) + " op=1", "mn op=10"});
  expect_found(packet(0x01, "a", big64(0), value) + kNoop, {"too large set a value=3000 bytes op=1", "mn op=10"},
               {.item_bytes_max = 2999});
}

TEST(BinarySession, RefusesAndGoesOn) {
  expect_found(packet(0xff) + kNoop, {"error Unknown command", "mn op=10"});
  expect_found(packet(0xf0, "key", "1234", "value") + kNoop, {"error Unknown command", "mn op=10"});
  expect_found(packet(0x20) + packet(0x21, "PLAIN", "", "\0u\0p"sv) + kNoop,
               {"error Unknown command", "error Unknown command", "mn op=10"});
}

TEST(BinarySession, ClosesOnWhatCannotBe) {
  expect_found(packet(0x00) + kNoop, {"close Invalid arguments"});
  expect_found(packet(0x00, std::string(251, 'k')), {"close Invalid arguments"});
  expect_found(packet(0x00, "abc", "", "", {.body_bytes = 2}), {"close Unknown command"});
  expect_found(packet(0x01, "abc", "12345678", "", {.body_bytes = 10}), {"close Unknown command"});
  expect_found(packet(0x00, "abc", std::string(255, 'e')), {"close Invalid arguments"});
  expect_found(kNoop + "version\r\n" + std::string(24, ' '), {"mn op=10", "close "});
  expect_found(kNoop + packet(0x0a, "", "", "", {.magic = '\x81'}), {"mn op=10", "close "});
}

TEST(BinarySession, HoldsLittleOfALongValue) {
  // Nothing but the header is here, and it promises four gigabytes.
  const std::string begin = packet(0x01, "a", big64(0), "", {.body_bytes = 0xffffffff});
  expect_found(begin, {"too large set a value=4294967286 bytes op=1"});
  EXPECT_FALSE(transcript(begin).is_idle);
  EXPECT_TRUE(transcript(kNoop).is_idle);
  EXPECT_FALSE(transcript(kNoop.substr(0, 23)).is_idle);
}

TEST(BinarySession, SpeaksWhatItIsTold) {
  expect_found(kNoop, {"close "}, {.speaks = protocol::Speaks::Text});
  expect_found("mn\r\n", {"close "}, {.speaks = protocol::Speaks::Binary});
  expect_found("mn\r\n", {"mn"}, {.speaks = protocol::Speaks::Text});
  expect_found(kNoop, {"mn op=10"}, {.speaks = protocol::Speaks::Binary});
  // The first byte of a connection decides, no other: what looks like opcode 10 is a line's end.
  expect_found("mn\r\n" + kNoop + "\r\n", {"mn", kBad, kUnknown});
  // Whoever has to authenticate in one protocol does not get around it in the other.
  expect_found("mn\r\n", {"close "}, {.guard = protocol::Guard::Sasl});
  expect_found(kNoop, {"close "}, {.guard = protocol::Guard::Login});
}

TEST(SaslSession, LetsOnlyTheHandshakeThrough) {
  expect_found(kNoop, {"close Auth failure."}, kSasl);
  expect_found(packet(0x00, "a"), {"close Auth failure."}, kSasl);
  expect_found(
      packet(0x0b) + packet(0x20) + packet(0x21, "PLAIN", "", "\0u\0bad"sv) + kNoop,
      {"version op=11", "sasl_list op=32", "sasl_auth PLAIN value=\\x00u\\x00bad op=33", "close Auth failure."}, kSasl);
  expect_found(packet(0x21, "PLAIN", "", "\0u\0good"sv) + packet(0x00, "a") + packet(0x22, "PLAIN", "", "x") + kNoop,
               {"sasl_auth PLAIN value=\\x00u\\x00good op=33", "get a", "sasl_step PLAIN value=x op=34", "mn op=10"},
               kSasl);
  expect_found(packet(0x21, "PLAIN", "", std::string(1025, 'x')), {"close Invalid arguments"}, kSasl);
  expect_found(packet(0x21, "PLAIN", "", std::string(1024, 'x')),
               {"sasl_auth PLAIN value=" + std::string(1024, 'x') + " op=33"}, kSasl);
}

const std::string kLoggedIn = "login alice value=good";
const std::string kUnauthenticated = "error CLIENT_ERROR unauthenticated";

TEST(LoginSession, LetsOnlyTheLoginThrough) {
  for (const std::string_view line :
       {"version\r\n"sv, "quit\r\n"sv, "get a\r\n"sv, "\r\n"sv, "\n"sv, "   \r\n"sv, "mn\r\n"sv, "add a 0 0 4\r\n"sv,
        "set a 0 0\r\n"sv, "set a 0 0 x\r\n"sv, "set a 0 0 -1\r\n"sv, "set a 0 0 4294967296\r\n"sv,
        "GET / HTTP/1.1\r\n"sv, "SET a 0 0 4\r\n"sv}) {
    expect_found(line, {kUnauthenticated}, kLogin);
  }
  expect_found("set a 0 0 10\r\nalice good\r\nget a\r\n", {kLoggedIn, "get a"}, kLogin);
  expect_found("set a b c 10\nalice good\r\nmn\r\n", {kLoggedIn, "mn"}, kLogin);
  expect_found("  set  a  0  0  10  noreply x\r\nalice good\r\n", {kLoggedIn}, kLogin);
  expect_found("get a\r\nset " + std::string(300, 'k') + " 0 0 13\r\nalice  good x\r\nset a 0 0 1\r\nx\r\n",
               {kUnauthenticated, kLoggedIn, "set a value=x"}, kLogin);
  expect_found("set a 0 0 9\r\nalice bad\r\nget a\r\n", {"login alice value=bad", kUnauthenticated}, kLogin);
}

TEST(LoginSession, RefusesBlocksThatAreNone) {
  expect_found("set a 0 0 9\r\nalice good\r\n", {"error CLIENT_ERROR bad command line termination", kUnauthenticated},
               kLogin);
  expect_found("set a 0 0 5\r\nalice\r\nmn\r\n",
               {"error CLIENT_ERROR bad authentication token format", kUnauthenticated}, kLogin);
  expect_found("set a 0 0 0\r\n\r\n", {"error CLIENT_ERROR bad authentication token format"}, kLogin);
  expect_found("set a 0 0 1025\r\n" + std::string(1025, 'x') + "\r\nmn\r\n",
               {"error CLIENT_ERROR auth token too long", kUnauthenticated}, kLogin);
  expect_found("set a 0 0 1024\r\n" + std::string(1014, ' ') + "alice good\r\nmn\r\n", {kLoggedIn, "mn"}, kLogin);
  expect_found(std::string(2049, 'x'), {"close "}, kLogin);
  expect_found(kNoop, {"close "}, kLogin);
}

}  // namespace
}  // namespace millrace::tests
