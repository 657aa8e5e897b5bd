// The search against servers of which the knee is known.
#include "bench/load/knee_search.h"

#include <gtest/gtest.h>

#include <functional>

#include "bench/load/prng.h"
#include "tests/unit/load/test_seed.h"

namespace millrace::load {
namespace {

constexpr KneePlan kPlan{.p99_max_us = 1000, .first_rate_per_s = 50'000, .precision = 0.03, .trials_max = 60};

using Server = std::function<KneeTrial(double)>;

/// Queues: p99 grows without bound as the rate nears 100,000/s; it is 1000 us at 90,000/s.
KneeTrial queue(double rate) {
  if (rate >= 100'000) {
    return {.offered_per_s = rate, .answered_per_s = 100'000, .p99_us = 1e6};
  }
  return {.offered_per_s = rate, .answered_per_s = rate, .p99_us = 100 / (1 - rate / 100'000)};
}

KneeSearch searched(const KneePlan& plan, const Server& server) {
  KneeSearch search(plan);
  while (const auto rate = search.next()) {
    search.note(server(*rate));
  }
  return search;
}

TEST(KneeSearch, FindsTheKneeFromAnyFirstGuess) {
  for (const double first : {100.0, 40'000.0, 89'999.0, 95'000.0, 3e6}) {
    KneePlan plan = kPlan;
    plan.first_rate_per_s = first;
    plan.trials_max = 200;
    const KneeSearch search = searched(plan, queue);
    EXPECT_LE(search.knee_per_s(), 90'000) << first;
    EXPECT_GE(search.knee_per_s(), 90'000 / 1.03) << first;
    EXPECT_GT(search.failed_per_s(), 90'000) << first;
    EXPECT_TRUE(search.is_precise()) << first;
    EXPECT_FALSE(search.is_bound_by_generator()) << first;
  }
}

TEST(KneeSearch, TriesEachRateTwiceAndAThirdTimeWhenTheTwoDisagree) {
  KneeSearch search(kPlan);
  search.note(queue(*search.next()));
  EXPECT_EQ(search.next(), 50'000);
  EXPECT_EQ(search.note({.offered_per_s = 50'000, .answered_per_s = 50'000, .p99_us = 5000}), KneeVerdict::TooSlow);
  EXPECT_EQ(search.next(), 50'000) << "one each: a third decides";
  EXPECT_EQ(search.note(queue(50'000)), KneeVerdict::Passed);
  EXPECT_EQ(search.knee_per_s(), 50'000);
  EXPECT_GT(*search.next(), 50'000);
}

TEST(KneeSearch, HoldsAgainstSingleDisturbances) {
  // Never two of a row of three: what the search is made to stand.
  Prng prng(test_seed());
  int quiet = 0;
  const KneeSearch search = searched(kPlan, [&](double rate) {
    KneeTrial trial = queue(rate);
    if (--quiet < 0 && prng.below(3) == 0) {
      quiet = 3;
      trial.p99_us += 50'000;
    }
    return trial;
  });
  EXPECT_GE(search.knee_per_s(), 90'000 / 1.04);
  EXPECT_LE(search.knee_per_s(), 90'000);
}

TEST(KneeSearch, EndsWhenItsTrialsAreUsedUp) {
  KneePlan plan = kPlan;
  plan.trials_max = 5;
  const KneeSearch search = searched(plan, queue);
  EXPECT_EQ(search.trials(), 5U);
  EXPECT_FALSE(search.is_precise());
  EXPECT_GE(search.knee_per_s(), 50'000) << "what was found until then stands";
}

TEST(KneeSearch, EndsWhenNoRatePasses) {
  const KneeSearch search = searched(
      kPlan, [](double rate) { return KneeTrial{.offered_per_s = rate, .answered_per_s = rate, .p99_us = 9999}; });
  EXPECT_EQ(search.knee_per_s(), 0);
  EXPECT_GT(search.failed_per_s(), 0);
  EXPECT_FALSE(search.next());
}

TEST(KneeSearch, SaysWhenTheGeneratorSetTheEnd) {
  const KneeSearch search = searched(kPlan, [](double rate) {
    return KneeTrial{.offered_per_s = rate,
                     .answered_per_s = std::min(rate, 70'000.0),
                     .p99_us = rate > 70'000 ? 9e5 : 80,
                     .was_generator_late = rate > 70'000};
  });
  EXPECT_TRUE(search.is_bound_by_generator());
  EXPECT_LE(search.knee_per_s(), 70'000 * 1.03);
  EXPECT_GE(search.knee_per_s(), 70'000 / 1.06);
}

TEST(KneeSearch, JudgesEachWayToFail) {
  KneeSearch search(kPlan);
  const KneeTrial good{.offered_per_s = 50'000, .answered_per_s = 49'500, .p99_us = 1000};
  EXPECT_EQ(KneeSearch(kPlan).note(good), KneeVerdict::Passed);
  KneeTrial trial = good;
  trial.was_generator_late = true;
  EXPECT_EQ(KneeSearch(kPlan).note(trial), KneeVerdict::Passed) << "its lateness can only have made latency longer";
  trial.p99_us = 1001;
  EXPECT_EQ(KneeSearch(kPlan).note(trial), KneeVerdict::GeneratorLate);
  trial = good;
  trial.answered_per_s = 48'900;
  EXPECT_EQ(KneeSearch(kPlan).note(trial), KneeVerdict::Behind);
  trial = good;
  trial.has_failures = true;
  EXPECT_EQ(KneeSearch(kPlan).note(trial), KneeVerdict::Failed);
}

}  // namespace
}  // namespace millrace::load
