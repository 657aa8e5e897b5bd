// Named workloads: options that go together, under one name, and files of the same form that anybody can write. A line
// is `option = value`, without the option's dashes; # begins a comment; lists are [in, brackets] or "with,commas"
// (TOML). What stands on the command line wins over the scenario. Cold; main thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {  // NOLINT(readability-identifier-naming): CLI11's name
class App;
}

namespace millrace::load {

/// The scenario's options as words of a command line, but for those that `given`, which has parsed the command line,
/// was told otherwise. `name` is one of scenario_names() or a file's path.
Result<std::vector<std::string>> scenario_words(const std::string& name, const CLI::App& given);

[[nodiscard]] std::string scenario_names();
/// All of them, as their files would be.
[[nodiscard]] std::string scenarios_text();

}  // namespace millrace::load
