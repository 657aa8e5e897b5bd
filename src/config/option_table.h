// options.def as rows that the parser and the help walk. Constant; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "config/options.h"

namespace millrace::config {

enum class OptionKind : std::uint8_t {
  Group,
  Number,
  Switch,
  Text,
  Special,
  Exit,
  Noted,
  Refused
};

struct OptionRow {
  OptionKind kind = OptionKind::Group;
  const char* id = "";
  char letter = 0;            ///< 0: none
  const char* name = "";      ///< without dashes; empty: none
  const char* argument = "";  ///< empty: takes none
  const char* sentence = "";  ///< for Noted and Refused: why; for Group: its title
  const char* default_text = "";
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  const char* unit = "";
  void (*set_number)(Options&, std::uint64_t) = nullptr;
  std::uint64_t (*get_number)(const Options&) = nullptr;
  void (*set_switch)(Options&) = nullptr;
  void (*set_text)(Options&, const std::string&) = nullptr;
  Result<void> (*parse)(const std::string&, Options&) = nullptr;  ///< Special

  [[nodiscard]] bool takes_argument() const { return argument[0] != '\0'; }
  /// As CLI11 wants it: "-p,--port".
  [[nodiscard]] std::string cli_name() const;
  /// As the operator knows it: "-p", or "--cores" where there is no letter.
  [[nodiscard]] std::string shown_name() const;
};

std::span<const OptionRow> option_rows();

enum class Takes : std::uint8_t {
  None,
  Number,
  Ratio,
  Text,
  Maybe
};

/// A word of -o.
struct ExtendedRow {
  OptionKind kind = OptionKind::Noted;
  const char* name = "";
  Takes takes = Takes::None;
  const char* sentence = "";
  std::uint64_t min = 0;
  std::uint64_t max = 0;
  const char* unit = "";
  void (*set_number)(Options&, std::uint64_t) = nullptr;
  void (*set_switch)(Options&) = nullptr;
  Result<void> (*parse)(const std::string&, Options&) = nullptr;
};

std::span<const ExtendedRow> extended_rows();

}  // namespace millrace::config
