#include "bench/load/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/clock.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

constexpr Instant kBegin{5'000'000'123};

std::vector<std::int64_t> due_times(Schedule schedule, std::size_t count) {
  std::vector<std::int64_t> times;
  for (; times.size() < count; schedule.take()) {
    times.push_back((schedule.next() - kBegin).ns);
  }
  return times;
}

TEST(Schedule, ConstantIsEvenAndDoesNotDrift) {
  const auto times = due_times(Schedule({.rate_per_s = 3}, 0, 1, kBegin, 1), 3'000'001);
  EXPECT_EQ(times[0], 0);
  EXPECT_EQ(times[1], 333'333'333);
  EXPECT_EQ(times[3], 1'000'000'000);
  EXPECT_EQ(times.back(), 1'000'000'000LL * 1'000'000) << "after eleven days to the nanosecond";
}

TEST(Schedule, PartsOfAConstantRateInterleaveToTheWhole) {
  const auto whole = due_times(Schedule({.rate_per_s = 1000}, 0, 1, kBegin, 1), 300);
  std::vector<std::int64_t> joined;
  for (std::uint32_t part = 0; part < 3; ++part) {
    const auto times = due_times(Schedule({.rate_per_s = 1000}, part, 3, kBegin, part), 100);
    joined.insert(joined.end(), times.begin(), times.end());
  }
  std::ranges::sort(joined);
  EXPECT_EQ(joined, whole);
}

TEST(Schedule, IsAFunctionOfItsSeed) {
  const Pace pace{.rate_per_s = 5000, .arrivals = Arrivals::Poisson};
  const std::uint64_t seed = test_seed();
  EXPECT_EQ(due_times(Schedule(pace, 0, 1, kBegin, seed), 1000), due_times(Schedule(pace, 0, 1, kBegin, seed), 1000));
  EXPECT_NE(due_times(Schedule(pace, 0, 1, kBegin, seed), 1000),
            due_times(Schedule(pace, 0, 1, kBegin, seed + 1), 1000));
}

TEST(Schedule, PoissonGapsAreExponentialAndIndependent) {
  constexpr std::size_t kCount = 200'000;
  const Pace pace{.rate_per_s = 1e6, .arrivals = Arrivals::Poisson};
  const auto times = due_times(Schedule(pace, 1, 2, kBegin, test_seed()), kCount);
  double sum = 0;
  double squares = 0;
  double products = 0;
  double last = 2000;
  std::size_t longer_than_mean = 0;
  for (std::size_t i = 1; i < kCount; ++i) {
    const auto gap = static_cast<double>(times[i] - times[i - 1]);
    EXPECT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    products += (gap - 2000) * (last - 2000);
    last = gap;
    longer_than_mean += gap > 2000 ? 1U : 0U;
  }
  const double count = kCount - 1;
  const double mean = sum / count;
  // Half of 1e6/s: 2000 ns between; five standard errors either way.
  EXPECT_NEAR(mean, 2000, 5 * 2000 / std::sqrt(count));
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean) / mean, 1, 5 * std::sqrt(2 / count));
  EXPECT_NEAR(static_cast<double>(longer_than_mean) / count, std::exp(-1.0), 5 * 0.5 / std::sqrt(count));
  EXPECT_NEAR(products / count / (2000.0 * 2000.0), 0, 5 / std::sqrt(count)) << "gaps follow from one another";
}

TEST(Schedule, CountsWhatAStalledClockLeavesDue) {
  ManualClock clock;
  clock.advance(seconds(7));
  Schedule schedule({.rate_per_s = 100}, 0, 1, clock.now(), 1);
  const auto take_due = [&] {
    std::size_t count = 0;
    for (; schedule.next() <= clock.now(); schedule.take()) {
      ++count;
    }
    return count;
  };
  EXPECT_EQ(take_due(), 1U) << "the first is due at once";
  clock.advance(milliseconds(9));
  EXPECT_EQ(take_due(), 0U);
  clock.advance(milliseconds(1));
  EXPECT_EQ(take_due(), 1U);
  clock.advance(seconds(2));
  EXPECT_EQ(take_due(), 200U) << "a stall leaves out nothing";
}

}  // namespace
}  // namespace millrace::load
