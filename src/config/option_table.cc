#include "config/option_table.h"

#include <fmt/format.h>

#include "config/extended.h"
#include "config/values.h"

namespace millrace::config {
namespace {

constexpr OptionRow kRows[] = {
#define MR_GROUP(title) {.kind = OptionKind::Group, .sentence = title},
#define MR_NUMBER(id_, letter_, name_, argument_, field, min_, max_, unit_, sentence_)             \
  {.kind = OptionKind::Number,                                                                     \
   .id = #id_,                                                                                     \
   .letter = letter_,                                                                              \
   .name = name_,                                                                                  \
   .argument = argument_,                                                                          \
   .sentence = sentence_,                                                                          \
   .min = min_,                                                                                    \
   .max = max_,                                                                                    \
   .unit = unit_,                                                                                  \
   .set_number = [](Options& o, std::uint64_t n) { o.field = static_cast<decltype(o.field)>(n); }, \
   .get_number = [](const Options& o) -> std::uint64_t { return o.field; }},
#define MR_SWITCH(id_, letter_, name_, field, value, sentence_) \
  {.kind = OptionKind::Switch,                                  \
   .id = #id_,                                                  \
   .letter = letter_,                                           \
   .name = name_,                                               \
   .sentence = sentence_,                                       \
   .set_switch = [](Options& o) { o.field = value; }},
#define MR_TEXT(id_, letter_, name_, argument_, field, sentence_) \
  {.kind = OptionKind::Text,                                      \
   .id = #id_,                                                    \
   .letter = letter_,                                             \
   .name = name_,                                                 \
   .argument = argument_,                                         \
   .sentence = sentence_,                                         \
   .set_text = [](Options& o, const std::string& text) { o.field = text; }},
#define MR_SPECIAL(id_, letter_, name_, argument_, default_, sentence_) \
  {.kind = OptionKind::Special,                                         \
   .id = #id_,                                                          \
   .letter = letter_,                                                   \
   .name = name_,                                                       \
   .argument = argument_,                                               \
   .sentence = sentence_,                                               \
   .default_text = default_,                                            \
   .parse = parse_##id_},
#define MR_EXIT(id_, letter_, name_, sentence_) \
  {.kind = OptionKind::Exit, .id = #id_, .letter = letter_, .name = name_, .sentence = sentence_},
#define MR_NOTED(id_, letter_, name_, argument_, why) \
  {.kind = OptionKind::Noted, .id = #id_, .letter = letter_, .name = name_, .argument = argument_, .sentence = why},
#define MR_REFUSED(id_, letter_, name_, argument_, why) \
  {.kind = OptionKind::Refused, .id = #id_, .letter = letter_, .name = name_, .argument = argument_, .sentence = why},
#define MR_EXT_NUMBER(name, field, min, max, unit, sentence)
#define MR_EXT_SWITCH(name, field, value, sentence)
#define MR_EXT_SPECIAL(name, takes, sentence)
#define MR_EXT_NOTED(name, takes, why)
#define MR_EXT_REFUSED(name, why)
#include "config/options.def"
};

constexpr ExtendedRow kExtendedRows[] = {
#define MR_GROUP(title)
#define MR_NUMBER(id, letter, name, argument, field, min, max, unit, sentence)
#define MR_SWITCH(id, letter, name, field, value, sentence)
#define MR_TEXT(id, letter, name, argument, field, sentence)
#define MR_SPECIAL(id, letter, name, argument, default, sentence)
#define MR_EXIT(id, letter, name, sentence)
#define MR_NOTED(id, letter, name, argument, why)
#define MR_REFUSED(id, letter, name, argument, why)
#define MR_EXT_NUMBER(name_, field, min_, max_, unit_, sentence_) \
  {.kind = OptionKind::Number,                                    \
   .name = #name_,                                                \
   .takes = Takes::Number,                                        \
   .sentence = sentence_,                                         \
   .min = min_,                                                   \
   .max = max_,                                                   \
   .unit = unit_,                                                 \
   .set_number = [](Options& o, std::uint64_t n) { o.field = static_cast<decltype(o.field)>(n); }},
#define MR_EXT_SWITCH(name_, field, value, sentence_)                                                \
  {.kind = OptionKind::Switch, .name = #name_, .sentence = sentence_, .set_switch = [](Options& o) { \
     o.field = value;                                                                                \
   }},
#define MR_EXT_SPECIAL(name_, takes_, sentence_) \
  {.kind = OptionKind::Special,                  \
   .name = #name_,                               \
   .takes = Takes::takes_,                       \
   .sentence = sentence_,                        \
   .parse = parse_ext_##name_},
#define MR_EXT_NOTED(name_, takes_, why) \
  {.kind = OptionKind::Noted, .name = #name_, .takes = Takes::takes_, .sentence = why},
#define MR_EXT_REFUSED(name_, why) \
  {.kind = OptionKind::Refused, .name = #name_, .takes = Takes::Maybe, .sentence = why},
#include "config/options.def"
};

}  // namespace

std::span<const OptionRow> option_rows() { return kRows; }
std::span<const ExtendedRow> extended_rows() { return kExtendedRows; }

std::string OptionRow::cli_name() const {
  std::string out;
  if (letter != 0) {
    out = fmt::format("-{}", letter);
  }
  if (name[0] != '\0') {
    out += fmt::format("{}--{}", out.empty() ? "" : ",", name);
  }
  return out;
}

std::string OptionRow::shown_name() const {
  return letter != 0 ? fmt::format("-{}", letter) : fmt::format("--{}", name);
}

}  // namespace millrace::config
