// get gets gat gats.

#include "expect.h"
#include "protocol/ascii/plain_get.h"

namespace millrace::tests {
namespace {

const std::string kKey250(250, 'k');
const std::string kKey251(251, 'k');

TEST(ParseGet, GivesEachKeyOfTheLine) {
  expect_found("get a\r\n", {"get a"});
  expect_found("get a b c\r\ngets d\r\n", {"get a b c", "gets d"});
  expect_found("get a\n", {"get a"});
}

TEST(ParseGet, LooksBehindSpacesForTheLastKey) {
  expect_found("get  a   b\r\n", {"get a b"});
  expect_found("get a b \r\n", {"get a b"});
  expect_found("gets a    \nget b\r\n", {"gets a", "get b"});
  protocol::SessionOptions options;
  protocol::Session session(options);
  protocol::Request request;
  protocol::Scratch scratch;
  std::string_view in = "get a b \r\n";
  in.remove_prefix(session.next(in, request, scratch).consumed);
  EXPECT_FALSE(request.ends_reply);
  in.remove_prefix(session.next(in, request, scratch).consumed);
  EXPECT_EQ(request.key, "b");
  EXPECT_TRUE(request.ends_reply);
  EXPECT_TRUE(in.empty());
}

TEST(ParseGet, NeedsAKey) {
  expect_found("get\r\n", {kBad});
  expect_found("gets\r\n", {kBad});
  expect_found("get \r\n", {kBad});
  expect_found("gets    \n", {kBad});
  expect_found("gat 10\r\n", {kBad});
  expect_found("gats\r\n", {kBad});
}

TEST(ParseGet, RefusesTheWholeLineForOneKeyTooLong) {
  expect_found("get " + kKey250 + "\r\n", {"get " + kKey250});
  expect_found("get " + kKey250 + "\n", {"get " + kKey250});
  expect_found("get " + kKey251 + "\r\n", {kBad});
  expect_found("get a b " + kKey251 + " c\r\nmn\r\n", {kBad, "mn"});
  expect_found("get " + kKey250 + " " + kKey250 + "\r\n", {"get " + kKey250 + " " + kKey250});
  expect_found("gat 1 a " + kKey251 + "\r\nmn\r\n", {kBad, "mn"});
}

TEST(ParseGet, TakesAnyByteButSpaceInAKey) {
  expect_found("get a\tb\r\n", {"get a\\x09b"});
  expect_found(std::string_view("get \0\x80\xff\r\n", 9), {"get \\x00\\x80\\xff"});
  expect_found("get a\r\r\n", {"get a\\x0d"});
  expect_found("get a\rb c\r\n", {"get a\\x0db c"});
  expect_found("get noreply\r\n", {"get noreply"});
}

TEST(ParseGat, ReadsTheTimeBeforeTheKeys) {
  expect_found("gat 10 a\r\n", {"gat exptime=10 a"});
  expect_found("gats -1 a b \r\n", {"gats exptime=-1 a b"});
  expect_found("gat 2147483647 a\r\n", {"gat exptime=2147483647 a"});
  expect_found("gat - a\r\n", {"gat a"});
  expect_found("gat abc k\r\n", {kBadTime});
  expect_found("gat 2147483648 k\r\n", {kBadTime});
  expect_found("gat +1 k\r\n", {kBadTime});
}

std::string line_of_keys(std::string_view verb, std::size_t bytes_min, std::string& events) {
  std::string line(verb);
  for (std::size_t i = 0; line.size() < bytes_min; ++i) {
    line += (i % 7 == 0 ? "   key" : " key") + std::to_string(i);
    events += " key" + std::to_string(i);
  }
  return line;
}

TEST(ParseGet, StreamsALineOfAnyLength) {
  for (const std::size_t bytes : {2040U, 2047U, 2048U, 2049U, 2050U, 5000U, 20000U}) {
    std::string events = "get";
    const std::string line = line_of_keys("get", bytes, events);
    expect_found(line + "\r\nmn\r\n", {events, "mn"});
    expect_found(line + " \nmn\r\n", {events, "mn"});
  }
  std::string events = "gets";
  const std::string line = line_of_keys("gets", 200'000, events);
  const Transcript whole = transcript(line + "\r\n");
  EXPECT_EQ(whole.events, Events{events});
  EXPECT_TRUE(whole.is_idle);
  for (const std::size_t every : {1U, 3U, 1000U, 2048U, 2049U, 4096U}) {
    EXPECT_EQ(transcript(line + "\r\n", cut_every(every)), whole) << every;
  }
}

TEST(ParseGet, RefusesALongLineWhereItGoesWrong) {
  std::string ignored;
  const std::string line = line_of_keys("get", 3000, ignored);
  expect_found(line + " " + kKey251 + " z\r\nmn\r\n", {kBad, "mn"});
  expect_found(line + " " + kKey251 + "\r\nmn\r\n", {kBad, "mn"});
  expect_found(line + " " + kKey250 + " " + kKey251 + "\nmn\r\n", {kBad, "mn"});
  expect_found("get " + std::string(5000, 'x') + "\r\nmn\r\n", {kBad, "mn"});
  expect_found("get " + std::string(5000, ' ') + "\r\nmn\r\n", {kBad, "mn"});
  expect_found("gets" + std::string(5000, ' ') + "a\r\nmn\r\n", {"gets a", "mn"});
}

TEST(ParseGet, StopsAtTheWrongKeyOfALineItHasNotSeenWhole) {
  protocol::SessionOptions options;
  protocol::Session session(options);
  protocol::Request request;
  protocol::Scratch scratch;
  std::string line = "get";
  for (int i = 0; i < 600; ++i) {
    line += " key" + std::to_string(i);
  }
  std::string_view in = line;
  int keys = 0;
  for (protocol::Parsed parsed = session.next(in, request, scratch); parsed.found == protocol::Found::Request;
       parsed = session.next(in, request, scratch)) {
    ++keys;
    in.remove_prefix(parsed.consumed);
  }
  EXPECT_EQ(keys, 599);  // the last may go on
  const std::string rest = kKey251 + " b\r\nmn\r\n";
  in = rest;
  const protocol::Parsed error = session.next(in, request, scratch);
  EXPECT_EQ(error.found, protocol::Found::Error);
  in.remove_prefix(error.consumed);
  const protocol::Parsed next = session.next(in, request, scratch);
  EXPECT_EQ(next.found, protocol::Found::Request);
  EXPECT_EQ(request.command, protocol::Command::MetaNoop);
}

TEST(ParseGat, HasNoLongLines) {
  std::string ignored;
  expect_found(line_of_keys("gat 1", 2049, ignored) + "\r\n", {"close "});
  std::string events = "gat exptime=1";
  std::string line = line_of_keys("gat 1", 2000, events);
  line.resize(2048, ' ');
  expect_found(line + "\n", {events});
}

/// Both versions, every byte in every place, of every length around those of their words.
TEST(PlainGet, GraphicBytesAreToldFromOthers) {
  for (std::size_t bytes = 8; bytes <= 40; ++bytes) {
    std::string text(bytes, 'k');
    for (std::size_t at = 0; at < bytes; ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        text[at] = static_cast<char>(value);
        const bool is_graphic = value > ' ' && value < 0x7f;
        ASSERT_EQ(protocol::ascii::are_graphic_portable(text.data(), bytes), is_graphic) << value << " at " << at;
        ASSERT_EQ(protocol::ascii::are_graphic(text.data(), bytes), is_graphic) << value << " at " << at;
      }
      text[at] = 'k';
    }
  }
}

}  // namespace
}  // namespace millrace::tests
