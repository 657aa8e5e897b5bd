// set add replace append prepend cas, and their data blocks.

#include "expect.h"

namespace millrace::tests {
namespace {

TEST(ParseStore, ReadsHeaderAndBlock) {
  expect_found("set a 1 2 5\r\nhello\r\n", {"set a flags=1 exptime=2 value=hello"});
  expect_found("add a 0 0 1\r\nx\r\n", {"add a value=x"});
  expect_found("replace a 0 0 1\r\nx\r\n", {"replace a value=x"});
  expect_found("append a 0 0 1\r\nx\r\n", {"append a value=x"});
  expect_found("prepend a 0 0 1\r\nx\r\n", {"prepend a value=x"});
  expect_found("cas a 0 0 1 77\r\nx\r\n", {"cas a number=77 value=x"});
  expect_found("set a 0 0 0\r\n\r\nmn\r\n", {"set a value=", "mn"});
  expect_found("set   a  0   0  1  \nx\r\n", {"set a value=x"});
}

TEST(ParseStore, LetsAnyByteStandInAValue) {
  expect_found("set a 0 0 12\r\n\r\nget b\r\n\r\n\n\r\nmn\r\n",
               {"set a value=\\x0d\\x0aget\\x20b\\x0d\\x0a\\x0d\\x0a\\x0a", "mn"});
}

TEST(ParseStore, KeepsSilentWhenAsked) {
  expect_found("set a 0 0 1 noreply\r\nx\r\nget a\r\n", {"set a value=x noreply", "get a"});
  expect_found("set a 0 0 1 bogus\r\nx\r\n", {"set a value=x"});
  expect_found("set a 0 0 1 bogus noreply \r\nx\r\n", {"set a value=x noreply"});
  expect_found("set a 0 0 1 noreplyx\r\nx\r\n", {"set a value=x"});
  expect_found("set a 0 0 1 xnoreply\r\nx\r\n", {"set a value=x"});
  expect_found("cas a 0 0 1 5 noreply\r\nx\r\n", {"cas a number=5 value=x noreply"});
}

TEST(ParseStore, ChecksTheEndOfTheBlock) {
  expect_found("set a 0 0 3\r\nabcd\r\n", {kBadBlock, kBad});
  expect_found("set a 0 0 3\r\nab\r\n\r\n", {kBadBlock, kBad});
  expect_found("set a 0 0 3\r\nabc\nxget a\r\n", {kBadBlock, "get a"});
  expect_found("set a 0 0 3 noreply\r\nabcdemn\r\n", {kSilent, "mn"});
}

TEST(ParseStore, PassesOverTheBlockOfABadHeader) {
  expect_found("set a -1 0 1\r\nx\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 abc 1\r\nx\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 1.5 7\r\nflush_a\r\nmn\r\n", {kBad, "mn"});
  expect_found("set " + std::string(251, 'k') + " 0 0 4\r\nquit\r\nmn\r\n", {kBad, "mn"});
  expect_found("cas a 0 0 1 abc\r\nx\r\nmn\r\n", {kBad, "mn"});
  expect_found("cas a 0 0 1\r\nx\r\nmn\r\n", {kBad, "mn"});
  expect_found("cas a 0 0 1 -1\r\nx\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a x 0 1 noreply\r\nx\r\nmn\r\n", {kSilent, "mn"});
  expect_found("cas a 0 0 1 noreply\r\nx\r\nmn\r\n", {kSilent, "mn"});
}

TEST(ParseStore, PassesOverNothingWithoutALength) {
  expect_found("set a 0 0\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 -1\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 x noreply\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 noreply\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 2147483646\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 4294967297\r\nmn\r\n", {kBad, "mn"});
  expect_found("set a 0 0 99999999999999999999999\r\nmn\r\n", {kBad, "mn"});
  expect_found("set\r\nmn\r\n", {kBad, "mn"});
  expect_found("append \r\nmn\r\n", {kBad, "mn"});
}

TEST(ParseStore, CutsHeaderNumbersTo32Bits) {
  expect_found("set a 4294967295 0 1\r\nx\r\n", {"set a flags=4294967295 value=x"});
  expect_found("set a 4294967296 0 1\r\nx\r\n", {"set a value=x"});
  expect_found("set a 18446744073709551615 0 1\r\nx\r\n", {"set a flags=4294967295 value=x"});
  expect_found("set a 18446744073709551616 0 1\r\nx\r\n", {kBad});
  expect_found("set a +7 +8 1\r\nx\r\n", {"set a flags=7 exptime=8 value=x"});
  expect_found("set a 0 -1 1\r\nx\r\n", {"set a exptime=-1 value=x"});
  expect_found("set a 0 2678400 1\r\nx\r\n", {"set a exptime=2678400 value=x"});
  expect_found("set a 0 2147483648 1\r\nx\r\n", {"set a exptime=-2147483648 value=x"});
  expect_found("set a 0 4294967296 1\r\nx\r\n", {"set a value=x"});
  expect_found("set a 0 9223372036854775808 1\r\nx\r\n", {kBad});
  expect_found(std::string("set a 1\0 0 1\r\nx\r\n", 17), {"set a flags=1 value=x"});
}

TEST(ParseStore, AnnouncesAValueThatIsTooLong) {
  const protocol::SessionOptions options{.item_bytes_max = 1024};
  expect_found("set a 0 0 1024\r\n" + std::string(1024, 'x') + "\r\nmn\r\n",
               {"set a value=" + std::string(1024, 'x'), "mn"}, options);
  expect_found("set a 0 0 1025\r\n" + std::string(1025, 'x') + "\r\nmn\r\n", {"too large set a value=1025 bytes", "mn"},
               options);
  // Its block is passed over without a look, as memcached does: the end of it is not what is wrong.
  expect_found("set a 0 0 1025 noreply\r\n" + std::string(1027, 'x') + "mn\r\n",
               {"too large set a value=1025 bytes noreply", "mn"}, options);
  expect_found("set a 0 0 2147483645\r\n", {"too large set a value=2147483645 bytes"}, options);
}

TEST(ParseStore, SaysWhetherAValueIsDue) {
  protocol::SessionOptions options;
  protocol::Session session(options);
  protocol::Request request;
  protocol::Scratch scratch;
  EXPECT_TRUE(session.is_idle());
  EXPECT_EQ(session.next("set a 0 0 3\r\nab", request, scratch).found, protocol::Found::ValueBegins);
  EXPECT_TRUE(session.is_in_value());
  EXPECT_FALSE(session.is_idle());
  const protocol::ValueTaken first = session.take_value("ab");
  EXPECT_EQ(first.bytes, "ab");
  EXPECT_FALSE(first.is_over);
  const protocol::ValueTaken second = session.take_value("c\r");
  EXPECT_EQ(second.bytes, "c");
  EXPECT_EQ(second.consumed, 2U);
  EXPECT_FALSE(second.is_over);
  const protocol::ValueTaken last = session.take_value("\nget");
  EXPECT_EQ(last.consumed, 1U);
  EXPECT_TRUE(last.is_over);
  EXPECT_FALSE(last.is_bad);
  EXPECT_TRUE(session.is_idle());
}

TEST(ParseStore, PassesOverTheRestOfAValueThatWasBegun) {
  protocol::SessionOptions options;
  protocol::Session session(options);
  protocol::Request request;
  protocol::Scratch scratch;
  EXPECT_EQ(session.next("set a 0 0 10\r\n", request, scratch).found, protocol::Found::ValueBegins);
  EXPECT_EQ(session.take_value("abc").bytes, "abc");
  session.skip_value();
  EXPECT_FALSE(session.is_in_value());
  const std::string_view rest = "defghij\r\nmn\r\n";
  const protocol::Parsed parsed = session.next(rest, request, scratch);
  EXPECT_EQ(parsed.found, protocol::Found::Request);
  EXPECT_EQ(parsed.consumed, rest.size());
  EXPECT_EQ(request.command, protocol::Command::MetaNoop);
}

}  // namespace
}  // namespace millrace::tests
