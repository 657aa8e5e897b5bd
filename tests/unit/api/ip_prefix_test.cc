// IpPrefix: text to network and back, and who is in it.
#include "dataplane/api/ip_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/support/seed.h"

namespace millrace::dataplane {
namespace {

using testing::HasSubstr;

IpPrefix prefix(const std::string& text) {
  const auto parsed = IpPrefix::parse(text);
  EXPECT_TRUE(parsed) << text << ": " << parsed.error().what;
  return parsed.value_or(IpPrefix{});
}

IpBytes address(const std::string& text) { return prefix(text).address; }

std::string error(const std::string& text) {
  const auto parsed = IpPrefix::parse(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? "" : parsed.error().what;
}

TEST(IpPrefix, TextAndBack) {
  for (const char* text : {"10.0.0.0/8", "172.16.0.0/12", "192.0.2.1/32", "0.0.0.0/0", "fc00::/7", "fe80::/10",
                           "::1/128", "::/0", "2001:db8::/33"}) {
    EXPECT_EQ(prefix(text).text(), text);
  }
}

TEST(IpPrefix, AnAddressAloneIsOneHost) {
  EXPECT_EQ(prefix("192.0.2.1"), prefix("192.0.2.1/32"));
  EXPECT_EQ(prefix("::1"), prefix("::1/128"));
  EXPECT_TRUE(prefix("::1").contains(address("::1")));
  EXPECT_FALSE(prefix("::1").contains(address("::2")));
}

TEST(IpPrefix, Contains) {
  EXPECT_TRUE(prefix("172.16.0.0/12").contains(address("172.16.0.0")));
  EXPECT_TRUE(prefix("172.16.0.0/12").contains(address("172.31.255.255")));
  EXPECT_FALSE(prefix("172.16.0.0/12").contains(address("172.32.0.0")));
  EXPECT_FALSE(prefix("172.16.0.0/12").contains(address("172.15.255.255")));
  EXPECT_TRUE(prefix("fe80::/10").contains(address("febf::1")));
  EXPECT_FALSE(prefix("fe80::/10").contains(address("fec0::1")));
}

TEST(IpPrefix, FamiliesStayApart) {
  EXPECT_TRUE(prefix("0.0.0.0/0").contains(address("203.0.113.9")));
  EXPECT_FALSE(prefix("0.0.0.0/0").contains(address("::1")));
  EXPECT_TRUE(prefix("::/0").contains(address("::1")));
  EXPECT_FALSE(prefix("::/0").contains(address("203.0.113.9")));
  EXPECT_FALSE(prefix("::/80").contains(address("203.0.113.9")));
  EXPECT_EQ(prefix("::ffff:10.0.0.0/104"), prefix("10.0.0.0/8"));
}

TEST(IpPrefix, WhatIsNoNetwork) {
  for (const std::string& text : {std::string(), std::string("/8"), std::string("10.0.0/8"),
                                  std::string("10.0.0.0.0/8"), std::string("fe80::1%lo/128"), std::string("localhost"),
                                  std::string(" 10.0.0.0/8"), std::string("10.0.0.0\0/8", 11)}) {
    EXPECT_THAT(error(text), HasSubstr("not an address or network"));
  }
  for (const char* text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8", "::/129",
                           "::/4294967297", "10.0.0.0/+8"}) {
    EXPECT_THAT(error(text), HasSubstr("is not a length from 0 to "));
  }
}

TEST(IpPrefix, BitsBehindThePrefixAreAMistake) {
  EXPECT_THAT(error("10.1.2.3/8"), HasSubstr("write 10.0.0.0/8 for the network, or 10.1.2.3/32 for the host"));
  EXPECT_THAT(error("fe80::1/10"), HasSubstr("write fe80::/10 for the network"));
}

/// Bit by bit, as one would do it with patience.
bool shares_bits(const IpBytes& a, const IpBytes& b, std::uint32_t bits) {
  for (std::uint32_t bit = 0; bit < bits; ++bit) {
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) {
      return false;
    }
  }
  return true;
}

TEST(IpPrefix, RandomNetworks) {
  std::mt19937_64 random(tests::test_seed());
  for (int round = 0; round < 20'000; ++round) {
    IpBytes bytes{};
    const bool is_four = random() % 2 == 0;
    for (std::size_t i = is_four ? 12 : 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>(random());
    }
    if (is_four) {
      bytes[10] = bytes[11] = 0xff;
    }
    const auto bits = static_cast<std::uint32_t>(is_four ? 96 + random() % 33 : random() % 129);
    IpBytes other = bytes;  // differs in one bit
    const auto flipped = static_cast<std::uint32_t>(is_four ? 96 + random() % 32 : random() % 128);
    other[flipped / 8] ^= static_cast<std::uint8_t>(0x80U >> flipped % 8);
    IpPrefix network{.address = bytes, .bits = static_cast<std::uint8_t>(bits)};
    for (std::uint32_t bit = bits; bit < 128; ++bit) {
      network.address[bit / 8] &= static_cast<std::uint8_t>(~(0x80U >> bit % 8));
    }
    EXPECT_TRUE(network.contains(bytes));
    EXPECT_EQ(network.contains(other), shares_bits(bytes, other, bits)) << network.text();
    EXPECT_EQ(prefix(network.text()), network);
  }
}

}  // namespace
}  // namespace millrace::dataplane
