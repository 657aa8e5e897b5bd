#include "bench/load/aim_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "bench/load/operation.h"
#include "bench/load/parse_whole.h"

namespace millrace::load {
namespace {

constexpr std::size_t kAnswerBytesMax = 4096;  // it has about 150
constexpr std::string_view kHash = "xxh3_64";
constexpr std::string_view kRule = "((hash>>48)*workers)>>16";
constexpr std::uint32_t kPortMax = 65'535;

/// What a line `STAT name value` may be about.
enum Name : std::uint8_t {
  kEnabled,
  kPort,
  kWorkers,
  kHashName,
  kSeed,
  kOwner,
  kNames
};
constexpr std::array<std::string_view, kNames> kWords{"enabled", "port", "workers", "hash", "seed", "owner"};
using Values = std::array<std::optional<std::string_view>, kNames>;

/// False: it is not lines of statistics and END, or says something twice.
bool split(std::string_view answer, Values& values) {
  while (true) {
    const std::size_t end = answer.find("\r\n");
    if (end == std::string_view::npos) {
      return false;
    }
    std::string_view line = answer.substr(0, end);
    answer.remove_prefix(end + 2);
    if (line == "END") {
      return answer.empty();
    }
    if (!line.starts_with("STAT ")) {
      return false;
    }
    line.remove_prefix(5);
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) {
      return false;
    }
    const auto* const known = std::ranges::find(kWords, line.substr(0, space));
    if (known == kWords.end()) {
      continue;
    }
    auto& value = values[static_cast<std::size_t>(known - kWords.begin())];
    if (value) {
      return false;
    }
    value = line.substr(space + 1);
  }
}

}  // namespace

Result<AimMap> read_aim_map(std::string_view answer) {
  Values values;
  if (answer.size() > kAnswerBytesMax || !split(answer, values) || !values[kEnabled]) {
    return fail("--aim: the server does not know `stats aim`: it is no Millrace, or an older one.");
  }
  if (values[kEnabled] != "yes") {
    return fail("--aim: the server publishes no map: start it with --udp-aim PORT.");
  }
  if (values[kHashName] != kHash || values[kOwner] != kRule) {
    return fail("--aim: the server's map goes by another hash or rule than is known here.");
  }
  AimMap map;
  if (!parse_whole(values[kPort].value_or(""), map.port) || !parse_whole(values[kWorkers].value_or(""), map.workers) ||
      !parse_whole(values[kSeed].value_or(""), map.seed) || map.port == 0 || map.workers == 0 ||
      map.workers > kPortMax - map.port + 1) {
    return fail("--aim: the server's map has no seed, no workers, or no ports for them.");
  }
  return map;
}

Result<void> check_owners(const AimMap& map, const KeyText& text, std::uint64_t keys, bool counts) {
  for (const std::uint64_t kind : {std::uint64_t{0}, kCounter}) {
    std::vector<bool> has_keys(map.workers, false);
    std::uint32_t missing = kind == kCounter && !counts ? 0 : map.workers;
    for (std::uint64_t key = 0; key < keys && missing > 0; ++key) {
      const std::uint32_t owner = map.owner(text, kind + key);
      missing -= has_keys[owner] ? 0 : 1;
      has_keys[owner] = true;
    }
    if (missing > 0) {
      return fail(fmt::format("--aim: {} of the {} workers own none of the {} keys: give more --keys.", missing,
                              map.workers, keys));
    }
  }
  return {};
}

}  // namespace millrace::load
