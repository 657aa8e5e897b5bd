#include "worker/prefix_stats.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

TEST(PrefixStats, CountsByWhatStandsBeforeTheDelimiter) {
  PrefixStats stats(':', true);
  stats.count_set("user:1");
  stats.count_get("user:1", true);
  stats.count_get("user:2", false);
  stats.count_delete("page:x:y");
  stats.count_get("no delimiter", true);
  ASSERT_EQ(stats.table().size(), 2U);
  const PrefixCounts& user = stats.table().at("user");
  EXPECT_EQ(user.gets, 2U);
  EXPECT_EQ(user.hits, 1U);
  EXPECT_EQ(user.sets, 1U);
  EXPECT_EQ(stats.table().at("page").deletes, 1U);
}

TEST(PrefixStats, MadeUpPrefixesCannotFillMemory) {
  PrefixStats stats('-', true);
  for (std::size_t i = 0; i < PrefixStats::kPrefixesMax + 100; ++i) {
    stats.count_set(std::to_string(i) + "-key");
  }
  EXPECT_EQ(stats.table().size(), PrefixStats::kPrefixesMax);
  stats.count_set("0-again");
  EXPECT_EQ(stats.table().at("0").sets, 2U);
}

}  // namespace
}  // namespace millrace::worker
