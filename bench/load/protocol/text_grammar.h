// What the reply lines of the classic text protocol mean. See line_reader.h.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "bench/load/protocol/line_reader.h"
#include "bench/load/protocol/number.h"
#include "bench/load/protocol/reply.h"

namespace millrace::load {

class TextGrammar {
 public:
  template <typename Sink>
  Follows on_line(std::string_view text, Sink& sink, std::uint32_t& value_bytes) {
    const Expected expected = sink.expected();
    if (expected.keys == 0) {
      return Follows::Nothing;
    }
    if (is_read(expected.operation)) {
      if (text == "END") {
        sink.on_done(Outcome::Done);
        return Follows::Line;
      }
      if (text.starts_with("VALUE ")) {
        ValueHeader value;
        if (!parse_value(text.substr(6), expected.operation == Operation::Gets, value)) {
          return Follows::Nothing;
        }
        value_bytes = value.bytes;
        return sink.on_value(value) ? Follows::Value : Follows::Nothing;
      }
    } else if (const auto outcome = outcome_of(expected.operation, text)) {
      sink.on_done(*outcome);
      return Follows::Line;
    }
    if (is_error(text)) {
      sink.on_error(text);
      sink.on_done(Outcome::Error);
      return Follows::Line;
    }
    return Follows::Nothing;
  }

  template <typename Sink>
  bool on_bytes(std::uint32_t offset, std::string_view chunk, Sink& sink) {
    return sink.on_value_bytes(offset, chunk);
  }
  template <typename Sink>
  void on_value_end(Sink&) {}

  /// Error lines are those of the meta commands too.
  [[nodiscard]] static bool is_error(std::string_view text) noexcept {
    return text.starts_with("ERROR") || text.starts_with("SERVER_ERROR") || text.starts_with("CLIENT_ERROR");
  }

 private:
  static std::optional<Outcome> outcome_of(Operation operation, std::string_view text) noexcept {
    switch (operation) {
      case Operation::Cas:
        if (text == "EXISTS") {
          return Outcome::Refused;
        }
        if (text == "NOT_FOUND") {
          return Outcome::Missed;
        }
        [[fallthrough]];
      case Operation::Set:
      case Operation::Add:
      case Operation::Append:
        return text == "STORED"       ? std::optional(Outcome::Done)
               : text == "NOT_STORED" ? std::optional(Outcome::Refused)
                                      : std::nullopt;
      case Operation::Delete:
        return done_or_missed(text == "DELETED", text);
      case Operation::Touch:
        return done_or_missed(text == "TOUCHED", text);
      case Operation::Incr:
        return done_or_missed(!text.empty() && text.size() <= 20 && is_all_digits(text), text);
      default:  // reads
        break;
    }
    return std::nullopt;
  }

  static std::optional<Outcome> done_or_missed(bool is_done, std::string_view text) noexcept {
    return is_done ? std::optional(Outcome::Done) : text == "NOT_FOUND" ? std::optional(Outcome::Missed) : std::nullopt;
  }

  /// `<key> <flags> <bytes>`, and the number for a cas when that was asked for.
  static bool parse_value(std::string_view text, bool has_unique, ValueHeader& value) noexcept {
    const std::size_t key_end = text.find(' ');
    if (key_end == 0 || key_end == std::string_view::npos) {
      return false;
    }
    value.key = text.substr(0, key_end);
    const char* const end = text.data() + text.size();
    const auto flags = std::from_chars(text.data() + key_end + 1, end, value.flags);
    if (flags.ec != std::errc{} || flags.ptr == end || *flags.ptr != ' ') {
      return false;
    }
    const auto bytes = std::from_chars(flags.ptr + 1, end, value.bytes);
    if (bytes.ec != std::errc{} || value.bytes > kReplyValueBytesMax) {
      return false;
    }
    if (!has_unique) {
      return bytes.ptr == end;
    }
    return bytes.ptr != end && *bytes.ptr == ' ' && parse_whole({bytes.ptr + 1, end}, value.unique);
  }
};

}  // namespace millrace::load
