#include "bench/load/report/subcommands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/load/report/compare.h"
#include "bench/load/report/merge.h"
#include "bench/load/report/page.h"
#include "bench/load/report/report_file.h"
#include "bench/load/report/table.h"

namespace millrace::load {
namespace {

int failed(const Error& error) {
  fmt::print(stderr, "millrace-load: {}\n", error.what);
  return 1;
}

/// The exit code when there is nothing more to do: help was asked for, or the words are wrong.
std::optional<int> parse(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "millrace-load: {} (--help says how)\n", error.what());
    return 2;
  }
  return std::nullopt;
}

}  // namespace

int compare_command(int argc, const char* const* argv) {
  std::string path_a;
  std::string path_b;
  CLI::App app("Holds result B against result A: ratios of rates and latencies, and how their configurations differ.",
               "millrace-load compare");
  app.add_option("A", path_a, "a result written with --json")->required();
  app.add_option("B", path_b, "another")->required();
  if (const auto code = parse(app, argc, argv)) {
    return *code;
  }
  const auto a = read_report(path_a);
  if (!a) {
    return failed(a.error());
  }
  const auto b = read_report(path_b);
  if (!b) {
    return failed(b.error());
  }
  fmt::print("{}", compare_text(*a, path_a, *b, path_b));
  return 0;
}

int merge_command(int argc, const char* const* argv) {
  std::vector<std::string> paths;
  std::string json_path;
  std::string html_path;
  CLI::App app(
      "Makes one result of several hosts' that loaded one server at the same time; of one, another form of it.",
      "millrace-load merge");
  app.add_option("RESULT", paths, "results written with --json")->required();
  app.add_option("--json", json_path, "write the merged result to this file; - for standard output, without the table");
  app.add_option("--html", html_path, "write it as one self-contained page to this file");
  if (const auto code = parse(app, argc, argv)) {
    return *code;
  }
  std::vector<WholeReport> reports;
  for (const std::string& path : paths) {
    auto report = read_report(path);
    if (!report) {
      return failed(report.error());
    }
    reports.push_back(std::move(*report));
  }
  const auto merged = merge(reports);
  if (!merged) {
    return failed(merged.error());
  }
  const auto written = write_report(*merged, json_path, html_path);
  return written ? 0 : failed(written.error());
}

}  // namespace millrace::load
