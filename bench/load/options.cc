#include "bench/load/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

#include "bench/load/parse_whole.h"
#include "bench/load/scenario.h"
#include "bench/load/workload_options.h"

namespace millrace::load {
namespace {

const std::map<std::string, Mode> kModes{{"fill", Mode::Fill}, {"get", Mode::Get},           {"set", Mode::Set},
                                         {"mix", Mode::Mix},   {"multiget", Mode::MultiGet}, {"replay", Mode::Replay}};

const std::map<std::string, Arrivals> kArrivals{{"constant", Arrivals::Constant}, {"poisson", Arrivals::Poisson}};
const std::map<std::string, Idling> kIdlings{{"near", Idling::Near}, {"sleep", Idling::Sleep}, {"spin", Idling::Spin}};

constexpr std::uint32_t kReplayDepth = 16;
constexpr std::uint32_t kConnections = 16;
constexpr double kSeconds = 10;
constexpr std::uint16_t kRespPort = 6379;
constexpr double kTrialSeconds = 3;
constexpr double kTimeout = 10;
constexpr double kTimeoutOverUdp = 1;
constexpr double kTrialWarmup = 0.5;

/// A word for a value. The help names the words itself, so CLI11's list of words and values is left out.
template <typename Value>
CLI::Validator one_of(const std::map<std::string, Value>& values) {
  return CLI::CheckedTransformer(values, CLI::ignore_case).description("");
}

/// What is said of a card, before it is read.
struct CardWords {
  std::vector<std::string> addresses;
  std::vector<std::string> gateways;
};

Result<void> complete_card(const CardWords& words, Options& options) {
  for (const std::string& text : words.addresses) {
    const auto address = dataplane::InterfaceAddress::parse(text);
    if (!address) {
      return fail("--nic-ip: " + address.error().what + ".");
    }
    options.nic_addresses.push_back(*address);
  }
  for (const std::string& text : words.gateways) {
    const auto address = dataplane::parse_ip(text);
    if (!address) {
      return fail("--nic-gateway: " + address.error().what + ".");
    }
    options.nic_gateways.push_back(*address);
  }
  if (options.nic.empty()) {
    const bool is_told = !options.nic_addresses.empty() || !options.nic_gateways.empty() || options.nic_vlan != 0;
    return is_told ? fail("--nic-ip, --nic-gateway and --nic-vlan are about a card: add --nic PORT.") : Result<void>{};
  }
  if (!options.uses_udp) {
    return fail("--nic carries datagrams only: add --udp.");
  }
  if (options.nic_addresses.empty()) {
    return fail("--nic: the card needs an address that nobody else has: add --nic-ip 10.0.0.3/24, say.");
  }
  if (options.cores.empty()) {
    return fail("--nic is polled: give each thread a core to itself (--cores).");
  }
  return {};
}

Result<void> complete_pace(Options& options, bool has_warmup) {
  if (options.is_replay() && options.finds_knee) {
    return fail("--find-knee searches a steady mode: a replay has no knee of its own.");
  }
  if (!options.finds_knee) {
    return {};
  }
  const auto fills = std::ranges::count(options.modes, Mode::Fill);
  if (std::ssize(options.modes) != fills + 1 || options.modes.back() == Mode::Fill || options.rounds > 1) {
    return fail("--find-knee searches one mode, in one round: say --mode get, or --mode fill,get.");
  }
  if (!options.seconds && !options.requests) {
    options.seconds = kTrialSeconds;
  }
  if (!has_warmup) {
    options.warmup_s = kTrialWarmup;
  }
  return {};
}

/// What the words alone cannot say: defaults that depend on others, and what does not go together.
Result<void> complete(Options& options) {
  const bool is_replay = options.is_replay();
  if (!is_replay && std::ranges::count(options.modes, Mode::Replay) > 0) {
    return fail("A replay stands alone: --mode replay --trace FILE.");
  }
  if (is_replay == options.trace_path.empty()) {
    return fail("--mode replay and --trace FILE go together.");
  }
  if (options.replay_speed && (!is_replay || options.rate_per_s)) {
    return fail("--replay-speed is the pace of a replay: it takes --mode replay --trace FILE, and no --rate.");
  }
  if (options.model_memory_bytes > 0 && !is_replay) {
    return fail("--model-memory models a replay: add --mode replay --trace FILE.");
  }
  if (is_replay && (options.seconds || options.warmup_s > 0 || options.rounds > 1)) {
    return fail("A replay runs its trace once: it takes --requests, but no --seconds, --warmup-seconds or --rounds.");
  }
  if (options.connections == 0) {
    options.connections = is_replay ? options.threads : std::max(kConnections, options.threads);
  }
  if (options.depth == 0) {
    options.depth = is_replay && !options.uses_udp ? kReplayDepth : 1;
  }
  if (options.uses_udp && options.depth > 1) {
    return fail("--udp has one request in flight on each of its sockets: give more --connections instead of --depth.");
  }
  if (options.aims && (!options.uses_udp || is_replay)) {
    return fail("--aim sends to workers' own UDP ports, keys that it draws: add --udp, and no --mode replay.");
  }
  if (options.timeout_s == 0) {
    options.timeout_s = options.uses_udp ? kTimeoutOverUdp : kTimeout;
  }
  if (options.connections < options.threads) {
    return fail(
        fmt::format("{} threads need at least as many --connections, not {}.", options.threads, options.connections));
  }
  if (!options.cores.empty() && options.cores.size() < options.threads) {
    return fail(
        fmt::format("--cores names {} cores for {} threads: name one each.", options.cores.size(), options.threads));
  }
  if (!options.seconds && !options.requests && !is_replay) {
    options.seconds = kSeconds;
  }
  return {};
}

}  // namespace

Result<void> parse_server(const std::string& text, std::string& host, std::uint16_t& port) {
  const auto wrong = [&] {
    return fail(fmt::format("--server \"{}\" is no host:port, such as 127.0.0.1:11211 or [::1]:11211.", text));
  };
  std::string_view rest = text;
  std::string_view name;
  if (rest.starts_with('[')) {
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) {
      return wrong();
    }
    name = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  } else {
    const std::size_t colon = rest.find(':');
    name = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon);
  }
  if (name.empty() || (!rest.empty() && (rest.front() != ':' || !parse_whole(rest.substr(1), port) || port == 0))) {
    return wrong();
  }
  host = name;
  return {};
}

Result<ParsedOptions> parse_options(int argc, const char* const* argv) {
  Options options;
  std::string server;
  WorkloadWords workload;
  CardWords cards;
  bool lists_scenarios = false;
  options.modes = {Mode::Get};

  CLI::App app("millrace-load: drives a cache server that speaks memcached's protocols or RESP.");
  app.footer(
      "millrace-load compare A.json B.json and millrace-load merge RESULT.json... work on results that are there.");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  const auto section = [&](const char* name) { app.option_defaults()->group(name); };
  section("Server");
  auto* server_option =
      app.add_option("--server", server, "host:port of the server; default 127.0.0.1:11211, in RESP :6379");
  auto* unix_option =
      app.add_option("--unix", options.unix_path, "path of the server's unix socket")->excludes(server_option);
  app.add_flag("--udp", options.uses_udp,
               "memcached's protocols over UDP, a request a datagram; needs a server with -U")
      ->excludes(unix_option);
  app.add_flag(
      "--aim", options.aims,
      "with --udp, of a Millrace with --udp-aim: each socket leads to one worker and asks only for keys that it "
      "owns, drawn from the order as a whole until one fits. So among one worker's keys popularity is as said, "
      "but each worker gets requests by its sockets (as many for each) and not by its keys' popularity");

  section("Network card (DPDK)");
  app.add_option("--nic", options.nic,
                 "with --udp: reach the server by this port, past the kernel, a queue a thread: 0000:03:00.0, "
                 "memif:PATH, af_packet:IF, ...");
  app.add_option("--nic-ip", cards.addresses, "its address, such as 10.0.0.3/24; may be repeated")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--nic-gateway", cards.gateways, "a router on that network; may be repeated")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--nic-vlan", options.nic_vlan, "802.1Q VLAN of its frames")->check(CLI::Range(0, 4094));
  app.add_option("--nic-mtu", options.nic_mtu, "longest IP datagram; default 1500")->check(CLI::Range(1280, 9216));

  section("Generator");
  app.add_option("--threads", options.threads, "load threads, each with connections of its own")
      ->check(CLI::Range(1, 1024));
  app.add_option("--cores", options.cores, "cores to bind the threads to, such as 1,3")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::Throw);
  app.add_option("--connections", options.connections, "of all threads together; default 16, in a replay one a thread")
      ->check(CLI::Range(1, 65536));
  app.add_option("--depth", options.depth, "requests in flight on each connection; default 1, in a replay 16")
      ->check(CLI::Range(1, 65536));
  app.add_option(
         "--timeout-seconds", options.timeout_s,
         "patience with a connection that owes replies; default 10, over UDP 1: there the request counts as lost")
      ->check(CLI::Range(0.01, 3600.0));

  section("Workload");
  app.add_option("--scenario", options.scenario,
                 "a named workload, or a file of the same form; other options win over it. Names: " + scenario_names());
  app.add_flag("--list-scenarios", lists_scenarios, "print the named workloads");
  add_workload_options(app, options, workload);

  section("Run");
  app.add_option("--mode", options.modes,
                 "fill, get, set, mix, multiget, or replay; several, such as fill,get, run one after the other")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->transform(one_of(kModes));
  app.add_option("--rounds", options.rounds, "how often to run the modes other than fill")->check(CLI::Range(1, 10000));
  app.add_option("--seconds", options.seconds,
                 "measured time of each phase; default 10, in a search 3, unless --requests is given")
      ->check(CLI::Range(0.001, 1e6));
  app.add_option("--requests", options.requests, "measured requests of each phase; replay: records of the trace")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 62));
  auto* warmup_option = app.add_option("--warmup-seconds", options.warmup_s,
                                       "time before each measured phase; default 0, in a search 0.5")
                            ->check(CLI::Range(0.0, 1e6));

  section("Open loop");
  app.add_option("--rate", options.rate_per_s,
                 "open loop: so many requests a second, of all threads together; latency counts from when each was due")
      ->check(CLI::Range(0.001, 1e9));
  app.add_option("--arrivals", options.arrivals, "open loop: constant or poisson; default constant")
      ->transform(one_of(kArrivals));
  app.add_option(
         "--idling", options.idling,
         "open loop, until the next request is due: near (sleep, but not the last 100 us; default), sleep (for a "
         "generator that shares its cores), spin (never sleep)")
      ->transform(one_of(kIdlings));
  app.add_flag("--find-knee", options.finds_knee,
               "search the highest open-loop rate that keeps p99 under --p99-us; begins at --rate when given");
  app.add_option("--p99-us", options.p99_max_us, "--find-knee: the bound; default 1000")->check(CLI::Range(1.0, 1e9));
  app.add_option("--knee-trials", options.knee_trials_max, "--find-knee: at most so many measurements; default 24")
      ->check(CLI::Range(1, 1000));

  section("Replay");
  app.add_option("--trace", options.trace_path,
                 "mode replay: lines of `key value_size [ttl op [time]]`, plain or gzip");
  app.add_option(
         "--replay-speed", options.replay_speed,
         "mode replay: at the times of the trace, so many times as fast; default as fast as it goes, or at --rate")
      ->check(CLI::Range(1e-6, 1e6));
  app.add_option("--model-memory", options.model_memory_bytes,
                 "mode replay: also the hit ratio of a 2-bit CLOCK in so much memory, such as 64MiB")
      ->transform(CLI::AsSizeValue(false));

  section("Report");
  app.add_option("--json", options.json_path,
                 "write the report to this file too; - for standard output instead of the table");
  app.add_option("--html", options.html_path, "write the report as one self-contained page to this file");
  app.add_option("--hdr", options.hdr_path, "write latencies over time to this file, for HdrHistogram's tools");
  app.add_option("--interval-seconds", options.interval_s, "of the figures over time; default 1")
      ->check(CLI::Range(0.01, 3600.0));
  app.add_flag("--live", options.shows_live, "a line an interval on standard error, even when that is no terminal");

  try {
    app.parse(argc, argv);
    workload.insists_on_mix = app.count("--mix") > 0;
    if (lists_scenarios) {
      return ParsedOptions{.options = std::nullopt, .text = scenarios_text()};
    }
    if (!options.scenario.empty()) {
      auto words = scenario_words(options.scenario, app);
      if (!words) {
        return std::unexpected(words.error());
      }
      words->insert(words->end(), argv + 1, argv + argc);
      std::ranges::reverse(*words);  // as CLI11 wants them
      app.parse(std::move(*words));
    }
  } catch (const CLI::CallForHelp&) {
    return ParsedOptions{.options = std::nullopt, .text = app.help()};
  } catch (const CLI::ParseError& error) {
    return fail(fmt::format("{} (--help lists the options)", error.what()));
  }
  if (workload.protocol == protocol_name(Protocol::Resp)) {
    options.port = kRespPort;
  }
  if (!server.empty()) {
    if (auto parsed = parse_server(server, options.host, options.port); !parsed) {
      return std::unexpected(parsed.error());
    }
  }
  if (auto completed = complete_card(cards, options); !completed) {
    return std::unexpected(completed.error());
  }
  if (auto completed = complete_pace(options, warmup_option->count() > 0); !completed) {
    return std::unexpected(completed.error());
  }
  if (auto completed = complete(options); !completed) {
    return std::unexpected(completed.error());
  }
  if (auto completed = complete_workload(options, workload); !completed) {
    return std::unexpected(completed.error());
  }
  return ParsedOptions{.options = std::move(options), .text = {}};
}

}  // namespace millrace::load
