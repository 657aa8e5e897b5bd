// What the reply lines of memcached's meta commands mean. See line_reader.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "bench/load/protocol/line_reader.h"
#include "bench/load/protocol/number.h"
#include "bench/load/protocol/reply.h"
#include "bench/load/protocol/text_grammar.h"

namespace millrace::load {

class MetaGrammar {
 public:
  template <typename Sink>
  Follows on_line(std::string_view text, Sink& sink, std::uint32_t& value_bytes) {
    const Expected expected = sink.expected();
    if (expected.keys == 0) {
      return Follows::Nothing;
    }
    operation_ = expected.operation;
    if (text.starts_with("VA ")) {
      return on_va(text.substr(3), sink, value_bytes);
    }
    if (TextGrammar::is_error(text)) {
      sink.on_error(text);
      if (operation_ != Operation::MultiGet) {  // whose end is MN
        sink.on_done(Outcome::Error);
      }
      return Follows::Line;
    }
    const auto outcome = outcome_of(text.substr(0, text.find(' ')));
    if (!outcome) {
      return Follows::Nothing;
    }
    sink.on_done(*outcome);
    return Follows::Line;
  }

  template <typename Sink>
  bool on_bytes(std::uint32_t offset, std::string_view chunk, Sink& sink) {
    return operation_ == Operation::Incr ? is_all_digits(chunk) : sink.on_value_bytes(offset, chunk);
  }

  template <typename Sink>
  void on_value_end(Sink& sink) {
    if (operation_ != Operation::MultiGet) {
      sink.on_done(Outcome::Done);
    }
  }

 private:
  /// `<bytes> <flag>*`
  template <typename Sink>
  Follows on_va(std::string_view text, Sink& sink, std::uint32_t& value_bytes) {
    ValueHeader value{.has_flags = false};
    bool has_unique = false;
    if (!is_value_size(take_word(text), value.bytes)) {
      return Follows::Nothing;
    }
    value_bytes = value.bytes;
    if (operation_ == Operation::Incr) {
      return value.bytes > 0 && value.bytes <= 20 ? Follows::Value : Follows::Nothing;
    }
    while (!text.empty()) {
      const std::string_view flag = take_word(text);
      const std::string_view token = flag.substr(flag.empty() ? 0 : 1);
      switch (flag.empty() ? ' ' : flag.front()) {
        case 'f':
          value.has_flags = parse_whole(token, value.flags);
          break;
        case 'k':
          value.key = token;
          break;
        case 'c':
          has_unique = parse_whole(token, value.unique);
          break;
        default:  // others may stand there, such as W, X and Z
          break;
      }
    }
    const bool is_whole = is_read(operation_) && value.has_flags && (operation_ != Operation::Gets || has_unique) &&
                          (operation_ != Operation::MultiGet || !value.key.empty());
    return is_whole && sink.on_value(value) ? Follows::Value : Follows::Nothing;
  }

  [[nodiscard]] std::optional<Outcome> outcome_of(std::string_view code) const noexcept {
    switch (operation_) {
      case Operation::Get:
      case Operation::Gets:
        return code == "EN" ? std::optional(Outcome::Done) : std::nullopt;
      case Operation::MultiGet:
        return code == "MN" ? std::optional(Outcome::Done) : std::nullopt;
      case Operation::Touch:
        return code == "HD"   ? std::optional(Outcome::Done)
               : code == "EN" ? std::optional(Outcome::Missed)
                              : std::nullopt;
      case Operation::Set:
      case Operation::Add:
      case Operation::Append:
      case Operation::Cas:
      case Operation::Delete:
      case Operation::Incr:
        break;
    }
    if (code == "HD" && operation_ != Operation::Incr) {  // whose number comes as a value
      return Outcome::Done;
    }
    if (code == "NF") {
      return Outcome::Missed;
    }
    return code == "NS" || code == "EX" ? std::optional(Outcome::Refused) : std::nullopt;
  }

  Operation operation_ = Operation::Get;  ///< that the line or value being read answers
};

}  // namespace millrace::load
