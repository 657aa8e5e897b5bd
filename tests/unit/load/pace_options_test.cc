// The words of the command line that say when requests leave, and what is written of it.
#include <gtest/gtest.h>

#include <vector>

#include "bench/load/options.h"

namespace millrace::load {
namespace {

Result<ParsedOptions> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "millrace-load");
  return parse_options(static_cast<int>(words.size()), words.data());
}

Options must_parse(const std::vector<const char*>& words) {
  auto parsed = parse(words);
  EXPECT_TRUE(parsed) << parsed.error().what;
  return parsed && parsed->options ? *parsed->options : Options{};
}

TEST(PaceOptions, AreAClosedLoopByDefault) {
  const Options options = must_parse({});
  EXPECT_FALSE(options.rate_per_s);
  EXPECT_FALSE(options.finds_knee);
  EXPECT_EQ(options.interval_s, 1);
  EXPECT_FALSE(options.shows_live);
}

TEST(PaceOptions, TakeEveryWord) {
  const Options options =
      must_parse({"--rate", "12500.5", "--arrivals", "poisson", "--idling", "spin", "--interval-seconds", "0.5",
                  "--json", "a", "--html", "b", "--hdr", "c", "--live"});
  EXPECT_EQ(options.rate_per_s, 12500.5);
  EXPECT_EQ(options.arrivals, Arrivals::Poisson);
  EXPECT_EQ(options.idling, Idling::Spin);
  EXPECT_EQ(options.interval_s, 0.5);
  EXPECT_EQ(options.json_path, "a");
  EXPECT_EQ(options.html_path, "b");
  EXPECT_EQ(options.hdr_path, "c");
  EXPECT_TRUE(options.shows_live);
}

TEST(PaceOptions, ASearchHasItsOwnDefaults) {
  const Options options = must_parse({"--find-knee", "--p99-us", "500", "--knee-trials", "9", "--mode", "fill,get"});
  EXPECT_TRUE(options.finds_knee);
  EXPECT_EQ(options.p99_max_us, 500);
  EXPECT_EQ(options.knee_trials_max, 9U);
  EXPECT_EQ(options.seconds, 3.0);
  EXPECT_EQ(options.warmup_s, 0.5);
  EXPECT_EQ(must_parse({"--find-knee", "--warmup-seconds", "0"}).warmup_s, 0) << "said, it holds";
  EXPECT_EQ(must_parse({"--find-knee", "--seconds", "7"}).seconds, 7.0);
  EXPECT_FALSE(must_parse({"--find-knee", "--requests", "1000"}).seconds);
}

TEST(PaceOptions, RefuseWhatMakesNoSense) {
  const std::vector<std::vector<const char*>> wrong{
      {"--rate", "0"},
      {"--rate", "-5"},
      {"--rate", "many"},
      {"--arrivals", "bursts"},
      {"--idling", "dream"},
      {"--interval-seconds", "0"},
      {"--find-knee", "--p99-us", "0"},
      {"--find-knee", "--mode", "fill"},
      {"--find-knee", "--mode", "get,set"},
      {"--find-knee", "--mode", "get,fill"},
      {"--find-knee", "--rounds", "2"},
      {"--find-knee", "--mode", "replay", "--trace", "t"},
  };
  for (const auto& words : wrong) {
    const auto parsed = parse(words);
    std::string line;
    for (const char* const word : words) {
      line += std::string(" ") + word;
    }
    ASSERT_FALSE(parsed) << line;
    EXPECT_FALSE(parsed.error().what.empty());
  }
}

}  // namespace
}  // namespace millrace::load
