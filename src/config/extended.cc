#include "config/extended.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "config/option_table.h"
#include "config/values.h"

namespace millrace::config {
namespace {

using Value = std::optional<std::string>;

/// Of -o slab_sizes: what the store can make (store/limits.h).
constexpr std::uint64_t kSlabSizeMin = 32;
constexpr std::uint64_t kSlabSizeMax = 64 * 1024;
constexpr std::size_t kSlabSizesMax = 62;

/// Is there a value where one must be, none where none may be, and is it what it should be?
Result<void> check_value(const ExtendedRow& row, const Value& value) {
  const std::string what = fmt::format("-o {}", row.name);
  switch (row.takes) {
    case Takes::None:
      if (value) {
        return fail(fmt::format("{} takes no value; say -o {}", what, row.name));
      }
      return {};
    case Takes::Maybe:
      return {};
    case Takes::Number:
    case Takes::Ratio:
    case Takes::Text:
      if (!value || value->empty()) {
        return fail(fmt::format("{} needs a value; say -o {}={}", what, row.name,
                                row.takes == Takes::Text ? "TEXT" : "NUMBER"));
      }
      break;
  }
  if (row.takes == Takes::Number && row.kind == OptionKind::Noted) {
    if (auto number = parse_number(what, *value, 0, 0xffff'ffff, "units"); !number) {
      return std::unexpected(number.error());
    }
  }
  if (row.takes == Takes::Ratio) {
    if (auto ratio = parse_fraction(what, *value); !ratio) {
      return std::unexpected(ratio.error());
    }
  }
  return {};
}

Result<void> apply_word(const std::string& name, const Value& value, Options& options) {
  const auto rows = extended_rows();
  const auto row = std::ranges::find_if(rows, [&](const ExtendedRow& r) { return name == r.name; });
  if (row == rows.end()) {
    return fail(fmt::format("-o: there is no '{}'; millrace --help lists what there is", name));
  }
  if (row->kind == OptionKind::Refused) {
    return fail(fmt::format("-o {}: {}", name, row->sentence));
  }
  if (auto checked = check_value(*row, value); !checked) {
    return checked;
  }
  switch (row->kind) {
    case OptionKind::Number: {
      const auto number = parse_number("-o " + name, *value, row->min, row->max, row->unit);
      if (!number) {
        return std::unexpected(number.error());
      }
      row->set_number(options, *number);
      return {};
    }
    case OptionKind::Switch:
      row->set_switch(options);
      return {};
    case OptionKind::Special:
      return row->parse(value.value_or(""), options);
    default:
      options.notes.push_back(fmt::format("-o {} has no effect here: {}", name, row->sentence));
      return {};
  }
}

}  // namespace

Result<void> parse_extended(const std::string& text, Options& options) {
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view word = rest.substr(0, comma);
    const std::size_t equals = word.find('=');
    const std::string name(word.substr(0, equals));
    const Value value = equals == std::string_view::npos ? Value() : Value(word.substr(equals + 1));
    if (name.empty()) {
      return fail(fmt::format("-o: '{}' has an empty word; separate words with single commas", text));
    }
    if (auto applied = apply_word(name, value, options); !applied) {
      return applied;
    }
    if (comma == std::string_view::npos) {
      return {};
    }
    rest.remove_prefix(comma + 1);
  }
}

Result<void> parse_ext_slab_sizes(const std::string& text, Options& options) {
  options.chunk_sizes.clear();
  std::string_view rest = text;
  while (true) {
    const std::size_t dash = rest.find('-');
    const auto size =
        parse_number("-o slab_sizes", std::string(rest.substr(0, dash)), kSlabSizeMin, kSlabSizeMax, "bytes");
    if (!size) {
      return std::unexpected(size.error());
    }
    if (!options.chunk_sizes.empty() && *size <= options.chunk_sizes.back()) {
      return fail(fmt::format("-o slab_sizes: {} does not follow {}; sizes rise, joined by dashes: 64-128-500", *size,
                              options.chunk_sizes.back()));
    }
    if (options.chunk_sizes.size() == kSlabSizesMax) {
      return fail(fmt::format("-o slab_sizes: more than {} sizes", kSlabSizesMax));
    }
    options.chunk_sizes.push_back(static_cast<std::uint32_t>(*size));
    if (dash == std::string_view::npos) {
      return {};
    }
    rest.remove_prefix(dash + 1);
  }
}

Result<void> parse_ext_slab_automove(const std::string& text, Options& options) {
  const auto number =
      text.empty() ? Result<std::uint64_t>(1) : parse_number("-o slab_automove", text, 0, 2, "as its level");
  if (!number) {
    return std::unexpected(number.error());
  }
  options.automove = static_cast<std::uint32_t>(*number);
  return {};
}

Result<void> parse_ext_hash_algorithm(const std::string& text, Options& options) {
  if (text == "xxh3") {
    return {};
  }
  if (text == "jenkins" || text == "murmur3") {
    options.notes.push_back(
        fmt::format("-o hash_algorithm={} has no effect here: keys are hashed with xxh3, seeded", text));
    return {};
  }
  return fail(
      fmt::format("-o hash_algorithm: there is no '{}'; xxh3 is what Millrace uses (jenkins and murmur3 are taken "
                  "for memcached's sake)",
                  text));
}

}  // namespace millrace::config
