#include "bench/load/workload.h"

#include <gtest/gtest.h>

#include <set>

#include "bench/load/request_writer.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

std::string text_of(const KeyText& keys, std::uint64_t number) {
  std::string text(keys.size(), '?');
  EXPECT_EQ(keys.write(number, text.data()), text.data() + text.size());
  return text;
}

TEST(KeyText, IsFixedWidthAndSaysTheNumber) {
  const auto keys = KeyText::make(30, 1'000'000);
  ASSERT_TRUE(keys);
  EXPECT_EQ(text_of(*keys, 0), "key:00000000000000000000000000");
  EXPECT_EQ(text_of(*keys, 123'456), "key:00000000000000000000123456");
  EXPECT_EQ(text_of(*keys, 999'999), "key:00000000000000000000999999");
}

TEST(KeyText, NumberAndTextAreInverse) {
  Prng prng(test_seed());
  for (const std::uint64_t count : {1ULL, 2ULL, 10ULL, 11ULL, 1000ULL, 99'999ULL, 1ULL << 40}) {
    for (const std::uint32_t bytes : {13U, 14U, 17U, 30U, 250U}) {
      const auto keys = KeyText::make(bytes, count);
      ASSERT_TRUE(keys);
      for (int i = 0; i < 200; ++i) {
        const std::uint64_t number = i == 0 ? 0 : (i == 1 ? count - 1 : prng.below(count));
        EXPECT_EQ(keys->number(text_of(*keys, number)), number);
      }
    }
  }
}

TEST(KeyText, DropsThePrefixWhenThereIsNoRoom) {
  const auto keys = KeyText::make(6, 1'000'000);
  ASSERT_TRUE(keys);
  EXPECT_EQ(text_of(*keys, 42), "000042");
  EXPECT_EQ(keys->number("000042"), 42);
}

TEST(KeyText, RefusesWhatCannotBe) {
  EXPECT_FALSE(KeyText::make(5, 1'000'000));
  EXPECT_FALSE(KeyText::make(251, 10));
  EXPECT_FALSE(KeyText::make(30, 0));
}

TEST(KeyText, KnowsItsOwn) {
  const auto keys = KeyText::make(10, 1000);
  ASSERT_TRUE(keys);
  EXPECT_TRUE(keys->number("key:000999"));
  for (const char* const other :
       {"", "key:00099", "key:0009999", "kex:000999", "key:00099a", "key:001000", "key: 00999"}) {
    EXPECT_FALSE(keys->number(other)) << other;
  }
}

TEST(ValueText, IsAFunctionOfKeyAndSize) {
  const ValueText values(1, 300, 1000);
  std::string value(1000, 0);
  std::set<std::string> different;
  for (std::uint64_t key = 0; key < 200; ++key) {
    const std::uint32_t size = values.bytes_of(key);
    ASSERT_GE(size, 1U);
    ASSERT_LE(size, 300U);
    values.write(key, size, value.data());
    const std::string_view text(value.data(), size);
    different.insert(std::string(text));
    EXPECT_TRUE(values.matches(key, size, 0, text));
    for (std::uint32_t cut = 0; cut < size; ++cut) {
      EXPECT_TRUE(values.matches(key, size, 0, text.substr(0, cut)));
      EXPECT_TRUE(values.matches(key, size, cut, text.substr(cut)));
    }
    if (size >= 8) {
      EXPECT_FALSE(values.matches(key + 1, size, 0, text));
    }
    EXPECT_FALSE(values.matches(key, size, 1, text));
  }
  EXPECT_GT(different.size(), 190U);
}

TEST(ValueText, SeesEveryWrongByte) {
  const ValueText values(100, 100, 100);
  std::string value(100, 0);
  values.write(7, 100, value.data());
  for (char& c : value) {
    c ^= 1;
    EXPECT_FALSE(values.matches(7, 100, 0, value));
    c ^= 1;
  }
  EXPECT_FALSE(values.matches(7, 101, 0, value)) << "larger than the largest";
}

TEST(RequestWriter, WritesTheClassicProtocol) {
  const auto keys = KeyText::make(6, 100);
  ASSERT_TRUE(keys);
  const Workload workload{*keys, ValueText(3, 3, 3)};
  const RequestWriter writer(workload);
  std::string out(200, '?');
  const std::uint64_t asked[] = {1, 99};
  out.resize(static_cast<std::size_t>(writer.get(asked, out.data()) - out.data()));
  EXPECT_EQ(out, "get key:01 key:99\r\n");
  EXPECT_EQ(out.size(), writer.get_bytes(2));

  out.assign(200, '?');
  std::string value(3, 0);
  workload.value_text.write(5, 3, value.data());
  out.resize(static_cast<std::size_t>(writer.set(5, 3, 4'294'967'295U, out.data()) - out.data()));
  EXPECT_EQ(out, "set key:05 " + std::to_string(ValueText::flags_of(5)) + " 4294967295 3\r\n" + value + "\r\n");
  EXPECT_LE(out.size(), writer.set_bytes_max(3));
}

}  // namespace
}  // namespace millrace::load
