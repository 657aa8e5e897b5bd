// The short way past the session finds what the session finds, or leaves it alone.

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "protocol/ascii/plain_get.h"
#include "protocol/session.h"
#include "support/seed.h"

namespace millrace::protocol {
namespace {

TEST(PlainGet, BytesAreGraphicOneByOne) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    for (unsigned lane = 0; lane < 8; ++lane) {
      for (const std::uint64_t others : {std::uint64_t{'!'}, std::uint64_t{'~'}, std::uint64_t{'a'}}) {
        std::uint64_t eight = others * 0x0101'0101'0101'0101;
        eight &= ~(std::uint64_t{0xff} << (8 * lane));
        eight |= std::uint64_t{byte} << (8 * lane);
        EXPECT_EQ(ascii::are_graphic(eight), byte >= '!' && byte <= '~') << byte << " in lane " << lane;
      }
    }
  }
}

TEST(PlainGet, AgreesWithTheSession) {
  std::mt19937_64 random(tests::test_seed());
  const SessionOptions options;
  std::uint64_t plain = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string commands = "get ";
    const std::size_t key_bytes = random() % 3 == 0 ? random() % 300 : 1 + random() % 40;
    for (std::size_t i = 0; i < key_bytes; ++i) {
      commands += static_cast<char>('!' + random() % 94);
    }
    commands += "\r\n";
    for (std::uint64_t damage = random() % 3; damage > 0; --damage) {  // anything, anywhere
      const std::size_t at = random() % commands.size();
      constexpr char kBytes[] = {' ', '\r', '\n', '\0', '\t', '\x7f', '\x80', 'g', '~'};
      switch (random() % 3) {
        case 0:
          commands[at] = kBytes[random() % sizeof kBytes];
          break;
        case 1:
          commands.insert(at, 1, kBytes[random() % sizeof kBytes]);
          break;
        default:
          commands.erase(at, 1);
      }
      if (commands.empty()) {
        break;
      }
    }
    const std::string_view key = ascii::plain_get_key(commands);
    if (key.empty()) {
      continue;
    }
    const Request request = ascii::plain_get(key);
    ++plain;
    Session session(options);
    Request expected;
    Scratch scratch;
    const Parsed parsed = session.next(commands, expected, scratch);
    ASSERT_EQ(parsed.found, Found::Request) << commands;
    ASSERT_EQ(parsed.consumed, commands.size());
    ASSERT_EQ(request.command, expected.command);
    ASSERT_EQ(request.key, expected.key);
    ASSERT_EQ(request.noreply, expected.noreply);
    ASSERT_EQ(request.ends_reply, expected.ends_reply);
    ASSERT_EQ(request.exptime, expected.exptime);
    ASSERT_EQ(request.value, expected.value);
    ASSERT_EQ(request.dialect, expected.dialect);
    ASSERT_EQ(request.extra(), expected.extra());
  }
  EXPECT_GT(plain, 50'000U);
}

}  // namespace
}  // namespace millrace::protocol
