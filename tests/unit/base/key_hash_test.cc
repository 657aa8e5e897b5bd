// Which bits of a key's hash pick what: each evenly, and none of them a shadow of another.
#include "base/key_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace millrace {
namespace {

constexpr std::uint32_t kKeys = 200'000;

KeyHash hash_of(std::uint32_t n) { return hash_key("user:" + std::to_string(n), 0xfeed'beef); }

/// Pearson's statistic of counts that should be equal. Its mean is cells - 1, its deviation sqrt(2 * (cells - 1)).
template <typename Counts>
double chi_square(const Counts& counts, double expected) {
  double sum = 0;
  for (const std::uint32_t count : counts) {
    sum += (count - expected) * (count - expected) / expected;
  }
  return sum;
}

/// Within six deviations of the mean; keys and seed are fixed, so this is no gamble.
template <typename Counts>
void expect_even(const Counts& counts, std::uint32_t keys) {
  const double cells = static_cast<double>(counts.size());
  const double deviation = std::sqrt(2 * (cells - 1));
  EXPECT_LT(chi_square(counts, keys / cells), cells - 1 + 6 * deviation);
}

TEST(KeyHash, BitsGoWhereTheyAreDrawn) {
  const KeyHash hash{0xabcd'ef00'0000'0000};
  EXPECT_EQ(hash.partition(65536), 0xabcdU);
  EXPECT_EQ(hash.partition(256), 0xabU);
  EXPECT_EQ(hash.partition(1), 0U);
  EXPECT_EQ(hash.tag(), 0xef);
}

TEST(KeyHash, TagsAreEven) {
  std::array<std::uint32_t, 256> counts{};
  for (std::uint32_t n = 0; n < kKeys; ++n) {
    ++counts[hash_of(n).tag()];
  }
  expect_even(counts, kKeys);
}

TEST(KeyHash, BucketsOfOnePartitionAreEven) {
  // All keys of a partition share the top bits of their hash: their buckets must not.
  for (const std::uint32_t partitions : {1U, 4U, 7U, 64U}) {
    std::vector<std::uint32_t> counts(100, 0);
    std::uint32_t keys = 0;
    for (std::uint32_t n = 0; n < kKeys; ++n) {
      const KeyHash hash = hash_of(n);
      if (hash.partition(partitions) == partitions / 2) {
        ++counts[(hash.position() >> 32) * counts.size() >> 32];
        ++keys;
      }
    }
    ASSERT_GT(keys, kKeys / partitions / 2);
    expect_even(counts, keys);
  }
}

TEST(KeyHash, TagsOfOneBucketAreEven) {
  // A tag tells apart the keys of a bucket, so it must say nothing that the bucket says already.
  std::array<std::uint32_t, 16> counts{};
  std::uint32_t keys = 0;
  for (std::uint32_t n = 0; n < kKeys * 4; ++n) {
    const KeyHash hash = hash_of(n);
    if (hash.position() >> 58 == 17) {
      ++counts[hash.tag() >> 4];
      ++keys;
    }
  }
  expect_even(counts, keys);
}

TEST(KeyHash, EveryLengthOfKeyCounts) {
  std::string key(250, 'k');
  for (std::size_t bytes = 1; bytes <= key.size(); ++bytes) {
    const std::string_view cut(key.data(), bytes);
    EXPECT_NE(hash_key(cut, 1), hash_key(cut.substr(0, bytes - 1), 1));
    std::string other(cut);
    other[bytes - 1] = 'j';
    EXPECT_NE(hash_key(cut, 1), hash_key(other, 1)) << "down to its last byte";
  }
}

}  // namespace
}  // namespace millrace
