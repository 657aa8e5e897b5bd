// What the reply lines of RESP mean. See line_reader.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "bench/load/protocol/line_reader.h"
#include "bench/load/protocol/number.h"
#include "bench/load/protocol/reply.h"

namespace millrace::load {

class RespGrammar {
 public:
  template <typename Sink>
  Follows on_line(std::string_view text, Sink& sink, std::uint32_t& value_bytes) {
    const Expected expected = sink.expected();
    if (expected.keys == 0 || text.empty()) {
      return Follows::Nothing;
    }
    const std::string_view rest = text.substr(1);
    switch (text.front()) {
      case '$':
        return on_bulk(expected, rest, sink, value_bytes);
      case '*':
        return on_array(expected, rest);
      case '+':
        return is_store(expected.operation) && rest == "OK" ? done(sink, Outcome::Done) : Follows::Nothing;
      case ':':
        return on_integer(expected, rest, sink);
      case '-':
        if (elements_left_ > 0) {
          return Follows::Nothing;
        }
        sink.on_error(rest);
        return done(sink, Outcome::Error);
      default:
        return Follows::Nothing;
    }
  }

  template <typename Sink>
  bool on_bytes(std::uint32_t offset, std::string_view chunk, Sink& sink) {
    return sink.on_value_bytes(offset, chunk);
  }

  template <typename Sink>
  void on_value_end(Sink& sink) {
    end_element(sink);
  }

 private:
  /// The header of an array, or -1 for nothing there.
  template <typename Sink>
  Follows on_bulk(const Expected& expected, std::string_view size, Sink& sink, std::uint32_t& value_bytes) {
    const bool is_multi = expected.operation == Operation::MultiGet;
    if (is_multi && elements_left_ == 0) {
      return Follows::Nothing;
    }
    if (size == "-1") {
      if (expected.operation == Operation::Add) {
        return done(sink, Outcome::Refused);
      }
      if (!is_read(expected.operation)) {
        return Follows::Nothing;
      }
      sink.on_miss();
      end_element(sink);
      return Follows::Line;
    }
    if (!is_read(expected.operation) || !is_value_size(size, value_bytes)) {
      return Follows::Nothing;
    }
    return sink.on_value({.bytes = value_bytes, .has_flags = false}) ? Follows::Value : Follows::Nothing;
  }

  Follows on_array(const Expected& expected, std::string_view size) noexcept {
    std::uint32_t elements = 0;
    if (expected.operation != Operation::MultiGet || elements_left_ > 0 || !parse_whole(size, elements) ||
        elements != expected.keys) {
      return Follows::Nothing;
    }
    elements_left_ = elements;
    return Follows::Line;
  }

  template <typename Sink>
  Follows on_integer(const Expected& expected, std::string_view text, Sink& sink) {
    std::int64_t n = 0;
    if (!parse_whole(text, n)) {
      return Follows::Nothing;
    }
    if (expected.operation == Operation::Incr) {
      return done(sink, Outcome::Done);
    }
    if ((expected.operation == Operation::Delete || expected.operation == Operation::Touch) && (n == 0 || n == 1)) {
      return done(sink, n == 1 ? Outcome::Done : Outcome::Missed);
    }
    return Follows::Nothing;
  }

  template <typename Sink>
  static Follows done(Sink& sink, Outcome outcome) {
    sink.on_done(outcome);
    return Follows::Line;
  }

  template <typename Sink>
  void end_element(Sink& sink) {
    elements_left_ -= elements_left_ > 0 ? 1 : 0;
    if (elements_left_ == 0) {
      sink.on_done(Outcome::Done);
    }
  }

  std::uint32_t elements_left_ = 0;  ///< of the array being read
};

}  // namespace millrace::load
