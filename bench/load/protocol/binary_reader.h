// Cuts a server's byte stream into replies of memcached's binary protocol. reply.h says what a reader promises.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/load/protocol/binary_header.h"
#include "bench/load/protocol/reply.h"

namespace millrace::load {

class BinaryReader {
 public:
  /// False: the stream is no longer to be trusted; offence() says what stood there.
  template <typename Sink>
  [[nodiscard]] bool read(std::string_view bytes, Sink& sink) {
    while (!bytes.empty()) {
      const bool goes_on = body_left_ > 0 ? take_body(bytes, sink) : take_head(bytes, sink);
      if (!goes_on) {
        offence_.assign(head_.data(), head_bytes_);
        return false;
      }
    }
    return true;
  }

  [[nodiscard]] std::string_view offence() const noexcept { return offence_; }

 private:
  static constexpr std::size_t kExtrasBytesMax = 20;
  static constexpr std::size_t kKeyBytesMax = 250;
  static constexpr std::uint32_t kOtherBytesMax = 8;  ///< a counter's number
  static constexpr std::uint32_t kSentenceBytesMax = 2048;

  /// Header, extras and key are gathered; the value passes through.
  template <typename Sink>
  bool take_head(std::string_view& bytes, Sink& sink) {
    const std::size_t piece = std::min(bytes.size(), head_wanted_ - head_bytes_);
    std::memcpy(head_.data() + head_bytes_, bytes.data(), piece);
    head_bytes_ += piece;
    bytes.remove_prefix(piece);
    if (static_cast<unsigned char>(head_[0]) != binary::kReply) {
      return false;  // at once: a server that speaks otherwise may never send as much as a header
    }
    if (head_bytes_ == binary::kHeaderBytes && head_wanted_ == binary::kHeaderBytes && !parse_header(sink.expected())) {
      return false;
    }
    return head_bytes_ < head_wanted_ || begin_body(sink);
  }

  bool parse_header(const Expected& expected) noexcept {
    operation_ = expected.operation;
    opcode_ = static_cast<binary::Opcode>(head_[1]);
    extras_bytes_ = static_cast<unsigned char>(head_[4]);
    key_bytes_ = binary::get_be<std::uint16_t>(&head_[2]);
    status_ = binary::get_be<std::uint16_t>(&head_[6]);
    const std::uint64_t body_bytes = binary::get_be<std::uint32_t>(&head_[8]);
    const bool is_answer = opcode_ == binary::opcode_of(operation_) ||
                           (operation_ == Operation::MultiGet && opcode_ == binary::Opcode::Noop);
    if (expected.keys == 0 || !is_answer || extras_bytes_ > kExtrasBytesMax || key_bytes_ > kKeyBytesMax ||
        body_bytes < std::uint64_t{extras_bytes_} + key_bytes_) {
      return false;
    }
    value_bytes_ = static_cast<std::uint32_t>(body_bytes - extras_bytes_ - key_bytes_);
    head_wanted_ = binary::kHeaderBytes + extras_bytes_ + key_bytes_;
    return value_bytes_ <= (!is_ok() ? kSentenceBytesMax : is_value() ? kReplyValueBytesMax : kOtherBytesMax);
  }

  template <typename Sink>
  bool begin_body(Sink& sink) {
    if (is_ok() && is_value()) {
      if (extras_bytes_ != sizeof(std::uint32_t) || (operation_ == Operation::MultiGet && key_bytes_ == 0)) {
        return false;
      }
      const char* const extras = head_.data() + binary::kHeaderBytes;
      const bool goes_on = sink.on_value({.key = {extras + extras_bytes_, key_bytes_},
                                          .flags = binary::get_be<std::uint32_t>(extras),
                                          .bytes = value_bytes_,
                                          .unique = binary::get_be<std::uint64_t>(&head_[16])});
      if (!goes_on) {
        return false;
      }
    }
    body_left_ = value_bytes_;
    error_.clear();
    if (body_left_ == 0) {
      finish(sink);
    }
    return true;
  }

  template <typename Sink>
  bool take_body(std::string_view& bytes, Sink& sink) {
    const std::string_view chunk = bytes.substr(0, body_left_);
    if (is_ok() && is_value()) {
      if (!sink.on_value_bytes(value_bytes_ - body_left_, chunk)) {
        return false;
      }
    } else if (!is_ok()) {
      error_.append(chunk.substr(0, kOffenceBytesMax - std::min(error_.size(), kOffenceBytesMax)));
    }
    body_left_ -= static_cast<std::uint32_t>(chunk.size());
    bytes.remove_prefix(chunk.size());
    if (body_left_ == 0) {
      finish(sink);
    }
    return true;
  }

  template <typename Sink>
  void finish(Sink& sink) {
    head_bytes_ = 0;
    head_wanted_ = binary::kHeaderBytes;
    const bool is_end = operation_ != Operation::MultiGet || opcode_ == binary::Opcode::Noop;
    const auto code = static_cast<binary::Code>(status_);
    Outcome outcome = Outcome::Error;
    if (is_ok() || (code == binary::Code::NotFound && is_read(operation_))) {
      outcome = Outcome::Done;
    } else if (code == binary::Code::NotFound) {
      outcome = Outcome::Missed;
    } else if (is_store(operation_) && (code == binary::Code::Exists || code == binary::Code::NotStored)) {
      outcome = Outcome::Refused;
    } else {
      sink.on_error(fmt::format("status 0x{:02x}: {}", status_, error_));
    }
    if (is_end) {
      sink.on_done(outcome);
    }
  }

  [[nodiscard]] bool is_ok() const noexcept { return status_ == 0; }
  /// Does the reply, when it is one of success, carry a value that was asked for?
  [[nodiscard]] bool is_value() const noexcept { return is_read(operation_) && opcode_ != binary::Opcode::Noop; }

  std::array<char, binary::kHeaderBytes + kExtrasBytesMax + kKeyBytesMax> head_{};
  std::size_t head_bytes_ = 0;
  std::size_t head_wanted_ = binary::kHeaderBytes;
  Operation operation_ = Operation::Get;
  binary::Opcode opcode_{};
  std::uint16_t status_ = 0;
  std::uint16_t key_bytes_ = 0;
  std::uint8_t extras_bytes_ = 0;
  std::uint32_t value_bytes_ = 0;
  std::uint32_t body_left_ = 0;
  std::string error_;
  std::string offence_;
};

}  // namespace millrace::load
