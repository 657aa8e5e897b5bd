#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <vector>

#include "bench/load/histogram.h"
#include "bench/load/key_sequence.h"
#include "bench/load/prng.h"
#include "bench/load/zipf.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

/// Chi-square of `draws` draws against k^-s over n ranks, ranks beyond `cells` pooled into one cell.
double chi_square(std::uint64_t n, double s, std::uint64_t cells, std::uint64_t draws, std::uint64_t seed) {
  double total = 0;
  std::vector<double> expected(cells + 1, 0);
  for (std::uint64_t k = 1; k <= n; ++k) {
    const double p = std::pow(static_cast<double>(k), -s);
    total += p;
    expected[std::min(k - 1, cells)] += p;
  }
  std::vector<std::uint64_t> seen(cells + 1, 0);
  Prng prng(seed);
  const Zipf zipf(n, s);
  for (std::uint64_t i = 0; i < draws; ++i) {
    const std::uint64_t rank = zipf.rank(prng);
    EXPECT_GE(rank, 1U);
    EXPECT_LE(rank, n);
    ++seen[std::min(rank - 1, cells)];
  }
  double sum = 0;
  for (std::uint64_t i = 0; i <= cells; ++i) {
    const double e = expected[i] / total * static_cast<double>(draws);
    if (e > 0) {
      sum += (static_cast<double>(seen[i]) - e) * (static_cast<double>(seen[i]) - e) / e;
    }
  }
  return sum;
}

TEST(Zipf, IsExactAtAnyExponent) {
  const std::uint64_t seed = test_seed();
  // 40 degrees of freedom: a right sampler exceeds 110 once in 10^8; one that is 2 % off in its first cell at 0.99
  // gives thousands.
  for (const double s : {0.0, 0.3, 0.5, 0.9, 0.99, 1.0, 1.000001, 1.2323, 2.0}) {
    EXPECT_LT(chi_square(100'000, s, 40, 400'000, seed), 110) << "exponent " << s;
  }
}

TEST(Zipf, StaysInItsRangeAtTheEdges) {
  Prng prng(test_seed());
  for (const double s : {0.0, 1.0, 5.0, 20.0}) {
    for (const std::uint64_t n : {1ULL, 2ULL, 3ULL, 1ULL << 40}) {
      const Zipf zipf(n, s);
      for (int i = 0; i < 1000; ++i) {
        const std::uint64_t rank = zipf.rank(prng);
        ASSERT_GE(rank, 1U);
        ASSERT_LE(rank, n);
      }
    }
  }
}

TEST(KeySequence, ScattersRanksOverAllKeysOnce) {
  for (const std::uint64_t count : {1ULL, 2ULL, 3ULL, 4ULL, 10ULL, 97ULL, 1000ULL, 4096ULL}) {
    const KeySequence keys({.order = KeyOrder::Zipf, .zipf_exponent = 0.99}, 0, count, 1);
    std::set<std::uint64_t> seen;
    for (std::uint64_t rank = 0; rank < count; ++rank) {
      seen.insert(keys.scatter(rank));
    }
    EXPECT_EQ(seen.size(), count);
    EXPECT_LT(*seen.rbegin(), count);
  }
}

TEST(KeySequence, SequentialVisitsEachKeyOnceARound) {
  KeySequence keys({.order = KeyOrder::Sequential}, 100, 5, 1);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t key = 100; key < 105; ++key) {
      EXPECT_EQ(keys.next(), key);
    }
  }
}

TEST(KeySequence, UniformFillsItsRangeEvenly) {
  KeySequence keys({}, 1000, 50, test_seed());
  std::vector<int> seen(50, 0);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t key = keys.next();
    ASSERT_GE(key, 1000U);
    ASSERT_LT(key, 1050U);
    ++seen[key - 1000];
  }
  // 2000 expected in each; the standard deviation is 44.
  EXPECT_GT(*std::ranges::min_element(seen), 1650);
  EXPECT_LT(*std::ranges::max_element(seen), 2350);
}

TEST(KeySequence, AHotSpotGetsItsShare) {
  const std::uint64_t seed = test_seed();
  KeySequence keys({.order = KeyOrder::HotSpot, .hot_keys = 0.01, .hot_requests = 0.9}, 500, 1000, seed);
  std::map<std::uint64_t, int> seen;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t key = keys.next();
    ASSERT_GE(key, 500U);
    ASSERT_LT(key, 1500U);
    ++seen[key];
  }
  std::vector<int> counts;
  for (const auto& [key, count] : seen) {
    counts.push_back(count);
  }
  std::ranges::sort(counts, std::greater{});
  // Ten keys with 9000 each (standard deviation 95), 990 with about ten.
  ASSERT_GT(counts.size(), 980U) << "seed " << seed;
  EXPECT_NEAR(std::accumulate(counts.begin(), counts.begin() + 10, 0), 90'000, 600) << "seed " << seed;
  EXPECT_GT(counts[9], 8400) << "seed " << seed;
  EXPECT_LT(counts[10], 60) << "seed " << seed;
}

TEST(KeySequence, AHotSpotHasAKeyAndLeavesOne) {
  for (const std::uint64_t count : {1ULL, 2ULL, 3ULL}) {
    for (const double share : {1e-9, 0.5, 1 - 1e-9}) {
      KeySequence keys({.order = KeyOrder::HotSpot, .hot_keys = share, .hot_requests = 0.5}, 0, count, test_seed());
      std::set<std::uint64_t> seen;
      for (int i = 0; i < 200; ++i) {
        seen.insert(keys.next());
      }
      EXPECT_EQ(seen.size(), count);
    }
  }
}

TEST(KeySequence, DifferentSeedsGiveDifferentSequences) {
  KeySequence a({}, 0, 1'000'000, 1);
  KeySequence b({}, 0, 1'000'000, 2);
  KeySequence again({}, 0, 1'000'000, 1);
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t key = a.next();
    EXPECT_EQ(key, again.next());
    same += key == b.next() ? 1 : 0;
  }
  EXPECT_LT(same, 5);
}

TEST(Histogram, QuantilesAreWithinOnePercentOfTheSortedValues) {
  Prng prng(test_seed());
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    // Even over the orders of magnitude, from 1 ns to about 18 minutes.
    const auto value = static_cast<std::uint64_t>(std::exp(prng.unit() * 27.7));
    values.push_back(value);
    histogram.record(static_cast<std::int64_t>(value));
  }
  std::ranges::sort(values);
  for (const double share : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size())));
    const auto exact = static_cast<double>(values[std::max<std::size_t>(rank, 1) - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.quantile(share)), exact, exact * 0.01) << share;
  }
  EXPECT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.max(), values.back());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  EXPECT_NEAR(histogram.mean(), mean, mean * 1e-9);
}

TEST(Histogram, EverySingleValueComesBackWithinOnePercent) {
  for (std::uint64_t value = 0; value < Histogram::kValueMax; value += 1 + value / 300) {
    Histogram histogram;
    histogram.record(0);
    histogram.record(static_cast<std::int64_t>(value));
    histogram.record(static_cast<std::int64_t>(Histogram::kValueMax));
    EXPECT_NEAR(static_cast<double>(histogram.quantile(0.5)), static_cast<double>(value),
                static_cast<double>(value) * 0.01);
    value += value < 1000 ? 0 : value / 20;
  }
}

TEST(Histogram, TakesWhatIsOutOfRange) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.99), 0U);
  histogram.record(-5);
  EXPECT_EQ(histogram.quantile(1.0), 0U);
  histogram.record(INT64_MAX);
  EXPECT_EQ(histogram.quantile(1.0), Histogram::kValueMax);
}

TEST(Histogram, MergeIsAsIfRecordedTogether) {
  Histogram a;
  Histogram b;
  Histogram both;
  for (std::int64_t i = 1; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).record(i * i);
    both.record(i * i);
  }
  a.merge(b);
  for (const double share : {0.01, 0.5, 0.99, 1.0}) {
    EXPECT_EQ(a.quantile(share), both.quantile(share));
  }
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.mean(), both.mean());
}

}  // namespace
}  // namespace millrace::load
