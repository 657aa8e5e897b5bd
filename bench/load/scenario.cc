#include "bench/load/scenario.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string_view>

namespace millrace::load {
namespace {

struct Scenario {
  std::string_view name;
  std::string_view text;
};

constexpr std::array kScenarios{
    Scenario{"etc",
             R"(# Facebook's general-purpose pool: sizes and the 30 gets to a set from B. Atikoglu et al., "Workload
# Analysis of a Large-Scale Key-Value Store", SIGMETRICS 2012. Popularity: the paper has no formula, but says that half
# of the keys occur in 1 % of the requests; so it is with this exponent and a million keys.
mode = "fill,mix"
mix = "get=30,set=1"
keys = 1000000
key-bytes = "etc"
value-bytes = "etc"
zipf = 1.2
connections = 64
)"},
    Scenario{"read-mostly-small",
             R"(# Sessions, tokens, counters of a web site: many small values, a few of them popular.
mode = "fill,mix"
mix = "get=95,set=5"
keys = 1000000
key-bytes = "20-40"
value-bytes = "32-128"
zipf = 0.99
connections = 64
)"},
    Scenario{"big-values", R"(# Rendered pages and pictures.
mode = "fill,mix"
mix = "get=90,set=10"
keys = 2000
key-bytes = 40
value-bytes = "16384=40,65536=40,262144=15,1000000=5"
connections = 16
)"},
    Scenario{"pipelined", R"(# A client that sends without waiting.
mode = "fill,get"
keys = 1000000
connections = 64
depth = 16
)"},
    Scenario{"many-connections", R"(# A fleet of processes with a connection each.
mode = "fill,mix"
mix = "get=90,set=10"
keys = 1000000
connections = 8000
)"},
    Scenario{"hot-key", R"(# One key of a million gets half of the requests.
mode = "fill,mix"
mix = "get=99,set=1"
keys = 1000000
hot-spot = "0.000001:0.5"
connections = 64
)"},
    Scenario{"write-heavy", R"(# Values that are stored more often than they are read, and do not stay.
mode = "fill,mix"
mix = "set=50,get=30,delete=5,touch=5,incr=10"
keys = 1000000
value-bytes = "50-500"
ttl = "60-3600"
connections = 64
)"},
};

/// Options of which one replaces the others.
const std::vector<std::vector<std::string>> kFamilies{
    {"server", "unix"}, {"zipf", "hot-spot", "sequential"}, {"seconds", "requests"}, {"mix", "get-share"}};

bool is_given(const CLI::App& app, const std::string& name) { return app.count("--" + name) > 0; }

bool is_replaced(const CLI::App& given, const std::string& name) {
  const auto family = std::ranges::find_if(
      kFamilies, [&](const auto& members) { return std::ranges::find(members, name) != members.end(); });
  if (family == kFamilies.end()) {
    return is_given(given, name);
  }
  return std::ranges::any_of(*family, [&](const std::string& member) { return is_given(given, member); });
}

std::string joined(const std::vector<std::string>& inputs) {
  std::string text;
  for (const std::string& input : inputs) {
    text += (text.empty() ? "" : ",") + input;
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> scenario_words(const std::string& name, const CLI::App& given) {
  std::istringstream built_in;
  std::ifstream file;
  const auto* const scenario = std::ranges::find(kScenarios, name, &Scenario::name);
  if (scenario != kScenarios.end()) {
    built_in.str(std::string(scenario->text));
  } else {
    file.open(name);
    if (!file) {
      return fail(fmt::format("There is no scenario and no file \"{}\"; scenarios are {}.", name, scenario_names()));
    }
  }
  std::vector<std::string> words;
  try {
    for (const CLI::ConfigItem& item :
         CLI::ConfigTOML().from_config(scenario != kScenarios.end() ? static_cast<std::istream&>(built_in) : file)) {
      if (!item.parents.empty() || item.name == "scenario" || given.get_option_no_throw("--" + item.name) == nullptr) {
        return fail(fmt::format("Scenario {}: \"{}\" is no option (--help lists them).", name, item.fullname()));
      }
      if (!is_replaced(given, item.name)) {
        words.push_back(fmt::format("--{}={}", item.name, joined(item.inputs)));
      }
    }
  } catch (const CLI::Error& error) {
    return fail(fmt::format("Scenario {}: {}", name, error.what()));
  }
  return words;
}

std::string scenario_names() {
  std::string names;
  for (const Scenario& scenario : kScenarios) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", scenario.name);
  }
  return names;
}

std::string scenarios_text() {
  std::string text;
  for (const Scenario& scenario : kScenarios) {
    text += fmt::format("## {}\n{}\n", scenario.name, scenario.text);
  }
  return text;
}

}  // namespace millrace::load
