// The framing that text, meta and RESP have in common: lines that end in \r\n, and values of an announced size with
// \r\n behind them. What the lines mean is the Grammar's. Owned by one connection; reply.h says what a reader promises.
//
// A Grammar has:
//   Follows on_line(std::string_view text, Sink&, std::uint32_t& value_bytes)    text is without its line end
//   bool on_bytes(std::uint32_t offset, std::string_view chunk, Sink&)           of the value announced
//   void on_value_end(Sink&)
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/load/protocol/reply.h"

namespace millrace::load {

/// What stands behind a line in the stream.
enum class Follows : std::uint8_t {
  Line,
  Value,
  Nothing,  ///< the line was no reply, or not one to what was asked
};

template <typename Grammar>
class LineReader {
 public:
  /// No reply line is longer: `VALUE`, 250 bytes of key and four numbers, or an error's sentence.
  static constexpr std::size_t kLineBytesMax = 2048;

  /// False: the stream is no longer to be trusted; offence() says what stood there.
  template <typename Sink>
  [[nodiscard]] bool read(std::string_view bytes, Sink& sink) {
    while (!bytes.empty()) {
      const bool goes_on = in_value_ ? take_value(bytes, sink) : take_line(bytes, sink);
      if (!goes_on) {
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::string_view offence() const noexcept { return offence_; }

 private:
  template <typename Sink>
  bool take_value(std::string_view& bytes, Sink& sink) {
    if (value_at_ < value_bytes_) {
      const std::string_view chunk = bytes.substr(0, value_bytes_ - value_at_);
      if (!grammar_.on_bytes(value_at_, chunk, sink)) {
        return refuse(chunk);
      }
      value_at_ += static_cast<std::uint32_t>(chunk.size());
      bytes.remove_prefix(chunk.size());
    }
    while (value_at_ >= value_bytes_ && !bytes.empty()) {
      const char wanted = value_at_ == value_bytes_ ? '\r' : '\n';
      if (bytes.front() != wanted) {
        return refuse(bytes);
      }
      bytes.remove_prefix(1);
      if (++value_at_ == value_bytes_ + 2) {
        in_value_ = false;
        grammar_.on_value_end(sink);
        break;
      }
    }
    return true;
  }

  template <typename Sink>
  bool take_line(std::string_view& bytes, Sink& sink) {
    const void* const found = std::memchr(bytes.data(), '\n', bytes.size());
    if (found == nullptr) {
      carry_.append(bytes);
      bytes = {};
      return carry_.size() <= kLineBytesMax || refuse(carry_);
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data()) + 1;
    const std::string_view piece = bytes.substr(0, length);
    bytes.remove_prefix(length);
    if (carry_.empty()) {
      return line(piece, sink);
    }
    carry_.append(piece);
    const bool goes_on = line(carry_, sink);
    carry_.clear();
    return goes_on;
  }

  template <typename Sink>
  bool line(std::string_view whole, Sink& sink) {
    if (whole.size() < 2 || whole[whole.size() - 2] != '\r' || whole.size() > kLineBytesMax) {
      return refuse(whole);
    }
    value_bytes_ = 0;
    const Follows follows = grammar_.on_line(whole.substr(0, whole.size() - 2), sink, value_bytes_);
    if (follows == Follows::Nothing) {
      return refuse(whole);
    }
    in_value_ = follows == Follows::Value;
    value_at_ = 0;
    return true;
  }

  bool refuse(std::string_view text) {
    offence_.assign(text.substr(0, kOffenceBytesMax));
    return false;
  }

  Grammar grammar_;
  bool in_value_ = false;
  std::uint32_t value_bytes_ = 0;
  std::uint32_t value_at_ = 0;  ///< bytes of the value, and of the line end after it, that have come
  std::string carry_;           ///< the beginning of a line that is not all there
  std::string offence_;
};

}  // namespace millrace::load
