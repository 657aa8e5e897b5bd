// The tag compare: both versions say the same of every bucket, and what they say is right.
#include "store/index_probe.h"

#include <gtest/gtest.h>

#include <random>

#include "support/seed.h"

namespace millrace::store {
namespace {

Bucket random_bucket(std::mt19937_64& random) {
  Bucket bucket{};
  const std::uint64_t distinct_tags = 1 + random() % 256;  // few: many lanes match; 256: mostly none
  for (std::uint8_t& tag : bucket.tags) {
    tag = static_cast<std::uint8_t>(random() % distinct_tags);
  }
  for (ItemRef& ref : bucket.refs) {
    ref = static_cast<ItemRef>(random());
  }
  bucket.overflow = static_cast<ItemRef>(random());  // lies right behind the tags: must never show
  return bucket;
}

TEST(IndexProbe, PortableFindsExactlyTheLanesWithTheTag) {
  std::mt19937_64 random(millrace::tests::test_seed());
  for (int round = 0; round < 20'000; ++round) {
    const Bucket bucket = random_bucket(random);
    const auto tag = static_cast<std::uint8_t>(random());
    const std::uint32_t mask = match_portable(bucket, tag);
    EXPECT_EQ(mask & ~kLaneMask, 0U);
    for (std::uint32_t lane = 0; lane < kBucketLanes; ++lane) {
      ASSERT_EQ(mask >> lane & 1, bucket.tags[lane] == tag ? 1U : 0U);
    }
  }
}

TEST(IndexProbe, TheOverflowLinkIsNoLane) {
  Bucket bucket{};
  bucket.tags.fill(1);
  bucket.overflow = static_cast<ItemRef>(0x0707'0707);
  EXPECT_EQ(match(bucket, 7), 0U);
  EXPECT_EQ(match(bucket, 1), kLaneMask);
}

TEST(IndexProbe, NoTagMeansEmpty) {
  for (std::uint32_t tag = 0; tag < 256; ++tag) {
    const KeyHash hash{std::uint64_t{tag} << 40};
    EXPECT_NE(tag_of(hash), kEmptyTag);
    EXPECT_EQ(tag_of(hash), tag == 0 ? 1 : tag);
  }
}

#ifdef __SSE2__
TEST(IndexProbe, BothVersionsAgree) {
  std::mt19937_64 random(millrace::tests::test_seed());
  for (int round = 0; round < 20'000; ++round) {
    const Bucket bucket = random_bucket(random);
    const auto tag = static_cast<std::uint8_t>(random() % 2 == 0 ? bucket.tags[random() % kBucketLanes] : random());
    ASSERT_EQ(match_sse2(bucket, tag), match_portable(bucket, tag));
    ASSERT_EQ(match_sse2(bucket, kEmptyTag), match_portable(bucket, kEmptyTag));
  }
}
#endif

}  // namespace
}  // namespace millrace::store
