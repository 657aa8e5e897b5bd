// A sink of the traffic generator's reply readers that knows what was asked, writes down what it is told, and notices
// when a reader breaks its promises. For tests and fuzz targets; single-threaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/load/protocol/reply.h"
#include "bench/load/protocol/reply_reader.h"

namespace millrace::tests {

class ReplyNotebook {
 public:
  explicit ReplyNotebook(std::vector<load::Expected> asked) : asked_(std::move(asked)) {}

  /// `[key,flags,bytes,unique:data` and `-` (a miss) of a read that ends with `]`, or `(outcome)`, `!sentence!`.
  std::string text;
  /// What a reader did that it must not; empty: nothing.
  std::string breach;

  [[nodiscard]] std::size_t answered() const { return answered_; }

  [[nodiscard]] load::Expected expected() const {
    return answered_ < asked_.size() ? asked_[answered_] : load::Expected{};
  }
  bool on_value(const load::ValueHeader& value) {
    check(answered_ < asked_.size() && load::is_read(asked_[answered_].operation), "a value for what is no read");
    check(value_seen_ == value_bytes_, "a value within a value");
    check(value.bytes <= load::kReplyValueBytesMax, "too large a value");
    text += "[" + std::string(value.key) + "," + (value.has_flags ? std::to_string(value.flags) : "") + "," +
            std::to_string(value.bytes) + "," + std::to_string(value.unique) + ":";
    value_bytes_ = value.bytes;
    value_seen_ = 0;
    return true;
  }
  bool on_value_bytes(std::uint32_t offset, std::string_view chunk) {
    check(!chunk.empty() && offset == value_seen_, "a gap in a value");
    value_seen_ += static_cast<std::uint32_t>(chunk.size());
    check(value_seen_ <= value_bytes_, "more of a value than was announced");
    text += chunk;
    return true;
  }
  void on_miss() {
    check(value_seen_ == value_bytes_, "a miss within a value");
    text += "-";
  }
  void on_error(std::string_view sentence) { text += "!" + std::string(sentence) + "!"; }
  void on_done(load::Outcome outcome) {
    check(value_seen_ == value_bytes_, "an end within a value");
    check(answered_ < asked_.size(), "an answer to nothing");
    const bool is_read = answered_ < asked_.size() && load::is_read(asked_[answered_].operation);
    constexpr const char* kWords[] = {"(done)", "(refused)", "(missed)", "(error)"};
    text += is_read && outcome == load::Outcome::Done ? "]" : kWords[static_cast<std::size_t>(outcome)];
    ++answered_;
  }

 private:
  void check(bool holds, const char* words) {
    if (!holds && breach.empty()) {
      breach = words;
    }
  }

  std::vector<load::Expected> asked_;
  std::size_t answered_ = 0;
  std::uint32_t value_bytes_ = 0;
  std::uint32_t value_seen_ = 0;
};

/// What a reader makes of a stream.
struct ReplyReading {
  std::string text;
  std::size_t answered = 0;
  bool is_sound = true;
  std::string breach;

  bool operator==(const ReplyReading&) const = default;
};

/// Reads `stream` in pieces as long as `next_piece` says each time, from copies of their exact size.
template <typename NextPiece>
ReplyReading read_replies(load::Protocol protocol, const std::vector<load::Expected>& asked, std::string_view stream,
                          NextPiece&& next_piece) {
  load::ReplyReader reader(protocol);
  ReplyNotebook notebook(asked);
  ReplyReading reading;
  while (!stream.empty() && reading.is_sound) {
    const std::string_view next = stream.substr(0, static_cast<std::size_t>(next_piece()));
    const std::vector<char> piece(next.begin(), next.end());
    reading.is_sound = reader.read(std::string_view(piece.data(), piece.size()), notebook);
    stream.remove_prefix(piece.size());
  }
  reading.text = std::move(notebook.text);
  reading.answered = notebook.answered();
  reading.breach = notebook.breach;
  if (!reading.is_sound && reader.offence().empty() && reading.breach.empty()) {
    reading.breach = "a refusal without words";
  }
  return reading;
}

}  // namespace millrace::tests
