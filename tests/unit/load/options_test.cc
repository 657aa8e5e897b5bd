#include "bench/load/options.h"

#include <gtest/gtest.h>

#include <vector>

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

TEST(Options, HaveDefaults) {
  const Options options = must_parse({});
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.port, 11211);
  EXPECT_EQ(options.threads, 1U);
  EXPECT_EQ(options.connections, 16U);
  EXPECT_EQ(options.depth, 1U);
  EXPECT_EQ(options.key_sizes.max(), 30U);
  EXPECT_EQ(options.value_sizes.min(), 64U);
  EXPECT_EQ(options.value_sizes.max(), 64U);
  EXPECT_EQ(options.modes, std::vector<Mode>{Mode::Get});
  EXPECT_EQ(options.seconds, 10.0);
  EXPECT_EQ(options.key_plan.order, KeyOrder::Uniform);
}

TEST(Options, TakeEveryWord) {
  const Options options = must_parse({"--server",
                                      "[::1]:4711",
                                      "--threads",
                                      "2",
                                      "--cores",
                                      "1,3",
                                      "--connections",
                                      "64",
                                      "--depth",
                                      "16",
                                      "--keys",
                                      "1000",
                                      "--zipf",
                                      "0.99",
                                      "--mode",
                                      "fill,get",
                                      "--value-bytes",
                                      "32-100",
                                      "--ttl",
                                      "60",
                                      "--seed",
                                      "9",
                                      "--rounds",
                                      "3",
                                      "--requests",
                                      "50",
                                      "--verify",
                                      "--json",
                                      "x.json",
                                      "--key-bytes",
                                      "20",
                                      "--warmup-seconds",
                                      "0.5",
                                      "--timeout-seconds",
                                      "2",
                                      "--keys-per-get",
                                      "8"});
  EXPECT_EQ(options.host, "::1");
  EXPECT_EQ(options.port, 4711);
  EXPECT_EQ(options.cores, (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(options.connections, 64U);
  EXPECT_EQ(options.depth, 16U);
  EXPECT_EQ(options.keys, 1000U);
  EXPECT_EQ(options.key_plan.order, KeyOrder::Zipf);
  EXPECT_EQ(options.key_plan.zipf_exponent, 0.99);
  EXPECT_EQ(options.modes, (std::vector<Mode>{Mode::Fill, Mode::Get}));
  EXPECT_EQ(options.value_sizes.min(), 32U);
  EXPECT_EQ(options.value_sizes.max(), 100U);
  EXPECT_EQ(options.ttl_s_max, 60U);
  EXPECT_EQ(options.seed, 9U);
  EXPECT_EQ(options.rounds, 3U);
  EXPECT_EQ(options.requests, 50U);
  EXPECT_FALSE(options.seconds) << "a count needs no time";
  EXPECT_TRUE(options.verifies);
  EXPECT_EQ(options.json_path, "x.json");
  EXPECT_EQ(options.key_sizes.max(), 20U);
  EXPECT_EQ(options.warmup_s, 0.5);
  EXPECT_EQ(options.timeout_s, 2.0);
  EXPECT_EQ(options.keys_per_get, 8U);
}

TEST(Options, AReplayHasItsOwnDefaults) {
  const Options options = must_parse({"--mode", "replay", "--trace", "t.gz", "--model-memory", "64MiB"});
  EXPECT_TRUE(options.is_replay());
  EXPECT_EQ(options.connections, 1U);
  EXPECT_EQ(options.depth, 16U);
  EXPECT_EQ(options.model_memory_bytes, 64U << 20);
}

TEST(Options, RefuseWhatMakesNoSense) {
  const std::vector<std::vector<const char*>> wrong{
      {"--mode", "dance"},
      {"--mode", "get,replay", "--trace", "t"},
      {"--mode", "replay"},
      {"--trace", "t"},
      {"--model-memory", "1000"},
      {"--mode", "replay", "--trace", "t", "--rounds", "2"},
      {"--zipf", "0.9", "--sequential"},
      {"--zipf", "-1"},
      {"--threads", "4", "--connections", "3"},
      {"--threads", "2", "--cores", "1"},
      {"--threads", "0"},
      {"--depth", "0"},
      {"--value-bytes", "100-50"},
      {"--value-bytes", "x"},
      {"--value-bytes", "1-"},
      {"--get-share", "1.5"},
      {"--server", "a:b"},
      {"--server", "a:0"},
      {"--server", "[::1"},
      {"--server", "a:1", "--unix", "/tmp/x"},
      {"--unheard-of"},
      {"stray"},
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

TEST(Options, HelpIsNotAnError) {
  const auto parsed = parse({"--help"});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->options);
  EXPECT_NE(parsed->text.find("--keys-per-get"), std::string::npos);
}

}  // namespace
}  // namespace millrace::load
