#include "bench/load/size_distribution.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

namespace millrace::load {
namespace {

using Of = SizeDistribution::Of;

SizeDistribution must_parse(Of of, const std::string& text) {
  auto sizes = SizeDistribution::parse(of, text);
  EXPECT_TRUE(sizes) << sizes.error().what;
  return sizes ? *sizes : SizeDistribution(of, 0, 0);
}

std::map<std::uint32_t, double> shares(const SizeDistribution& sizes, std::uint64_t draws) {
  std::map<std::uint32_t, double> seen;
  for (std::uint64_t number = 0; number < draws; ++number) {
    seen[sizes.size_of(number)] += 1.0 / static_cast<double>(draws);
  }
  return seen;
}

TEST(SizeDistribution, IsFixedOrARange) {
  const SizeDistribution fixed = must_parse(Of::Values, "64");
  EXPECT_EQ(shares(fixed, 100).size(), 1U);
  EXPECT_EQ(fixed.size_of(7), 64U);
  const SizeDistribution range = must_parse(Of::Values, "10-19");
  EXPECT_EQ(range.min(), 10U);
  EXPECT_EQ(range.max(), 19U);
  const auto seen = shares(range, 100'000);
  ASSERT_EQ(seen.size(), 10U);
  for (const auto& [size, share] : seen) {
    EXPECT_NEAR(share, 0.1, 0.005) << size;
  }
  EXPECT_EQ(range.text(), "10-19");
}

TEST(SizeDistribution, FollowsAHistogram) {
  const SizeDistribution sizes = must_parse(Of::Values, "64=50,1024=40,8192=9,0=1");
  EXPECT_EQ(sizes.min(), 0U);
  EXPECT_EQ(sizes.max(), 8192U);
  auto seen = shares(sizes, 400'000);
  ASSERT_EQ(seen.size(), 4U);
  // Standard deviation below 0.0008.
  EXPECT_NEAR(seen[64], 0.5, 0.004);
  EXPECT_NEAR(seen[1024], 0.4, 0.004);
  EXPECT_NEAR(seen[8192], 0.09, 0.004);
  EXPECT_NEAR(seen[0], 0.01, 0.001);
  EXPECT_EQ(must_parse(Of::Keys, "20=1").size_of(7), 20U);
}

TEST(SizeDistribution, ReadsAHistogramFromAFile) {
  const auto path = std::filesystem::temp_directory_path() / ("millrace-sizes-" + std::to_string(getpid()));
  std::ofstream(path) << "# size weight\n100 3\n\n  200\t1 \r\n";
  auto seen = shares(must_parse(Of::Values, "@" + path.string()), 100'000);
  EXPECT_NEAR(seen[100], 0.75, 0.01);
  EXPECT_NEAR(seen[200], 0.25, 0.01);
  std::ofstream(path) << "100\n";
  EXPECT_FALSE(SizeDistribution::parse(Of::Values, "@" + path.string()));
  std::ofstream(path) << "# nothing\n";
  EXPECT_FALSE(SizeDistribution::parse(Of::Values, "@" + path.string()));
  std::filesystem::remove(path);
  EXPECT_FALSE(SizeDistribution::parse(Of::Values, "@" + path.string()));
}

TEST(SizeDistribution, RefusesWhatIsNone) {
  for (const char* const text : {"", "x", "1-", "-1", "100-50", "64=", "64=0", "64=-1", "64=x", "=5", "64=1,,",
                                 "64=1;2=1", "1073741825", "64=1,1073741825=1", "64=inf", "64=nan"}) {
    EXPECT_FALSE(SizeDistribution::parse(Of::Values, text)) << text;
  }
  EXPECT_FALSE(SizeDistribution::parse(Of::Keys, "251"));
}

// The figures of the paper, worked out from its formulas by hand: GEV(30.7984, 8.20449, 0.078688).
TEST(SizeDistribution, EtcKeysAreGeneralizedExtremeValues) {
  const auto seen = shares(must_parse(Of::Keys, "etc"), 1'000'000);
  double mean = 0;
  double below_31 = 0;
  double below_51 = 0;
  for (const auto& [size, share] : seen) {
    EXPECT_LE(size, 250U);
    mean += size * share;
    below_31 += size <= 30 ? share : 0;
    below_51 += size <= 50 ? share : 0;
  }
  // mean = location + scale (Gamma(1 - shape) - 1) / shape; P(X <= x) = exp(-(1 + shape (x - location) / scale)^(-1 /
  // shape)).
  EXPECT_NEAR(mean, 30.7984 + 8.20449 * (std::tgamma(1 - 0.078688) - 1) / 0.078688, 0.1);
  EXPECT_NEAR(below_31, 0.3546, 0.003);
  EXPECT_NEAR(below_51, 0.8951, 0.003);
}

TEST(SizeDistribution, EtcValuesHaveAHeadAndAParetoTail) {
  const SizeDistribution sizes = must_parse(Of::Values, "etc");
  EXPECT_EQ(sizes.min(), 0U);
  EXPECT_EQ(sizes.max(), 1'000'000U);
  std::map<std::uint32_t, double> seen = shares(sizes, 1'000'000);
  EXPECT_NEAR(seen[2], 0.17820, 0.002);
  EXPECT_NEAR(seen[3], 0.09239, 0.002);
  EXPECT_NEAR(seen[11], 0.08989, 0.002);
  EXPECT_NEAR(seen[14], 0.01980, 0.001);
  double head = 0;
  double above_99 = 0;
  double above_999 = 0;
  for (const auto& [size, share] : seen) {
    head += size < 15 ? share : 0;
    above_99 += size >= 100 ? share : 0;
    above_999 += size >= 1000 ? share : 0;
  }
  EXPECT_NEAR(head, 0.44057, 0.003);
  const auto above = [](double x) { return std::pow(1 + 0.348238 * x / 214.476, -1 / 0.348238); };
  EXPECT_NEAR(above_99, (1 - 0.44057) * above(100) / above(15), 0.003);
  EXPECT_NEAR(above_999, (1 - 0.44057) * above(1000) / above(15), 0.003);
}

TEST(SizeDistribution, SizesOfKeysSayNothingOfSizesOfValues) {
  const SizeDistribution keys(Of::Keys, 100, 199);
  const SizeDistribution values(Of::Values, 100, 199);
  int alike = 0;
  for (std::uint64_t number = 0; number < 10'000; ++number) {
    alike += keys.size_of(number) == values.size_of(number) ? 1 : 0;
  }
  EXPECT_NEAR(alike, 100, 50);
}

}  // namespace
}  // namespace millrace::load
