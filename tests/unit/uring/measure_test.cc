// Measure: follows the time that turns took, within its bounds.
#include "dataplane/uring/measure.h"

#include <gtest/gtest.h>

namespace millrace::uring {
namespace {

/// After many turns that told as much as they might and took as long.
std::size_t settled(Measure measure, Duration took) {
  for (int i = 0; i < 20; ++i) {
    measure.learn(measure.bytes(), took);
  }
  return measure.bytes();
}

TEST(Measure, ALongTurnHalvesItDownToTheLeast) {
  Measure measure;
  const std::size_t before = measure.bytes();
  measure.learn(before, Measure::kTurnLong + microseconds(1));
  EXPECT_EQ(measure.bytes(), before / 2);
  EXPECT_EQ(settled(measure, milliseconds(5)), Measure::kBytesMin);
}

TEST(Measure, AShortTurnDoublesItUpToTheMost) {
  Measure measure;
  const std::size_t before = measure.bytes();
  measure.learn(before, microseconds(10));
  EXPECT_EQ(measure.bytes(), 2 * before);
  EXPECT_EQ(settled(measure, microseconds(10)), Measure::kBytesMax);
}

/// Where less came than might have: what counts is how long as much would have taken.
TEST(Measure, AShortTurnThatToldLessIsTakenInProportion) {
  Measure measure;
  const std::size_t before = measure.bytes();
  measure.learn(before / 2, Duration{Measure::kTurnShort.ns / 2});
  EXPECT_EQ(measure.bytes(), before);
  measure.learn(before / 2, Duration{Measure::kTurnShort.ns / 2 - 1});
  EXPECT_EQ(measure.bytes(), before * 2);
}

TEST(Measure, ATurnThatToldLittleSaysNothing) {
  Measure measure;
  const std::size_t before = measure.bytes();
  measure.learn(before / 2, seconds(1));  // something else took that long
  measure.learn(Measure::kBytesMin - 1, Duration{0});
  measure.learn(0, microseconds(1));
  measure.learn(0, seconds(1));
  EXPECT_EQ(measure.bytes(), before);
}

/// At so much a byte the turn's length comes to rest below the limit, wherever it began.
TEST(Measure, SettlesWhereTurnsAreShortEnough) {
  for (const std::int64_t ns_a_byte : {1, 5, 20, 60}) {
    Measure measure;
    const auto turn = [&] { return Duration{static_cast<std::int64_t>(measure.bytes()) * ns_a_byte}; };
    for (int i = 0; i < 10; ++i) {
      measure.learn(measure.bytes(), turn());
    }
    EXPECT_LE(turn(), Measure::kTurnLong) << ns_a_byte << " ns a byte";
    EXPECT_TRUE(turn() >= Measure::kTurnShort || measure.bytes() == Measure::kBytesMax) << ns_a_byte << " ns a byte";
  }
}

}  // namespace
}  // namespace millrace::uring
