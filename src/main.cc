// millrace: reads the command line, serves, and says why when it cannot.

#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <string>
#include <variant>
#include <vector>

#include "config/parse_cli.h"
#include "server/server.h"

/// jemalloc's, which reads it when it starts; MALLOC_CONF in the environment goes over it. What a burst of replies took
/// goes back to the system soon, not after ten seconds: -m and what docs/limits.md adds to it are a promise about the
/// process.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:500,muzzy_decay_ms:0";
}

namespace {

void set_up_log(int verbosity) {
  spdlog::set_default_logger(spdlog::stderr_color_mt("millrace"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S%z %l %v");
  spdlog::set_level(verbosity >= 1 ? spdlog::level::debug : spdlog::level::info);
}

int complain(const millrace::Error& error) {
  fmt::print(stderr, "millrace: {}\n", error.what);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace millrace;
  const auto parsed = config::parse_cli(std::vector<std::string>(argv + 1, argv + argc), config::read_process_facts());
  if (!parsed) {
    return complain(parsed.error());
  }
  if (const auto* text = std::get_if<config::ExitText>(&*parsed)) {
    std::fputs(text->text.c_str(), stdout);
    return 0;
  }
  const auto& options = std::get<config::Options>(*parsed);
  set_up_log(options.verbosity);
  const auto status = server::run(options);
  return status ? *status : complain(status.error());
}
