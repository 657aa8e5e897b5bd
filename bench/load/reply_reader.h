// Cuts a server's byte stream into replies of the classic text protocol, however the stream was split.
// Owned by one connection. Says nothing about whether a reply is the right one: that is its sink's business. The bytes
// come from the wire, so nothing about them is asserted; what is not a reply stops the reader for good.
//
// A sink has, each returning false to stop:
//   bool on_value(const ValueHeader&)                          VALUE line; its key view is valid during the call
//   bool on_value_bytes(std::uint32_t offset, std::string_view) the data, in pieces; not called for a value of 0 bytes
//   bool on_line(ReplyLine, std::string_view text)             what ends a reply
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::load {

enum class ReplyLine : std::uint8_t {
  End,
  Stored,
  NotStored,
  Error,  ///< ERROR, CLIENT_ERROR …, SERVER_ERROR …
};

struct ValueHeader {
  std::string_view key;
  std::uint32_t flags = 0;
  std::uint32_t bytes = 0;
};

class ReplyReader {
 public:
  /// No reply line is longer: `VALUE`, 250 bytes of key and three numbers, or an error's sentence.
  static constexpr std::size_t kLineBytesMax = 2048;
  static constexpr std::uint32_t kValueBytesMax = 1U << 30;

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
  /// Is the stream between two lines, with no value begun?
  [[nodiscard]] bool is_between_lines() const noexcept { return !in_value_ && carry_.empty(); }

 private:
  template <typename Sink>
  bool take_value(std::string_view& bytes, Sink& sink) {
    if (value_at_ < value_.bytes) {
      const std::string_view chunk = bytes.substr(0, value_.bytes - value_at_);
      if (!sink.on_value_bytes(value_at_, chunk)) {
        return refuse(chunk);
      }
      value_at_ += static_cast<std::uint32_t>(chunk.size());
      bytes.remove_prefix(chunk.size());
    }
    while (value_at_ >= value_.bytes && !bytes.empty()) {
      const char wanted = value_at_ == value_.bytes ? '\r' : '\n';
      if (bytes.front() != wanted) {
        return refuse(bytes);
      }
      bytes.remove_prefix(1);
      if (++value_at_ == value_.bytes + 2) {
        in_value_ = false;
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
  bool line(std::string_view text, Sink& sink) {
    const std::string_view whole = text;
    if (text.size() < 2 || text[text.size() - 2] != '\r' || text.size() > kLineBytesMax) {
      return refuse(whole);
    }
    text.remove_suffix(2);
    if (text.starts_with("VALUE ")) {
      if (!parse_value(text.substr(6)) || !sink.on_value(value_)) {
        return refuse(whole);
      }
      value_.key = {};
      value_at_ = 0;
      in_value_ = true;
      return true;
    }
    ReplyLine kind{};
    if (text == "END") {
      kind = ReplyLine::End;
    } else if (text == "STORED") {
      kind = ReplyLine::Stored;
    } else if (text == "NOT_STORED") {
      kind = ReplyLine::NotStored;
    } else if (text == "ERROR" || text.starts_with("SERVER_ERROR") || text.starts_with("CLIENT_ERROR")) {
      kind = ReplyLine::Error;
    } else {
      return refuse(whole);
    }
    return sink.on_line(kind, text) || refuse(whole);
  }

  /// `<key> <flags> <bytes>`
  bool parse_value(std::string_view text) {
    const std::size_t key_end = text.find(' ');
    if (key_end == 0 || key_end == std::string_view::npos) {
      return false;
    }
    value_.key = text.substr(0, key_end);
    const char* const end = text.data() + text.size();
    const auto flags = std::from_chars(text.data() + key_end + 1, end, value_.flags);
    if (flags.ec != std::errc{} || flags.ptr == end || *flags.ptr != ' ') {
      return false;
    }
    const auto bytes = std::from_chars(flags.ptr + 1, end, value_.bytes);
    return bytes.ec == std::errc{} && bytes.ptr == end && value_.bytes <= kValueBytesMax;
  }

  bool refuse(std::string_view text) {
    offence_.assign(text.substr(0, 120));
    return false;
  }

  bool in_value_ = false;
  std::uint32_t value_at_ = 0;  ///< bytes of the value, and of the line end after it, that have come
  ValueHeader value_{};
  std::string carry_;  ///< the beginning of a line that is not all there
  std::string offence_;
};

}  // namespace millrace::load
