// Times to live on an injected clock, to the second: relative ones follow the time that passes, dates what the wall
// clock said when they came; what the wall clock does afterwards, or did before, changes neither.
#include <gtest/gtest.h>

#include <string>

#include "support/binary_packet.h"
#include "support/sim_world.h"

namespace millrace::tests {
namespace {

class Expiry : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  SimWorld world{{.seed = 5, .workers = GetParam()}};
  SimClient& client = world.open(0);

  std::string ask(const std::string& sent) {
    client.received.clear();
    client.to_server += sent;
    world.run(200 * GetParam());  // some tens of milliseconds
    return client.received;
  }
  std::string in(std::int64_t seconds_from_now) { return std::to_string(world.clock().wall_s() + seconds_from_now); }
  /// To `ms` milliseconds after the next full second of the injected clock.
  void start_at(std::int64_t ms) {
    const std::int64_t into = world.clock().now().ns % 1'000'000'000;
    world.clock().advance({1'000'000'000 - into + ms * 1'000'000});
  }
  /// Keys that are there, of a to e.
  std::string alive() {
    const std::string text = ask("get a b c d e\r\n");
    std::string keys;
    for (std::size_t at = text.find("VALUE "); at != std::string::npos; at = text.find("VALUE ", at + 1)) {
      keys += text[at + 6];
    }
    return keys;
  }
};

TEST_P(Expiry, ToTheSecond) {
  for (const std::int64_t ms : {0, 400, 800}) {
    start_at(ms);
    ask("set a 0 5 1\r\nx\r\nset b 0 " + in(5) + " 1\r\nx\r\nms c 1 T5\r\nx\r\nms d 1 T" + in(5) +
        "\r\nx\r\nset e 0 6 1\r\nx\r\n");
    world.clock().advance(milliseconds(4600 - ms));
    EXPECT_EQ(alive(), "abcde") << ms;
    world.clock().advance(milliseconds(600));
    EXPECT_EQ(alive(), "e") << ms;
    world.clock().advance(milliseconds(1000));
    EXPECT_EQ(alive(), "") << ms;
  }
}

TEST_P(Expiry, AWallClockThatStepsAfterwardsChangesNothing) {
  for (const std::int64_t step : {-7200, -1, 1, 3600, 1'000'000}) {
    start_at(0);
    ask("set a 0 5 1\r\nx\r\nset b 0 " + in(5) + " 1\r\nx\r\nms c 1 T" + in(5) + "\r\nx\r\n");
    world.clock().step_wall(step);
    world.clock().advance(milliseconds(4700));
    EXPECT_EQ(alive(), "abc") << step;
    world.clock().advance(milliseconds(400));
    EXPECT_EQ(alive(), "") << step;
  }
}

TEST_P(Expiry, ADateIsWhatTheWallClockSaysWhenItComes) {
  for (const std::int64_t step : {-7200, -1, 1, 3600, 1'000'000}) {
    world.clock().step_wall(step);
    start_at(0);
    ask("set a 0 " + in(5) + " 1\r\nx\r\nset b 0 " + in(0) + " 1\r\nx\r\nset c 0 " + in(-100) +
        " 1\r\nx\r\nset d 0 5 1\r\nx\r\n");
    ask("set e 0 0 1\r\nx\r\ntouch e " + in(5) + "\r\n");
    world.clock().advance(milliseconds(4600));
    EXPECT_EQ(alive(), "ade") << step;
    world.clock().advance(milliseconds(500));
    EXPECT_EQ(alive(), "") << step;
  }
}

TEST_P(Expiry, EveryCommandThatMovesTheTimeTakesDates) {
  SimClient& binary = world.open(0);
  for (const std::int64_t step : {-7200, 0, 3600}) {
    ask("set a 0 0 1\r\nx\r\nset b 0 100 1\r\nx\r\nset c 0 0 1\r\nx\r\nset d 0 100 1\r\nx\r\n");
    world.clock().step_wall(step);
    start_at(0);
    const auto at = static_cast<std::uint32_t>(world.clock().wall_s() + 5);
    binary.to_server +=
        packet(0x1c, "c", big32(at)) + packet(0x1d, "d", big32(5)) + packet(0x01, "e", big32(0) + big32(at), "x");
    ask("touch a " + in(5) + "\r\ngat 5 b\r\n");
    // In place where there is room, beside where there is not: the time stays.
    ask("append a 0 0 1\r\ny\r\nprepend b 0 0 600\r\n" + std::string(600, 'y') + "\r\n");
    world.clock().step_wall(-2 * step);
    world.clock().advance(milliseconds(4600));
    EXPECT_EQ(alive(), "abcde") << step;
    world.clock().advance(milliseconds(500));
    EXPECT_EQ(alive(), "") << step;
  }
}

TEST_P(Expiry, AValueHasTheTimeThatItsHeaderSaid) {
  for (const std::size_t bytes : {10U, 3000U, 100'000U}) {
    for (const std::int64_t step : {-7200, 3600}) {
      start_at(0);
      const std::string value(bytes, 'v');
      SimClient& other = world.open(GetParam() - 1);
      ask("set a 0 " + in(5) + " " + std::to_string(bytes) + "\r\n" + value.substr(0, bytes / 2));
      other.to_server = "set b 0 5 " + std::to_string(bytes) + "\r\n" + value.substr(0, bytes / 2);
      world.run(200 * GetParam());
      world.clock().step_wall(step);
      world.clock().advance(seconds(2));
      other.to_server += value.substr(bytes / 2) + "\r\n";
      EXPECT_EQ(ask(value.substr(bytes / 2) + "\r\n"), "STORED\r\n");
      world.clock().advance(milliseconds(2500));
      EXPECT_EQ(alive(), "ab") << bytes;
      world.clock().advance(milliseconds(500));
      EXPECT_EQ(alive(), "") << bytes;
      other.has_finished = true;
    }
  }
}

TEST_P(Expiry, AFlushThatWaitsIsNoLaterForTheWallClock) {
  for (const bool is_date : {false, true}) {
    for (const std::int64_t step : {-7200, 3600}) {
      start_at(0);
      ask("set a 0 0 1\r\nx\r\nflush_all " + (is_date ? in(5) : "5") + "\r\n");
      world.clock().step_wall(step);
      world.clock().advance(milliseconds(3600));
      EXPECT_EQ(alive(), "a") << step;
      world.clock().advance(milliseconds(1500));
      EXPECT_EQ(alive(), "") << step;
      ask("set b 0 0 1\r\nx\r\n");
      world.clock().advance(seconds(10));
      EXPECT_EQ(alive(), "b") << "it flushes once";
      ask("delete b\r\n");
    }
  }
}

TEST_P(Expiry, ThirtyDaysAreRelativeAndASecondMoreIsADate) {
  constexpr std::int64_t kMonth = 60 * 60 * 24 * 30;
  ask("set a 0 " + std::to_string(kMonth) + " 1\r\nx\r\nset b 0 " + std::to_string(kMonth + 1) +
      " 1\r\nx\r\nset c 0 -1 1\r\nx\r\n");
  EXPECT_EQ(alive(), "a");
  EXPECT_EQ(ask("mg a t\r\n"), "HD t" + std::to_string(kMonth) + "\r\n");
}

TEST_P(Expiry, WhatIsLeftIsToldInSeconds) {
  start_at(0);
  EXPECT_EQ(ask("ms a 1 T" + in(100) + "\r\nx\r\nmg a t\r\n"), "HD\r\nHD t100\r\n");
  world.clock().step_wall(50);
  start_at(0);
  EXPECT_EQ(ask("mg a t\r\n"), "HD t99\r\n");
}

INSTANTIATE_TEST_SUITE_P(Workers, Expiry, ::testing::Values(1U, 3U));

}  // namespace
}  // namespace millrace::tests
