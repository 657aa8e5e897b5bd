// The replies that are built.

#include "protocol/reply.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "protocol/limits.h"
#include "support/seed.h"

namespace millrace::tests {
namespace {

std::string number_line(std::uint64_t number) {
  std::string text(protocol::kNumberLineBytesMax, '#');
  const char* end = protocol::write_number_line(text.data(), number);
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

std::string value_line(std::string_view key, std::uint32_t flags, std::uint32_t bytes) {
  std::string text(protocol::kValueLineBytesMax, '#');
  const char* end = protocol::write_value_line(text.data(), key, flags, bytes);
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

std::string value_line(std::string_view key, std::uint32_t flags, std::uint32_t bytes, std::uint64_t cas) {
  std::string text(protocol::kValueLineBytesMax, '#');
  const char* end = protocol::write_value_line(text.data(), key, flags, bytes, cas);
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

TEST(WriteReply, NumbersAtEveryLength) {
  std::uint64_t power = 1;
  for (int digits = 1; digits <= 20; ++digits) {
    for (const std::uint64_t number : {power - 1, power, power + 1, power * 9 / 5}) {
      EXPECT_EQ(number_line(number), std::to_string(number) + "\r\n");
    }
    power *= 10;
  }
  for (int bit = 0; bit < 64; ++bit) {
    const std::uint64_t number = std::uint64_t{1} << bit;
    EXPECT_EQ(number_line(number - 1), std::to_string(number - 1) + "\r\n");
    EXPECT_EQ(number_line(number), std::to_string(number) + "\r\n");
  }
  EXPECT_EQ(number_line(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615\r\n");
}

TEST(WriteReply, EveryNumberOfFiveDigitsAndMany) {
  for (std::uint64_t number = 0; number < 100'000; ++number) {
    ASSERT_EQ(number_line(number), std::to_string(number) + "\r\n");
  }
  std::mt19937_64 random(test_seed());
  for (int n = 0; n < 100'000; ++n) {
    const std::uint64_t number = random() >> random() % 64;
    ASSERT_EQ(number_line(number), std::to_string(number) + "\r\n");
    const auto flags = static_cast<std::uint32_t>(number);
    ASSERT_EQ(value_line("key", flags, flags >> 8),
              "VALUE key " + std::to_string(flags) + " " + std::to_string(flags >> 8) + "\r\n");
  }
}

TEST(WriteReply, KeysOfEveryLength) {
  std::string key;
  while (key.size() < 250) {
    key += static_cast<char>('!' + key.size() % 90);
    ASSERT_EQ(value_line(key, 7, 64), "VALUE " + key + " 7 64\r\n");
  }
}

TEST(WriteReply, NumbersDrawn) {
  std::mt19937_64 random(test_seed());
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t number = random() >> random() % 64;
    ASSERT_EQ(number_line(number), std::to_string(number) + "\r\n");
  }
}

TEST(WriteReply, ValueLines) {
  EXPECT_EQ(value_line("a", 0, 1), "VALUE a 0 1\r\n");
  EXPECT_EQ(value_line("key", 42, 100), "VALUE key 42 100\r\n");
  EXPECT_EQ(value_line("key", 42, 100, 7), "VALUE key 42 100 7\r\n");
}

TEST(WriteReply, TheLongestLineIsAsLongAsItSays) {
  const std::string key(protocol::kKeyBytesMax, 'k');
  const std::string line = value_line(key, 4294967295, 4294967295, std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(line, "VALUE " + key + " 4294967295 4294967295 18446744073709551615\r\n");
  EXPECT_EQ(line.size(), protocol::kValueLineBytesMax);
  EXPECT_EQ(number_line(std::numeric_limits<std::uint64_t>::max()).size(), protocol::kNumberLineBytesMax);
}

}  // namespace
}  // namespace millrace::tests
