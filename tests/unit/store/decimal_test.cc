// What is a number to incr and decr. The verdicts are memcached's own, asked over the wire.
#include "store/decimal.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::store {
namespace {

using namespace std::string_literals;

TEST(Decimal, ReadsWhatMemcachedReads) {
  EXPECT_EQ(parse_decimal("0"), 0U);
  EXPECT_EQ(parse_decimal("42"), 42U);
  EXPECT_EQ(parse_decimal("18446744073709551615"), 18446744073709551615U);
  EXPECT_EQ(parse_decimal("00000000000000000000000000000000000000005"), 5U);
  EXPECT_EQ(parse_decimal("+5"), 5U);
  EXPECT_EQ(parse_decimal(" 5"), 5U);
  EXPECT_EQ(parse_decimal("\t7"), 7U);
  EXPECT_EQ(parse_decimal("\r\n\v\f 7"), 7U);
  EXPECT_EQ(parse_decimal("99   "), 99U) << "as decr leaves it";
  EXPECT_EQ(parse_decimal("5 apples"), 5U);
  EXPECT_EQ(parse_decimal("5\0junk"s), 5U) << "to strtoull the zero byte is the end";
  EXPECT_EQ(parse_decimal("-0"), 0U);
  EXPECT_EQ(parse_decimal("-18446744073709551615"), 1U) << "strtoull negates modulo 2^64";
}

TEST(Decimal, RefusesWhatMemcachedRefuses) {
  for (const std::string& text :
       {""s, " "s, "x"s, "5apples"s, "-1"s, "-9223372036854775808"s, "18446744073709551616"s, "-18446744073709551616"s,
        "99999999999999999999999"s, "+"s, "-"s, "+-5"s, "- 5"s, "1.5"s, "0x10"s, "\0005"s, "5\x80"s}) {
    EXPECT_EQ(parse_decimal(text), std::nullopt) << "'" << text << "'";
  }
}

}  // namespace
}  // namespace millrace::store
