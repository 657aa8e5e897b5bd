// The command line: what each option means, which values it refuses, and that none of memcached's is ignored in
// silence.
#include "config/parse_cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "cli_words.h"
#include "config/validate.h"

namespace millrace::config {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- Defaults ------------------------------------------------------------------------------------------------------

TEST(ParseCli, NothingSaidGivesTheDefaults) {
  const Options options = accepted({});
  EXPECT_EQ(options.tcp_port, 11211);
  EXPECT_THAT(options.listen, IsEmpty());
  EXPECT_EQ(options.memory_bytes, 64ULL << 20);
  EXPECT_EQ(options.connections_max, 1024U);
  EXPECT_EQ(options.item_bytes_max, 1U << 20);
  EXPECT_FALSE(options.workers.has_value());
  EXPECT_TRUE(options.evicts);
  EXPECT_TRUE(options.cas_enabled);
  EXPECT_TRUE(options.flush_enabled);
  EXPECT_TRUE(options.dump_enabled);
  EXPECT_FALSE(options.shutdown_enabled);
  EXPECT_FALSE(options.detail_enabled);
  EXPECT_EQ(options.verbosity, 0);
  EXPECT_THAT(options.notes, IsEmpty());
}

// --- getopt's ways -------------------------------------------------------------------------------------------------

TEST(ParseCli, ValuesMayBeJoinedToTheirLetter) {
  const Options options = accepted({"-p11311", "-m128", "-l127.0.0.1", "-c7"});
  EXPECT_EQ(options.tcp_port, 11311);
  EXPECT_EQ(options.memory_bytes, 128ULL << 20);
  EXPECT_EQ(options.connections_max, 7U);
  ASSERT_EQ(options.listen.size(), 1U);
  EXPECT_EQ(options.listen[0].host, "127.0.0.1");
}

TEST(ParseCli, LettersMayBeClustered) {
  const Options options = accepted({"-kA", "-MFXCp", "5000"});
  EXPECT_TRUE(options.locks_memory);
  EXPECT_TRUE(options.shutdown_enabled);
  EXPECT_FALSE(options.evicts);
  EXPECT_FALSE(options.flush_enabled);
  EXPECT_FALSE(options.dump_enabled);
  EXPECT_FALSE(options.cas_enabled);
  EXPECT_EQ(options.tcp_port, 5000);
}

TEST(ParseCli, LongNamesMayBeCutShortWhileUnambiguous) {
  EXPECT_EQ(accepted({"--port", "5000"}).tcp_port, 5000);
  EXPECT_EQ(accepted({"--port=5000"}).tcp_port, 5000);
  EXPECT_EQ(accepted({"--por=5000"}).tcp_port, 5000);
  EXPECT_EQ(accepted({"--memory-l", "5"}).memory_bytes, 5ULL << 20);
  EXPECT_THAT(refused({"--disable", "x"}), HasSubstr("there is no option --disable")) << "five options begin so";
}

TEST(ParseCli, TheLastWordCounts) {
  EXPECT_EQ(accepted({"-p", "1", "-p", "2"}).tcp_port, 2);
  EXPECT_EQ(accepted({"-t", "4", "--threads=3"}).workers, 3U);
}

TEST(ParseCli, VerbosityIsCounted) {
  EXPECT_EQ(accepted({"-v"}).verbosity, 1);
  EXPECT_EQ(accepted({"-vv"}).verbosity, 2);
  EXPECT_EQ(accepted({"-vvv"}).verbosity, 3);
  EXPECT_EQ(accepted({"-v", "-v", "--verbose"}).verbosity, 3);
  EXPECT_EQ(accepted({"-vvvvv"}).verbosity, 3);
}

TEST(ParseCli, AValueMayLookLikeAnOption) {
  EXPECT_EQ(accepted({"-p", "-1"}).tcp_port_any, true);
  EXPECT_EQ(accepted({"-D", "-"}).prefix_delimiter, '-');
}

TEST(ParseCli, RefusesWhatBelongsToNoOption) {
  EXPECT_THAT(refused({"-q"}), HasSubstr("there is no option -q"));
  EXPECT_THAT(refused({"--frobnicate"}), HasSubstr("there is no option --frobnicate"));
  EXPECT_THAT(refused({"11211"}), HasSubstr("'11211' belongs to no option"));
  EXPECT_THAT(refused({"-p"}), HasSubstr("-p needs a value"));
  EXPECT_THAT(refused({"-kx"}), HasSubstr("-x"));
  EXPECT_THAT(refused({"--lock-memory=false"}), HasSubstr("-k takes no value"));
  accepted({"--"});
}

// --- Numbers -------------------------------------------------------------------------------------------------------

struct NumberCase {
  const char* option;
  std::vector<const char*> good;
  std::vector<const char*> bad;
  const char* sentence;  ///< in every refusal
};

TEST(ParseCli, NumbersKeepTheirRangesAndSayThem) {
  const std::vector<NumberCase> cases = {
      {"-p", {"1", "65535"}, {"65536", "-2", "x", "", "1x", " 1", "0x10", "1.5", "99999999999999999999"}, "65535"},
      {"-c", {"1", "1000000"}, {"0", "1000001", "-1", "many"}, "from 1 to 1000000"},
      {"-b", {"1", "65535"}, {"0", "65536"}, "from 1 to 65535"},
      {"-m", {"2", "67108864"}, {"0", "67108865", "1g", "64m", "-5"}, "for 1 GiB say -m 1024"},
      {"-t", {"1", "256"}, {"0", "257", "-1", "two"}, "from 1 to 256"},
      {"-n", {"1", "8192"}, {"0", "8193"}, "from 1 to 8192"},
      {"-I",
       {"1k", "1024", "2m", "32M", "512K"},
       {"1023", "0", "1g", "129m", "1024m", "m", "", "-1", "99999999999999m"},
       "1k to 128m"},
      {"-a", {"0", "700", "0777", "660"}, {"778", "1000", "8", "rwx", "-1"}, "octal from 0 to 777"},
      {"-f",
       {"1.01", "1.25", "2", "16"},
       {"1", "1.0", "0.5", "17", "-2", "inf", "nan", "1e1", "x", ""},
       "such as 1.25"},
      {"-U", {"0", "1", "65535"}, {"65536", "x", "-1", ""}, "from 0 to 65535; 0 is for none"},
      {"-D", {":", "/", "-"}, {"", "::", " ", "\t"}, "one printable character"},
      {"-N", {"4"}, {}, ""},
      {"--hash-seed", {"1", "18446744073709551615"}, {"0", "18446744073709551616", "x"}, "leave it out"},
      {"--large-value-share", {"1", "50", "100"}, {"0", "101", "x", ""}, "from 1 to 100"},
      {"--zero-copy-min", {"0", "16384", "134217728"}, {"134217729", "x"}, "from 0 to 134217728"},
  };
  for (const NumberCase& entry : cases) {
    for (const char* value : entry.good) {
      accepted({entry.option, value, "-m", "1024"});
    }
    for (const char* value : entry.bad) {
      EXPECT_THAT(refused({entry.option, value}), AllOf(HasSubstr(entry.option), HasSubstr(entry.sentence))) << value;
    }
  }
}

TEST(ParseCli, NumbersGoWhereTheyBelong) {
  const Options options = accepted({"-c",
                                    "11",
                                    "-b",
                                    "12",
                                    "-n",
                                    "14",
                                    "-I",
                                    "2m",
                                    "-f",
                                    "1.5",
                                    "-t",
                                    "15",
                                    "-a",
                                    "640",
                                    "--hash-seed",
                                    "16",
                                    "--zero-copy-min",
                                    "17",
                                    "--large-value-share",
                                    "18",
                                    "-m",
                                    "1024"});
  EXPECT_EQ(options.connections_max, 11U);
  EXPECT_EQ(options.listen_backlog, 12U);
  EXPECT_EQ(options.chunk_bytes_min, 14U);
  EXPECT_EQ(options.item_bytes_max, 2U << 20);
  EXPECT_EQ(options.growth_factor, 1.5);
  EXPECT_EQ(options.workers, 15U);
  EXPECT_EQ(options.unix_mode, 0640U);
  EXPECT_EQ(options.hash_seed, 16U);
  EXPECT_EQ(options.zero_copy_bytes_min, 17U);
  EXPECT_EQ(options.large_value_share, 18U);
}

TEST(ParseCli, SwitchesAndWordsGoWhereTheyBelong) {
  const Options options = accepted({"-d", "-r", "-L", "-u", "nobody", "-P", "/run/m.pid", "--oversubscribe", "--poll",
                                    "--cores", "0,2-4,9", "-D", "/"},
                                   {.is_root = true});
  EXPECT_TRUE(options.daemonizes);
  EXPECT_TRUE(options.core_dumps);
  EXPECT_TRUE(options.wants_huge_pages);
  EXPECT_EQ(options.user, "nobody");
  EXPECT_EQ(options.pid_file, "/run/m.pid");
  EXPECT_TRUE(options.may_oversubscribe);
  EXPECT_TRUE(options.polls);
  EXPECT_THAT(options.cores, ElementsAre(0, 2, 3, 4, 9));
  EXPECT_EQ(options.prefix_delimiter, '/');
  EXPECT_TRUE(options.detail_enabled) << "-D turns the statistics on";
}

TEST(ParseCli, RefusesEmptyWordsAndBadCpuLists) {
  EXPECT_THAT(refused({"-s", ""}), HasSubstr("-s"));
  EXPECT_THAT(refused({"-P", ""}), HasSubstr("-P"));
  for (const char* list :
       {"", ",", "0,", "-", "1-", "-1", "3-2", "a", "0-9999", "8192", "1--2", "0,1-2-3", "0-8191,0"}) {
    EXPECT_THAT(refused({"--cores", list}), HasSubstr("--cores")) << list;
  }
}

// --- Listening ------------------------------------------------------------------------------------------------------

std::vector<std::string> addresses(const std::vector<std::string>& words, bool has_ipv6 = true) {
  const ProcessFacts process{.is_root = false, .has_ipv6 = has_ipv6};
  std::vector<std::string> out;
  for (const ListenAddress& address : listen_addresses(accepted(words, process), process)) {
    out.push_back(address.host + " " + std::to_string(address.port));
  }
  return out;
}

TEST(ParseCli, ListensOnLoopbackUnlessTold) {
  EXPECT_THAT(addresses({}), ElementsAre("127.0.0.1 11211", "::1 11211"));
  EXPECT_THAT(addresses({}, false), ElementsAre("127.0.0.1 11211"));
  EXPECT_THAT(addresses({"-p", "5000"}), ElementsAre("127.0.0.1 5000", "::1 5000"));
  EXPECT_THAT(addresses({"-p", "-1"}), ElementsAre("127.0.0.1 0", "::1 0"));
}

TEST(ParseCli, ReadsMemcachedsAddresses) {
  EXPECT_THAT(addresses({"-l", "10.0.0.1"}), ElementsAre("10.0.0.1 11211"));
  EXPECT_THAT(addresses({"-l", "10.0.0.1:5000,cache.example"}), ElementsAre("10.0.0.1 5000", "cache.example 11211"));
  EXPECT_THAT(addresses({"-l", "10.0.0.1;10.0.0.2", "-p", "1"}), ElementsAre("10.0.0.1 1", "10.0.0.2 1"));
  EXPECT_THAT(addresses({"-l", "a:1", "--listen=b:2", "-lc:3"}), ElementsAre("a 1", "b 2", "c 3"));
  EXPECT_THAT(addresses({"-l", "[::1]:5000"}), ElementsAre("::1 5000"));
  EXPECT_THAT(addresses({"-l", "[fe80::1]"}), ElementsAre("fe80::1 11211"));
  EXPECT_THAT(addresses({"-l", "fe80::1"}), ElementsAre("fe80::1 11211")) << "bare IPv6 has no port";
  EXPECT_THAT(addresses({"-l", "*"}), ElementsAre("0.0.0.0 11211", ":: 11211"));
  EXPECT_THAT(addresses({"-l", "*:5000"}, false), ElementsAre("0.0.0.0 5000"));
}

TEST(ParseCli, RefusesWhatIsNoAddress) {
  for (const char* list : {"", ",", "a,", ",a", "a,,b", "a:", "a:x", "a:0", "a:65536", "a:-1", ":5000", "[::1", "[]:1",
                           "[::1]5000", "[::1]:", "[::1]:x"}) {
    EXPECT_THAT(refused({"-l", list}), HasSubstr("-l")) << list;
  }
}

TEST(ParseCli, RefusesListenerPrefixesWithTheReason) {
  EXPECT_THAT(refused({"-l", "proto[ascii]:127.0.0.1:11211"}), HasSubstr("protocol"));
  EXPECT_THAT(refused({"-l", "tag[a]:127.0.0.1:11211"}), HasSubstr("proxy"));
  for (const char* tls : {"notls:127.0.0.1", "btls:127.0.0.1:1", "mtls:127.0.0.1:1"}) {
    EXPECT_THAT(refused({"-l", tls}), HasSubstr("no TLS yet"));
  }
}

TEST(ParseCli, OpenAddressesAreNoted) {
  EXPECT_THAT(accepted({"-l", "0.0.0.0"}).notes, ElementsAre(HasSubstr("no authentication")));
  EXPECT_THAT(accepted({"-l", "localhost,127.0.0.2,[::1]"}).notes, IsEmpty());
}

TEST(ParseCli, UnixSocketIsInsteadOfTcp) {
  const Options options = accepted({"-s", "/tmp/m.sock", "-a", "600"});
  EXPECT_EQ(options.unix_path, "/tmp/m.sock");
  EXPECT_THAT(options.notes, IsEmpty());
  EXPECT_THAT(addresses({"-s", "/tmp/m.sock"}), IsEmpty());
  EXPECT_THAT(accepted({"-s", "/tmp/m.sock", "-l", "10.0.0.1"}).notes, ElementsAre(HasSubstr("TCP is off")));
  EXPECT_THAT(accepted({"-s", "/tmp/m.sock", "-p", "0"}).notes.size(), 1U);
  EXPECT_THAT(refused({"-s", "/" + std::string(107, 'x')}), HasSubstr("107"));
}

TEST(ParseCli, SomebodyMustBeAbleToConnect) { EXPECT_THAT(refused({"-p", "0"}), HasSubstr("nobody could connect")); }

// --- Relations -----------------------------------------------------------------------------------------------------

TEST(ParseCli, RootMustNameAUser) {
  EXPECT_THAT(refused({}, {.is_root = true}), AllOf(HasSubstr("-u nobody"), HasSubstr("-u root")));
  EXPECT_EQ(accepted({"-u", "root"}, {.is_root = true}).user, "root");
  EXPECT_EQ(accepted({"--show-plan"}, {.is_root = true}).shows_plan, true);
  const Options options = accepted({"-u", "nobody"});
  EXPECT_THAT(options.notes, ElementsAre(HasSubstr("only root")));
  EXPECT_EQ(options.user, "");
}

TEST(ParseCli, UdpIsOffUnlessAskedFor) {
  EXPECT_EQ(accepted({}).udp_port, 0);
  EXPECT_THAT(udp_listen_addresses(accepted({}), {}), IsEmpty());
  const Options both = accepted({"-p", "5000", "-U", "5001", "-l", "127.0.0.1,10.0.0.1:6000"});
  EXPECT_EQ(both.udp_port, 5001);
  // As memcached has it: a port that stands with the address goes for both.
  const auto udp = udp_listen_addresses(both, {});
  ASSERT_EQ(udp.size(), 2U);
  EXPECT_EQ(udp[0].port, 5001);
  EXPECT_EQ(udp[1].port, 6000);
  EXPECT_EQ(listen_addresses(both, {})[0].port, 5000);
  EXPECT_EQ(listen_addresses(both, {})[1].port, 6000);
  const Options alone = accepted({"-p", "0", "-U", "5001"});
  EXPECT_THAT(listen_addresses(alone, {}), IsEmpty());
  EXPECT_EQ(udp_listen_addresses(alone, {.has_ipv6 = true}).size(), 2U);
  EXPECT_EQ(udp_listen_addresses(alone, {.has_ipv6 = false}).size(), 1U);
  EXPECT_THAT(refused({"-p", "0"}), HasSubstr("-U"));
  const Options unix_only = accepted({"-s", "/tmp/x", "-U", "5001"});
  EXPECT_EQ(unix_only.udp_port, 0);
  EXPECT_THAT(unix_only.notes, ElementsAre(HasSubstr("-U has no effect")));
}

std::vector<std::string> texts(const std::vector<dataplane::IpPrefix>& networks) {
  std::vector<std::string> out;
  for (const dataplane::IpPrefix& network : networks) {
    out.push_back(network.text());
  }
  return out;
}

TEST(ParseCli, WhoGetsLongAnswersOverUdp) {
  EXPECT_THAT(texts(accepted({}).udp_allow), ElementsAre("127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12",
                                                         "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10"));
  const Options options = accepted({"-U", "1", "--udp-allow", "192.0.2.0/24,2001:db8::/32,198.51.100.7"});
  EXPECT_THAT(texts(options.udp_allow), ElementsAre("192.0.2.0/24", "2001:db8::/32", "198.51.100.7/32"));
  EXPECT_THAT(options.notes, IsEmpty());
  EXPECT_THAT(accepted({"-U", "1", "--udp-allow", "none"}).udp_allow, IsEmpty());
  EXPECT_THAT(texts(accepted({"-U", "1", "--udp-allow=10.0.0.0/8", "--udp-allow=::1"}).udp_allow),
              ElementsAre("::1/128"));
  EXPECT_THAT(accepted({"--udp-allow", "none"}).notes, ElementsAre(HasSubstr("no effect without -U")));
  for (const char* everybody : {"0.0.0.0/0", "::/0"}) {
    EXPECT_THAT(accepted({"-U", "1", "--udp-allow", everybody}).notes, ElementsAre(HasSubstr("flood"))) << everybody;
  }
  for (const char* wrong :
       {"", ",", "10.0.0.0/8,", "10.0.0.1/8", "10.0.0.0/33", "none,::1", "here", "10.0.0.0/8;::1"}) {
    EXPECT_THAT(refused({"-U", "1", "--udp-allow", wrong}), AllOf(HasSubstr("--udp-allow"), HasSubstr("say none")))
        << wrong;
  }
}

TEST(ParseCli, AimedPorts) {
  const Options options = accepted({"-U", "11211", "--udp-aim", "11300", "-l", "*,10.0.0.1,10.0.0.1:6000"});
  EXPECT_EQ(options.udp_aim_port, 11300);
  std::vector<std::string> hosts;
  for (const ListenAddress& address : aim_listen_addresses(options, {.has_ipv6 = true})) {
    hosts.push_back(address.host);
    EXPECT_EQ(address.port, 11300);
  }
  EXPECT_THAT(hosts, ElementsAre("0.0.0.0", "::", "10.0.0.1"));  // each once, whatever ports -l says
  EXPECT_THAT(options.notes, Contains(HasSubstr("hash seed")));
  EXPECT_THAT(accepted({"-U", "11211", "--udp-aim", "11300"}).notes, IsEmpty());
  EXPECT_THAT(aim_listen_addresses(accepted({"-U", "11211"}), {}), IsEmpty());
  EXPECT_THAT(aim_listen_addresses(accepted({"-U", "11211", "--udp-aim", "0"}), {}), IsEmpty());
  EXPECT_THAT(refused({"--udp-aim", "11300"}), AllOf(HasSubstr("--udp-aim"), HasSubstr("add -U 11211")));
  for (const char* wrong : {"65536", "-1", "x", ""}) {
    EXPECT_THAT(refused({"-U", "1", "--udp-aim", wrong}), AllOf(HasSubstr("--udp-aim"), HasSubstr("0 is for none")));
  }
  const Options unix_only = accepted({"-s", "/tmp/x", "--udp-aim", "11300"});
  EXPECT_EQ(unix_only.udp_aim_port, 0);
  EXPECT_THAT(unix_only.notes, ElementsAre(HasSubstr("--udp-aim has no effect")));
}

std::string aim_refusal(const std::vector<std::string>& words, std::uint32_t workers) {
  const auto checked = check_aim_ports(accepted(words), workers);
  return checked ? "" : checked.error().what;
}

TEST(ParseCli, AimedPortsAreThereAndFree) {
  EXPECT_EQ(aim_refusal({"-U", "11211", "--udp-aim", "11212"}, 4), "");
  EXPECT_EQ(aim_refusal({"-U", "11211", "--udp-aim", "11207"}, 4), "");
  EXPECT_EQ(aim_refusal({"-U", "11211", "--udp-aim", "65532"}, 4), "");
  EXPECT_EQ(aim_refusal({"-U", "11211"}, 65536), "");
  EXPECT_EQ(aim_refusal({"-p", "11300", "-U", "11211", "--udp-aim", "11300"}, 4), "");  // TCP's ports are others
  EXPECT_THAT(aim_refusal({"-U", "11211", "--udp-aim", "65533"}, 4),
              AllOf(HasSubstr("4 workers need the ports up to 65536"), HasSubstr("choose 65532 or lower")));
  for (const char* port : {"11208", "11211"}) {
    EXPECT_THAT(aim_refusal({"-U", "11211", "--udp-aim", port}, 4), HasSubstr("UDP listens on 11211")) << port;
  }
  EXPECT_THAT(aim_refusal({"-U", "11211", "--udp-aim", "6000", "-l", "127.0.0.1,127.0.0.2:6003"}, 4),
              HasSubstr("UDP listens on 6003"));
}

TEST(ParseCli, LargestItemIsAtMostHalfTheMemory) {
  EXPECT_THAT(refused({"-m", "1"}), AllOf(HasSubstr("-I"), HasSubstr("raise -m or lower -I")));
  accepted({"-m", "1", "-I", "512k"});
  EXPECT_THAT(refused({"-I", "33m"}), HasSubstr("half of the memory"));
  accepted({"-I", "32m"});
  EXPECT_THAT(refused({"-I", "1k", "-n", "2000"}), HasSubstr("smallest chunk is larger than the largest item"));
}

TEST(ParseCli, AnotherMachineIsForPlanningOnly) {
  EXPECT_EQ(accepted({"--show-plan", "--topology", "core:4 pu:2"}).topology, "core:4 pu:2");
  EXPECT_THAT(refused({"--topology", "core:4"}), HasSubstr("--show-plan"));
}

TEST(ParseCli, ProtocolIsOneOfMemcacheds) {
  EXPECT_EQ(accepted({}).protocol, std::nullopt);
  EXPECT_EQ(accepted({"-B", "ascii"}).protocol, Protocol::Text);
  EXPECT_EQ(accepted({"-B", "auto"}).protocol, Protocol::Auto);
  EXPECT_EQ(accepted({"-B", "binary"}).protocol, Protocol::Binary);
  EXPECT_THAT(refused({"-B", "smoke"}), HasSubstr("say ascii, binary or auto"));
}

TEST(ParseCli, LoginIsForTextAlone) {
  const Options options = accepted({"-Y", "/etc/users", "-l", "0.0.0.0"});
  EXPECT_EQ(options.auth_file, "/etc/users");
  EXPECT_EQ(options.protocol, Protocol::Text);
  EXPECT_THAT(options.notes, IsEmpty()) << "an open address is not worth a note then";
  EXPECT_EQ(accepted({"-Y", "x", "-B", "ascii"}).protocol, Protocol::Text);
  EXPECT_THAT(refused({"-Y", "x", "-B", "binary"}), HasSubstr("-B ascii"));
  EXPECT_THAT(refused({"-Y", "x", "-B", "auto"}), HasSubstr("-B ascii"));
  EXPECT_THAT(refused({"-Y", "x", "-U", "11211"}), HasSubstr("UDP"));
  EXPECT_THAT(refused({"-Y", "x", "-S", "--sasl-pwdb", "y"}), HasSubstr("leave one out"));
}

TEST(ParseCli, SaslIsForBinaryAloneAndNeedsUsers) {
  const Options options = accepted({"-S", "--sasl-pwdb", "/etc/users"});
  EXPECT_TRUE(options.wants_sasl);
  EXPECT_EQ(options.sasl_pwdb, "/etc/users");
  EXPECT_EQ(options.protocol, Protocol::Binary);
  EXPECT_THAT(refused({"-S"}), HasSubstr("--sasl-pwdb"));
  EXPECT_THAT(refused({"-S", "--sasl-pwdb", "x", "-B", "auto"}), HasSubstr("-B binary"));
  EXPECT_THAT(refused({"-S", "--sasl-pwdb", "x", "-U", "1"}), HasSubstr("UDP"));
  EXPECT_THAT(refused({"--sasl-pwdb", "x"}), HasSubstr("-S"));
  const auto parsed = parse_cli({"-S"}, {.sasl_pwdb = "/from/the/environment"});
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(std::get<Options>(*parsed).sasl_pwdb, "/from/the/environment");
}

// --- -o
// ----------------------------------------------------------------------------------------------------------------

TEST(ParseCli, ExtendedWordsAreObeyed) {
  EXPECT_EQ(accepted({"-o", "idle_timeout=60"}).idle_timeout_s, 60U);
  EXPECT_TRUE(accepted({"-o", "track_sizes"}).tracks_sizes);
  const Options both = accepted({"-o", "idle_timeout=5", "--extended=track_sizes"});
  EXPECT_EQ(both.idle_timeout_s, 5U);
  EXPECT_TRUE(both.tracks_sizes);
  EXPECT_THAT(accepted({"-o", "hash_algorithm=xxh3"}).notes, IsEmpty());
  EXPECT_THAT(accepted({"-o", "slab_automove"}).notes, IsEmpty());
  EXPECT_EQ(accepted({"-o", "slab_automove=0,slab_automove"}).automove, 1U);
  EXPECT_THAT(accepted({"-o", "hash_algorithm=jenkins"}).notes, ElementsAre(HasSubstr("xxh3")));
}

TEST(ParseCli, MemoryMaxIsNoLessThanTheLimitAndComesPageByPage) {
  EXPECT_EQ(accepted({}).memory_max_mib, 0U);
  EXPECT_EQ(accepted({"-m", "64", "--memory-max", "256"}).memory_max_mib, 256U);
  EXPECT_EQ(accepted({"-m", "64", "-k", "--memory-max", "64"}).memory_max_mib, 64U);
  EXPECT_THAT(refused({"--memory-max", "63"}), HasSubstr("less than -m 64"));
  EXPECT_EQ(accepted({"--memory-max", "1024"}).memory_max_mib, 1024U);
  EXPECT_THAT(refused({"--memory-max", "1025"}), HasSubstr("1024 or less"));
  EXPECT_THAT(refused({"-L", "--memory-max", "65"}), HasSubstr("-L"));
  EXPECT_THAT(refused({"-k", "--memory-max", "65"}), HasSubstr("-k"));
  EXPECT_THAT(refused({"--memory-max", "x"}), HasSubstr("--memory-max"));
}

TEST(ParseCli, ExtendedWordsAreRefusedWhenWrong) {
  for (const char* word :
       {"", ",", "idle_timeout=1,", "frobnicate", "idle_timeout", "idle_timeout=", "idle_timeout=-1", "idle_timeout=x",
        "idle_timeout=31536001", "maxconns_fast=1", "hashpower=x", "hashpower", "hash_algorithm", "hash_algorithm=md5",
        "slab_automove_ratio=x", "slab_automove=3", "slab_automove=x", "modern=1", "=1"}) {
    EXPECT_THAT(refused({"-o", word}), HasSubstr("-o")) << word;
  }
}

// --- Leaving at once -----------------------------------------------------------------------------------------------

TEST(ParseCli, HelpVersionAndLicenceLeaveAtOnce) {
  for (const char* word : {"-h", "--help"}) {
    EXPECT_THAT(exit_text({word}), AllOf(HasSubstr("-p, --port=NUM"), HasSubstr("--oversubscribe"),
                                         HasSubstr("default 1024, from 1 to 1000000 connections"),
                                         HasSubstr("idle_timeout"), HasSubstr("Refused")));
  }
  EXPECT_EQ(exit_text({"-V"}), "millrace 0.1.0\n");
  EXPECT_EQ(exit_text({"--version"}), "millrace 0.1.0\n");
  EXPECT_THAT(exit_text({"-i"}), HasSubstr("BSD"));
  // Whatever else is there, even what would be refused, and even as root.
  EXPECT_EQ(exit_text({"-p", "x", "-V", "-S"}, {.is_root = true}), "millrace 0.1.0\n");
}

TEST(ParseCli, ReadsWhatThisProcessIs) {
  // Whether there is IPv6 depends on the host; that asking works does not.
  const ProcessFacts facts = read_process_facts();
  EXPECT_EQ(facts.is_root, getuid() == 0 || geteuid() == 0);
}

// --- The network card ----------------------------------------------------------------------------------------------

TEST(ParseCli, ANetworkCardIsDescribed) {
  const Options options = accepted({"-U", "11211", "--nic", "memif:/run/m.sock,server", "--ip", "10.0.0.2/24",
                                    "--ip=fd00::2/64", "--gateway", "10.0.0.1", "--gateway", "fd00::1", "--vlan", "42",
                                    "--mtu", "9000", "--dpdk-eal=--iova-mode=va", "--dpdk-eal", "-m"});
  EXPECT_EQ(options.nic.port, "memif:/run/m.sock,server");
  ASSERT_EQ(options.nic.addresses.size(), 2U);
  EXPECT_EQ(options.nic.addresses[0].text(), "10.0.0.2/24");
  EXPECT_EQ(options.nic.addresses[1].text(), "fd00::2/64");
  EXPECT_EQ(options.nic.gateways.size(), 2U);
  EXPECT_EQ(options.nic.vlan, 42);
  EXPECT_EQ(options.nic.mtu, 9000);
  EXPECT_THAT(options.nic.eal_words, ElementsAre("--iova-mode=va", "-m"));
  EXPECT_THAT(options.notes, Contains(HasSubstr("no authentication")));
  EXPECT_FALSE(accepted({}).nic.is_wanted());
}

TEST(ParseCli, ANetworkCardThatCannotBeIsRefused) {
  const std::vector<std::string> good = {"-U", "11211", "--nic", "tap:t0", "--ip", "10.0.0.2/24"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), good.begin(), good.end());
    return refused(more);
  };
  EXPECT_THAT(with({"--nic", "tap:t1"}), HasSubstr("one card is served"));
  EXPECT_THAT(with({"--ip", "10.0.0.2"}), HasSubstr("--ip: '10.0.0.2'"));
  EXPECT_THAT(with({"--gateway", "router"}), HasSubstr("--gateway: 'router'"));
  EXPECT_THAT(with({"--gateway", "10.0.0.1", "--gateway", "10.0.0.3"}), HasSubstr("one for each family"));
  EXPECT_THAT(with({"--vlan", "4095"}), HasSubstr("--vlan"));
  EXPECT_THAT(with({"--mtu", "500"}), HasSubstr("--mtu"));
  EXPECT_THAT(with({"-s", "/tmp/s"}), HasSubstr("leave -s out"));
  EXPECT_THAT(refused({"--nic", "tap:t0", "--ip", "10.0.0.2/24"}), HasSubstr("add -U 11211"));
  EXPECT_THAT(refused({"-U", "11211", "--nic", "tap:t0"}), HasSubstr("add --ip"));
  EXPECT_THAT(refused({"--ip", "10.0.0.2/24"}), HasSubstr("--nic PORT"));
  EXPECT_THAT(refused({"--vlan", "7"}), HasSubstr("--nic PORT"));
}

}  // namespace
}  // namespace millrace::config
