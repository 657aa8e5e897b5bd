#include "bench/load/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "bench/load/workload_options.h"

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

TEST(Options, AimingNeedsUdpAndKeysToDraw) {
  EXPECT_TRUE(must_parse({"--udp", "--aim"}).aims);
  EXPECT_FALSE(must_parse({"--udp"}).aims);
  for (const std::vector<const char*>& words :
       {std::vector<const char*>{"--aim"}, {"--udp", "--aim", "--mode", "replay", "--trace", "t"}}) {
    const auto parsed = parse(words);
    ASSERT_FALSE(parsed);
    EXPECT_NE(parsed.error().what.find("add --udp"), std::string::npos) << parsed.error().what;
  }
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
  EXPECT_FALSE(options.replay_speed);
  EXPECT_EQ(must_parse({"--mode", "replay", "--trace", "t.gz", "--replay-speed", "2.5"}).replay_speed, 2.5);
  EXPECT_EQ(must_parse({"--mode", "replay", "--trace", "t.gz", "--rate", "500"}).rate_per_s, 500);
}

TEST(Options, UdpHasItsOwnDefaults) {
  EXPECT_EQ(must_parse({"--mode", "get"}).timeout_s, 10);
  const Options options = must_parse({"--udp", "--mode", "get"});
  EXPECT_TRUE(options.uses_udp);
  EXPECT_EQ(options.timeout_s, 1);
  EXPECT_EQ(must_parse({"--udp", "--timeout-seconds", "3"}).timeout_s, 3);
  EXPECT_EQ(must_parse({"--udp", "--mode", "replay", "--trace", "t.gz"}).depth, 1U);
}

double weight(const Options& options, Operation operation) { return options.mix[static_cast<std::size_t>(operation)]; }

TEST(Options, SayWhatIsAsked) {
  const Options options = must_parse({"--mode", "fill,mix", "--mix", "get=90,set=8,delete=1.5,cas=0.5", "--protocol",
                                      "binary", "--hot-spot", "0.01:0.9", "--key-sizes", "etc", "--value-sizes",
                                      "64=50,1024=50", "--ttl", "60-3600", "--read-through"});
  EXPECT_EQ(weight(options, Operation::Get), 90);
  EXPECT_EQ(weight(options, Operation::Set), 8);
  EXPECT_EQ(weight(options, Operation::Delete), 1.5);
  EXPECT_EQ(weight(options, Operation::Cas), 0.5);
  EXPECT_EQ(weight(options, Operation::Touch), 0);
  EXPECT_EQ(options.protocol, Protocol::Binary);
  EXPECT_EQ(options.key_plan.order, KeyOrder::HotSpot);
  EXPECT_EQ(options.key_plan.hot_keys, 0.01);
  EXPECT_EQ(options.key_plan.hot_requests, 0.9);
  EXPECT_EQ(options.value_sizes.max(), 1024U);
  EXPECT_EQ(options.ttl_s_min, 60U);
  EXPECT_EQ(options.ttl_s_max, 3600U);
  EXPECT_TRUE(options.reads_through);
  const Options shares = must_parse({"--mode", "mix", "--get-share", "0.75"});
  EXPECT_EQ(weight(shares, Operation::Get), 0.75);
  EXPECT_EQ(weight(shares, Operation::Set), 0.25);
  EXPECT_EQ(must_parse({"--protocol", "resp"}).port, 6379);
  EXPECT_EQ(must_parse({"--protocol", "resp", "--server", "[::1]"}).port, 6379);
  EXPECT_EQ(must_parse({"--protocol", "resp", "--server", "[::1]:4711"}).port, 4711);
}

std::map<std::string, std::string> described(const Options& options) {
  const auto words = describe_workload(options);
  return {words.begin(), words.end()};
}

TEST(Options, AreSaidBack) {
  auto words = described(must_parse({"--mode", "fill,mix", "--mix", "get=90,multiget=2,incr=0.5", "--zipf", "0.99",
                                     "--value-bytes", "10=1,20=3", "--ttl", "5-9", "--protocol", "meta", "--verify"}));
  EXPECT_EQ(words["mode"], "fill,mix");
  EXPECT_EQ(words["mix"], "get=90,multiget=2,incr=0.5");
  EXPECT_EQ(words["order"], "zipf 0.99");
  EXPECT_EQ(words["key_bytes"], "30");
  EXPECT_EQ(words["value_bytes"], "10=1,20=3");
  EXPECT_EQ(words["ttl_s"], "5-9");
  EXPECT_EQ(words["protocol"], "meta");
  EXPECT_EQ(words["verify"], "yes");
  EXPECT_EQ(words["keys_per_get"], "32");
  EXPECT_FALSE(words.contains("scenario"));
  words = described(must_parse({"--hot-spot", "0.01:0.9"}));
  EXPECT_EQ(words["order"], "hot spot 0.01:0.9");
  EXPECT_FALSE(words.contains("mix"));
  EXPECT_FALSE(words.contains("keys_per_get"));
}

TEST(Scenario, EachCanBeRun) {
  for (const char* const name :
       {"etc", "read-mostly-small", "big-values", "pipelined", "many-connections", "hot-key", "write-heavy"}) {
    const Options options = must_parse({"--scenario", name});
    EXPECT_EQ(options.modes.front(), Mode::Fill) << name;
    EXPECT_EQ(described(options)["scenario"], name);
    const auto workload = make_workload(options, nullptr);
    EXPECT_TRUE(workload) << workload.error().what;
    const auto listed = parse({"--list-scenarios"});
    ASSERT_TRUE(listed && !listed->options);
    EXPECT_NE(listed->text.find(std::string("## ") + name), std::string::npos);
  }
  const Options etc = must_parse({"--scenario", "etc"});
  EXPECT_EQ(etc.key_plan.zipf_exponent, 1.2);
  EXPECT_EQ(weight(etc, Operation::Get), 30);
  EXPECT_EQ(etc.value_sizes.text(), "etc");
  EXPECT_EQ(etc.connections, 64U);
}

TEST(Scenario, TheCommandLineWins) {
  const Options options =
      must_parse({"--keys", "50", "--scenario", "etc", "--sequential", "--mode", "get", "--connections", "3"});
  EXPECT_EQ(options.keys, 50U);
  EXPECT_EQ(options.key_plan.order, KeyOrder::Sequential);
  EXPECT_EQ(options.modes, std::vector<Mode>{Mode::Get});
  EXPECT_EQ(options.connections, 3U);
  EXPECT_EQ(options.key_sizes.text(), "etc");
  const Options shares = must_parse({"--scenario", "write-heavy", "--get-share", "0.5"});
  EXPECT_EQ(weight(shares, Operation::Get), 0.5);
  EXPECT_EQ(weight(shares, Operation::Incr), 0);
  // The mix stays when its mode is chosen without the fill.
  EXPECT_EQ(weight(must_parse({"--scenario", "write-heavy", "--mode", "mix"}), Operation::Incr), 10);
}

TEST(Scenario, MayBeAFile) {
  const auto path = std::filesystem::temp_directory_path() / ("millrace-scenario-" + std::to_string(getpid()));
  std::ofstream(path)
      << "# ours\nmode = [\"fill\", \"multiget\"]\nkeys = 77\nverify = true\nkey-bytes = \"20=1,30=2\"\n"
         "depth=4 # comment\n";
  const Options options = must_parse({"--scenario", path.c_str(), "--depth", "2"});
  EXPECT_EQ(options.modes, (std::vector<Mode>{Mode::Fill, Mode::MultiGet}));
  EXPECT_EQ(options.keys, 77U);
  EXPECT_TRUE(options.verifies);
  EXPECT_EQ(options.key_sizes.text(), "20=1,30=2");
  EXPECT_EQ(options.depth, 2U);
  for (const char* const text :
       {"colour = blue\n", "keys = x\n", "scenario = \"etc\"\n", "[part]\nkeys = 5\n", "help = true\n"}) {
    std::ofstream(path) << text;
    const auto parsed = parse({"--scenario", path.c_str()});
    ASSERT_FALSE(parsed && parsed->options) << text;
  }
  std::filesystem::remove(path);
  const auto parsed = parse({"--scenario", path.c_str()});
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().what.find("read-mostly-small"), std::string::npos) << "says which there are";
}

TEST(Options, RefuseWhatMakesNoSense) {
  const std::vector<std::vector<const char*>> wrong{
      {"--mode", "dance"},
      {"--mode", "get,replay", "--trace", "t"},
      {"--mode", "replay"},
      {"--trace", "t"},
      {"--model-memory", "1000"},
      {"--replay-speed", "1"},
      {"--udp", "--protocol", "resp"},
      {"--udp", "--depth", "2"},
      {"--udp", "--mode", "multiget"},
      {"--udp", "--unix", "/tmp/x"},
      {"--mode", "replay", "--trace", "t", "--replay-speed", "1", "--rate", "5"},
      {"--mode", "replay", "--trace", "t", "--replay-speed", "0"},
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
      {"--mix", "get=1"},
      {"--mode", "mix", "--mix", "get"},
      {"--mode", "mix", "--mix", "get=x"},
      {"--mode", "mix", "--mix", "get=-1,set=5"},
      {"--mode", "mix", "--mix", "get=0"},
      {"--mode", "mix", "--mix", "gets=1"},
      {"--mode", "mix", "--mix", "dance=1"},
      {"--protocol", "udp"},
      {"--protocol", "resp", "--mode", "mix", "--mix", "cas=1"},
      {"--protocol", "resp", "--mode", "mix", "--mix", "append=1"},
      {"--protocol", "resp", "--mode", "mix", "--mix", "touch=1"},
      {"--hot-spot", "0.01"},
      {"--hot-spot", "0:0.9"},
      {"--hot-spot", "0.1:1"},
      {"--hot-spot", "0.1:0.9", "--zipf", "1"},
      {"--ttl", "x"},
      {"--ttl", "9-5"},
      {"--ttl", "2592001"},
      {"--mode", "replay", "--trace", "t", "--ttl", "1-2"},
      {"--key-bytes", "251"},
      {"--value-bytes", "@/nonexistent"},
      {"--scenario", "nonexistent"},
      {"--server", "a:b"},
      {"--server", "a:0"},
      {"--server", "[::1"},
      {"--server", "a:1", "--unix", "/tmp/x"},
      {"--unheard-of"},
      {"--nic", "memif:/m", "--nic-ip", "10.0.0.3/24", "--cores", "1"},
      {"--nic", "memif:/m", "--nic-ip", "10.0.0.3/24", "--udp"},
      {"--nic", "memif:/m", "--udp", "--cores", "1"},
      {"--nic", "memif:/m", "--nic-ip", "10.0.0.3", "--udp", "--cores", "1"},
      {"--nic", "memif:/m", "--nic-ip", "10.0.0.3/24", "--nic-gateway", "x", "--udp", "--cores", "1"},
      {"--nic-ip", "10.0.0.3/24"},
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

TEST(Options, ACardIsDescribed) {
  const Options options =
      must_parse({"--udp", "--nic", "memif:/m", "--nic-ip", "10.0.0.3/24", "--nic-ip=fd00::3/64", "--nic-gateway",
                  "10.0.0.1", "--nic-vlan", "7", "--nic-mtu", "9000", "--cores", "1"});
  EXPECT_EQ(options.nic, "memif:/m");
  ASSERT_EQ(options.nic_addresses.size(), 2U);
  EXPECT_EQ(options.nic_addresses[1].text(), "fd00::3/64");
  EXPECT_EQ(options.nic_gateways.size(), 1U);
  EXPECT_EQ(options.nic_vlan, 7);
  EXPECT_EQ(options.nic_mtu, 9000);
}

TEST(Options, HelpIsNotAnError) {
  const auto parsed = parse({"--help"});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->options);
  EXPECT_NE(parsed->text.find("--keys-per-get"), std::string::npos);
}

}  // namespace
}  // namespace millrace::load
