// dataplane/wire/checksum.h: the RFCs' own examples, and pieces of every length.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

#include "dataplane/wire/checksum.h"
#include "support/seed.h"

namespace millrace::wire {
namespace {

template <typename... Octets>
std::vector<std::byte> octets(Octets... values) {
  return {static_cast<std::byte>(values)...};
}

/// RFC 1071 4.1, word by word.
std::uint16_t plain_sum(Bytes bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

TEST(Checksum, Rfc1071Example) {
  ChecksumSum sum;
  sum.add(octets(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7));
  EXPECT_EQ(sum.folded(), 0xddf2);
  EXPECT_EQ(sum.checksum(), static_cast<std::uint16_t>(~0xddf2));
}

TEST(Checksum, OfNothingAndOfOnes) {
  EXPECT_EQ(checksum_of({}), 0xffff);
  const std::vector<std::byte> ones(64, std::byte{0xff});
  EXPECT_EQ(checksum_of(ones), 0);
}

TEST(Checksum, EqualsThePlainSumHoweverItIsCut) {
  std::mt19937_64 random(tests::test_seed());
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> bytes(random() % 300);
    for (std::byte& byte : bytes) {
      byte = static_cast<std::byte>(random());
    }
    ChecksumSum sum;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 40, bytes.size() - at);
      sum.add(Bytes(bytes).subspan(at, size));
      at += size;
    }
    ASSERT_EQ(sum.checksum(), plain_sum(bytes)) << "round " << round;
  }
}

TEST(Checksum, PseudoHeadersOfBothFamilies) {
  const IpAddress a4 = IpAddress::v4(0x0a000001);
  const IpAddress b4 = IpAddress::v4(0xc0a80102);
  ChecksumSum sum;
  sum.add_pseudo_header(a4, b4, 17, 20);
  EXPECT_EQ(sum.checksum(), plain_sum(octets(10, 0, 0, 1, 192, 168, 1, 2, 0, 17, 0, 20)));
  const IpAddress a6 = link_local_of({2, 0, 0, 0, 0, 1});
  ChecksumSum sum6;
  sum6.add_pseudo_header(a6, kAllNodes, 58, 70000);
  std::vector<std::byte> plain(a6.data(), a6.data() + 16);
  plain.insert(plain.end(), kAllNodes.data(), kAllNodes.data() + 16);
  const auto tail = octets(0, 1, 0x11, 0x70, 0, 0, 0, 58);
  plain.insert(plain.end(), tail.begin(), tail.end());
  EXPECT_EQ(sum6.checksum(), plain_sum(plain));
}

TEST(Checksum, Rfc1624Example) {
  // Section 4: what equation 3 gets right and RFC 1141's equation does not.
  EXPECT_EQ(update_checksum(0xdd2f, 0x5555, 0x3285), 0x0000);
}

}  // namespace
}  // namespace millrace::wire
