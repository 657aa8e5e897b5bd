#include "bench/load/report/report_file.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "bench/load/report/page.h"
#include "bench/load/report/table.h"
#include "bench/load/report/whole_report_json.h"

namespace millrace::load {
namespace {

/// For scripts first, but with a line for each member.
std::string json_text(const WholeReport& report) { return to_json(report).text(1) + '\n'; }

Result<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    return fail(fmt::format("The report could not be written to {}.", path));
  }
  return {};
}

}  // namespace

Result<WholeReport> read_report(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return fail(fmt::format("{} cannot be read.", path));
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto json = Json::parse(text);
  if (!json) {
    return fail(fmt::format("{}: {}", path, json.error().what));
  }
  auto report = from_json(*json);
  if (!report) {
    return fail(fmt::format("{}: {}", path, report.error().what));
  }
  return report;
}

Result<void> write_report(const WholeReport& report, const std::string& json_path, const std::string& html_path) {
  const bool shows_json = json_path == "-";
  fmt::print("{}", shows_json ? json_text(report) : table_text(report));
  if (!json_path.empty() && !shows_json) {
    if (auto written = write_file(json_path, json_text(report)); !written) {
      return written;
    }
  }
  return html_path.empty() ? Result<void>{} : write_file(html_path, page_text(report));
}

}  // namespace millrace::load
