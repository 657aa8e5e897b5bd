#include "bench/load/workload_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string_view>

#include "bench/load/parse_whole.h"

namespace millrace::load {
namespace {

/// A longer time to live is a date to memcached.
constexpr std::uint32_t kTtlSecondsMax = 30 * 24 * 3600;

std::optional<Operation> operation_named(std::string_view name) {
  for (std::size_t i = 0; i < kOperations; ++i) {
    // A gets is always part of a cas.
    if (name == kOperationNames[i] && static_cast<Operation>(i) != Operation::Gets) {
      return static_cast<Operation>(i);
    }
  }
  return std::nullopt;
}

/// `get=90,set=8,delete=1,touch=1`
Result<OperationWeights> parse_mix(const std::string& text) {
  OperationWeights weights{};
  std::string_view rest(text);
  double total = 0;
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(item.size() + 1, rest.size()));
    const std::size_t equals = item.find('=');
    const auto operation = operation_named(item.substr(0, equals));
    double weight = 0;
    if (!operation || equals == std::string_view::npos || !parse_whole(item.substr(equals + 1), weight) ||
        !(weight >= 0 && weight < 1e12)) {
      return fail(
          fmt::format("--mix: \"{}\" is no operation=weight, such as get=90; operations are get, multiget, set, "
                      "add, append, cas, delete, touch, incr.",
                      item));
    }
    weights[static_cast<std::size_t>(*operation)] += weight;
    total += weight;
  }
  if (!(total > 0)) {
    return fail("--mix asks for nothing: give an operation a weight above 0.");
  }
  return weights;
}

Result<void> parse_order(const WorkloadWords& words, KeyPlan& plan) {
  if ((words.zipf.empty() ? 0 : 1) + (words.hot_spot.empty() ? 0 : 1) + (words.is_sequential ? 1 : 0) > 1) {
    return fail("--zipf, --hot-spot and --sequential are orders of keys: choose one.");
  }
  if (words.is_sequential) {
    plan.order = KeyOrder::Sequential;
  }
  if (!words.zipf.empty()) {
    plan.order = KeyOrder::Zipf;
    if (!parse_whole(words.zipf, plan.zipf_exponent) || !(plan.zipf_exponent >= 0 && plan.zipf_exponent <= 20)) {
      return fail(fmt::format("--zipf \"{}\" is no exponent from 0 to 20.", words.zipf));
    }
  }
  if (!words.hot_spot.empty()) {
    plan.order = KeyOrder::HotSpot;
    const std::string_view text(words.hot_spot);
    const std::size_t colon = text.find(':');
    const auto is_share = [](double share) { return share > 0 && share < 1; };
    if (colon == std::string_view::npos || !parse_whole(text.substr(0, colon), plan.hot_keys) ||
        !parse_whole(text.substr(colon + 1), plan.hot_requests) || !is_share(plan.hot_keys) ||
        !is_share(plan.hot_requests)) {
      return fail(fmt::format("--hot-spot \"{}\" is no share of the keys and share of the requests, such as 0.01:0.9.",
                              words.hot_spot));
    }
  }
  return {};
}

/// `60` or `60-3600`
Result<void> parse_ttl(std::string_view text, Options& options) {
  const std::size_t dash = text.find('-');
  if (!parse_whole(text.substr(0, dash), options.ttl_s_min) ||
      !parse_whole(dash == std::string_view::npos ? text : text.substr(dash + 1), options.ttl_s_max) ||
      options.ttl_s_min > options.ttl_s_max || options.ttl_s_max > kTtlSecondsMax) {
    return fail(
        fmt::format("--ttl \"{}\" is no time of 0 to {} seconds, or range of them; more is a date to memcached.", text,
                    kTtlSecondsMax));
  }
  return {};
}

[[nodiscard]] OperationWeights weights_of(const Options& options, Mode mode) {
  switch (mode) {
    case Mode::Fill:
    case Mode::Set:
      return only(Operation::Set);
    case Mode::MultiGet:
      return only(Operation::MultiGet);
    case Mode::Mix:
      return options.mix;
    case Mode::Get:
    case Mode::Replay:
      break;
  }
  return only(Operation::Get);
}

/// Does any phase of the run ask for it?
[[nodiscard]] bool asks_for(const Options& options, Operation operation) {
  return std::ranges::any_of(
      options.modes, [&](Mode mode) { return weights_of(options, mode)[static_cast<std::size_t>(operation)] > 0; });
}

std::string mix_text(const OperationWeights& weights) {
  std::string text;
  for (std::size_t i = 0; i < kOperations; ++i) {
    if (weights[i] > 0) {
      text += fmt::format("{}{}={}", text.empty() ? "" : ",", kOperationNames[i], weights[i]);
    }
  }
  return text;
}

std::string order_text(const KeyPlan& plan) {
  switch (plan.order) {
    case KeyOrder::Uniform:
      break;
    case KeyOrder::Zipf:
      return fmt::format("zipf {}", plan.zipf_exponent);
    case KeyOrder::Sequential:
      return "sequential";
    case KeyOrder::HotSpot:
      return fmt::format("hot spot {}:{}", plan.hot_keys, plan.hot_requests);
  }
  return "uniform";
}

std::string ttl_text(const Options& options) {
  return options.ttl_s_min == options.ttl_s_max ? fmt::format("{}", options.ttl_s_min)
                                                : fmt::format("{}-{}", options.ttl_s_min, options.ttl_s_max);
}

}  // namespace

void add_workload_options(CLI::App& app, Options& options, WorkloadWords& words) {
  app.add_option("--protocol", words.protocol,
                 "text, meta or binary as memcached speaks them, or resp as redis does; default text")
      ->check(CLI::IsMember(std::vector<std::string>(kProtocolNames.begin(), kProtocolNames.end())));
  app.add_option("--keys", options.keys, "number of different keys; default 1000000")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option(
      "--key-bytes,--key-sizes", words.key_bytes,
      "length of keys: 30, or 16-40, or 20=90,60=10 (size=weight), or @FILE of `size weight`, or etc (Facebook's); "
      "default 30");
  app.add_option("--value-bytes,--value-sizes", words.value_bytes, "size of values, said likewise; default 64");
  app.add_option("--zipf", words.zipf, "popularity: rank k in proportion to k^-S; default uniform");
  app.add_option("--hot-spot", words.hot_spot, "KEYS:REQUESTS, such as 0.01:0.9: 1 % of the keys get 90 % of requests");
  app.add_flag("--sequential", words.is_sequential, "keys one after the other");
  app.add_option(
      "--mix", words.mix,
      "mode mix: operations and their weights, such as get=90,set=8,delete=1,touch=1; of get, multiget, set, "
      "add, append, cas, delete, touch, incr");
  app.add_option("--get-share", words.get_share, "mode mix of gets and sets alone: share of gets; default 0.9")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--keys-per-get", options.keys_per_get, "multiget: keys in each request; default 32")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--read-through", options.reads_through, "a key that a read misses is set; a replay always does so");
  app.add_option("--ttl", words.ttl,
                 "time to live of what is stored or touched, in seconds: 60, or 60-3600; default 0 "
                 "(for ever)");
  app.add_flag("--verify", options.verifies, "check key, flags, size and bytes of every value");
  app.add_option("--seed", options.seed, "of all random choices; default 1");
}

Result<void> complete_workload(Options& options, const WorkloadWords& words) {
  const auto* const protocol = std::ranges::find(kProtocolNames, words.protocol);
  options.protocol = static_cast<Protocol>(protocol - kProtocolNames.begin());
  auto key_sizes = SizeDistribution::parse(SizeDistribution::Of::Keys, words.key_bytes);
  if (!key_sizes) {
    return fail("--key-bytes: " + key_sizes.error().what);
  }
  options.key_sizes = std::move(*key_sizes);
  auto value_sizes = SizeDistribution::parse(SizeDistribution::Of::Values, words.value_bytes);
  if (!value_sizes) {
    return fail("--value-bytes: " + value_sizes.error().what);
  }
  options.value_sizes = std::move(*value_sizes);
  if (auto parsed = parse_order(words, options.key_plan); !parsed) {
    return parsed;
  }
  if (auto parsed = parse_ttl(words.ttl, options); !parsed) {
    return parsed;
  }
  if (options.is_replay() && options.ttl_s_min != options.ttl_s_max) {
    return fail("A replay takes one --ttl, for the records that have none.");
  }
  const bool has_mix = !words.mix.empty();
  if (words.insists_on_mix && std::ranges::count(options.modes, Mode::Mix) == 0) {
    return fail("--mix says what --mode mix asks: add that mode, as in --mode fill,mix.");
  }
  options.mix = {};
  options.mix[static_cast<std::size_t>(Operation::Get)] = words.get_share;
  options.mix[static_cast<std::size_t>(Operation::Set)] = 1 - words.get_share;
  if (has_mix) {
    auto mix = parse_mix(words.mix);
    if (!mix) {
      return std::unexpected(mix.error());
    }
    options.mix = *mix;
  }
  for (std::size_t i = 0; i < kOperations; ++i) {
    const auto operation = static_cast<Operation>(i);
    if (asks_for(options, operation) && !can_say(options.protocol, operation)) {
      return fail(fmt::format("--protocol {} has no {} as memcached means it.", words.protocol, kOperationNames[i]));
    }
  }
  if (options.protocol == Protocol::Resp && asks_for(options, Operation::Touch) && options.ttl_s_min == 0) {
    return fail("A touch in RESP (EXPIRE) needs a time to live: --ttl 60.");
  }
  if (options.uses_udp && options.protocol == Protocol::Resp) {
    return fail("--udp is memcached's: it takes --protocol text, meta or binary.");
  }
  if (options.uses_udp && asks_for(options, Operation::MultiGet)) {
    return fail("--udp asks for one key at a time: memcached answers each key of a get in a response of its own.");
  }
  return {};
}

Result<Workload> make_workload(const Options& options, const Trace* trace) {
  auto key_text = KeyText::make(options.key_sizes, trace != nullptr ? trace->keys : options.keys);
  if (!key_text) {
    return std::unexpected(key_text.error());
  }
  if (asks_for(options, Operation::Incr) && !key_text->can_count()) {
    return fail("Counters (incr) need keys that are a byte longer (--key-bytes).");
  }
  return Workload{.key_text = std::move(*key_text),
                  .value_text = ValueText(options.value_sizes, trace != nullptr ? trace->value_bytes_max : 0),
                  .protocol = options.protocol};
}

MixPlan mix_plan(const Options& options, Mode mode, std::uint64_t seed) {
  return {.weights = weights_of(options, mode),
          .keys_per_get = options.keys_per_get,
          .ttl_s_min = options.ttl_s_min,
          .ttl_s_max = options.ttl_s_max,
          .seed = seed};
}

ConnectionSettings connection_settings(const Options& options) {
  return {.depth = options.depth,
          .keys_per_get = asks_for(options, Operation::MultiGet) ? options.keys_per_get : 1,
          .verifies = options.verifies,
          .expects_pieces = asks_for(options, Operation::Append),
          .sizes_follow_keys = !options.is_replay(),
          .reads_through = options.reads_through || options.is_replay(),
          .is_datagram = options.uses_udp};
}

std::vector<std::pair<std::string, std::string>> describe_workload(const Options& options) {
  std::string modes;
  for (const Mode mode : options.modes) {
    modes += modes.empty() ? "" : ",";
    modes += mode_name(mode);
  }
  const std::string protocol = std::string(protocol_name(options.protocol)) + (options.uses_udp ? " over UDP" : "");
  std::vector<std::pair<std::string, std::string>> words{{"protocol", protocol}, {"mode", modes}};
  if (!options.scenario.empty()) {
    words.emplace_back("scenario", options.scenario);
  }
  if (options.is_replay()) {
    words.emplace_back("trace", options.trace_path);
    if (options.replay_speed) {
      words.emplace_back("replay_speed", fmt::format("{}", *options.replay_speed));
    }
  } else {
    words.emplace_back("keys", fmt::format("{}", options.keys));
    words.emplace_back("value_bytes", options.value_sizes.text());
    words.emplace_back("order", order_text(options.key_plan));
  }
  words.emplace_back("key_bytes", options.key_sizes.text());
  if (options.aims) {
    words.emplace_back("aim", "yes");
  }
  if (std::ranges::count(options.modes, Mode::Mix) > 0) {
    words.emplace_back("mix", mix_text(options.mix));
  }
  if (asks_for(options, Operation::MultiGet)) {
    words.emplace_back("keys_per_get", fmt::format("{}", options.keys_per_get));
  }
  words.emplace_back("read_through", options.reads_through || options.is_replay() ? "yes" : "no");
  words.emplace_back("ttl_s", ttl_text(options));
  words.emplace_back("verify", options.verifies ? "yes" : "no");
  words.emplace_back("seed", fmt::format("{}", options.seed));
  return words;
}

}  // namespace millrace::load
