#include "config/help.h"

#include <fmt/format.h>

#include <string_view>

#include "config/option_table.h"

namespace millrace::config {
namespace {

constexpr std::size_t kNameColumns = 38;
constexpr std::size_t kLineColumns = 110;

/// Words of `text` in lines that begin at column `indent`, the first of which is already that far.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t space = text.find(' ');
    const std::string_view word = text.substr(0, space);
    if (column > indent && column + 1 + word.size() > kLineColumns) {
      out += fmt::format("\n{:{}}", "", indent);
      column = indent;
    }
    if (column > indent) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
  }
  return out + "\n";
}

std::string line(const std::string& name, const std::string& sentence) {
  const std::string head = fmt::format("  {:<{}}", name, kNameColumns - 2);
  const std::string gap = head.size() > kNameColumns ? fmt::format("\n{:{}}", "", kNameColumns) : "";
  return head + gap + wrapped(sentence, kNameColumns);
}

std::string names_of(const OptionRow& row) {
  std::string out = row.letter != 0 ? fmt::format("-{}", row.letter) : "  ";
  if (row.name[0] != '\0') {
    out += fmt::format("{} --{}", row.letter != 0 ? "," : " ", row.name);
  }
  if (row.takes_argument()) {
    out += fmt::format("{}{}", row.name[0] != '\0' ? "=" : " ", row.argument);
  }
  return out;
}

std::string sentence_of(const OptionRow& row) {
  if (row.kind == OptionKind::Number) {
    return fmt::format("{} (default {}, from {} to {} {})", row.sentence, row.get_number(Options{}), row.min, row.max,
                       row.unit);
  }
  if (row.default_text[0] != '\0') {
    return fmt::format("{} (default {})", row.sentence, row.default_text);
  }
  return row.sentence;
}

std::string extended_text() {
  std::string out = "\nWords of -o\n";
  for (const ExtendedRow& row : extended_rows()) {
    const char* value = row.takes == Takes::Text ? "=TEXT" : row.takes == Takes::Number ? "=NUM" : "";
    if (row.kind == OptionKind::Number) {
      out += line(row.name + std::string(value),
                  fmt::format("{} (from {} to {} {})", row.sentence, row.min, row.max, row.unit));
    } else if (row.kind == OptionKind::Switch || row.kind == OptionKind::Special) {
      out += line(row.name + std::string(value), row.sentence);
    }
  }
  const auto names = [](OptionKind kind) {
    std::string list;
    for (const ExtendedRow& row : extended_rows()) {
      if (row.kind == kind) {
        list += fmt::format("{}{}", list.empty() ? "" : " ", row.name);
      }
    }
    return list;
  };
  out += "  taken for memcached's sake, without effect:\n    " + wrapped(names(OptionKind::Noted), 4);
  out += "  refused:\n    " + wrapped(names(OptionKind::Refused), 4);
  return out;
}

}  // namespace

std::string help_text() {
  std::string out = version_text() + "A memcached-compatible cache with a worker on each core.\n\nmillrace [OPTIONS]\n";
  for (const OptionRow& row : option_rows()) {
    if (row.kind == OptionKind::Group) {
      out += fmt::format("\n{}\n", row.sentence);
    } else {
      out += line(names_of(row), sentence_of(row));
    }
  }
  return out + extended_text();
}

std::string version_text() { return "millrace " MILLRACE_VERSION "\n"; }

std::string license_text() {
  return version_text() +
         "BSD 3-Clause licence. Millrace comes without any warranty; you may use, change and pass it on as its file\n"
         "LICENSE says. It links, unchanged, to hwloc (BSD), liburing (MIT or LGPL), xxHash (BSD), jemalloc (BSD), "
         "fmt\n"
         "(MIT), spdlog (MIT) and CLI11 (BSD) as the distribution packages them.\n";
}

}  // namespace millrace::config
