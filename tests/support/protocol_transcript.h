// Drives a protocol session as a worker does and writes down, in words, what it found; the same words wherever the
// stream was cut. Each view given to the session is copied into memory of its exact size first, so that
// AddressSanitizer sees a read past it. What the session promises its caller (session.h) is checked on every call; the
// first breach is kept.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/binary/header.h"
#include "protocol/binary/parse.h"
#include "protocol/meta/args.h"
#include "protocol/session.h"

namespace millrace::tests {

struct Transcript {
  std::vector<std::string> events;  ///< one a request, get lines with all their keys; "error ...", "close"
  std::string breach;               ///< empty, or the promise that was broken
  bool is_closed = false;
  bool is_idle = true;  ///< the session says so, at the end

  bool operator==(const Transcript&) const = default;
};

/// How many of the `unread` bytes the next view shows. 0 counts as 1.
using Cut = std::function<std::size_t(std::size_t unread)>;

[[nodiscard]] inline Cut cut_nowhere() {
  return [](std::size_t unread) { return unread; };
}
[[nodiscard]] inline Cut cut_every(std::size_t bytes) {
  return [bytes](std::size_t) { return bytes; };
}

/// Bytes as one can read them.
[[nodiscard]] inline std::string readable(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > ' ' && byte < 0x7f && c != '\\') {
      text += c;
    } else {
      text += "\\x";
      text += kHex[byte >> 4];
      text += kHex[byte & 15];
    }
  }
  return text;
}

/// Not by +, of which this compiler, optimizing, says untrue things.
[[nodiscard]] inline std::string joined(std::string_view first, std::string_view second) {
  std::string both(first);
  both += second;
  return both;
}

class TranscriptWriter {
 public:
  TranscriptWriter(std::string_view stream, Cut cut, const protocol::SessionOptions& options)
      : stream_(stream), cut_(std::move(cut)), session_(options), options_(options) {}

  Transcript run() {
    while (at_ < stream_.size() && !out_.is_closed && out_.breach.empty()) {
      show(std::clamp<std::size_t>(cut_(stream_.size() - at_), 1, stream_.size() - at_));
    }
    out_.is_idle = session_.is_idle();
    return std::move(out_);
  }

 private:
  void require(bool holds, const char* promise) {
    if (!holds && out_.breach.empty()) {
      out_.breach.assign(promise).append(" at byte ").append(std::to_string(at_));
    }
  }

  /// One view of the stream; the rest of it is given again until nothing more is found, as a worker would.
  void show(std::size_t bytes) {
    std::size_t left = bytes;
    std::size_t calls = 0;
    while (left > 0 && !out_.is_closed && out_.breach.empty()) {
      const std::unique_ptr<char[]> exact(new char[left]);
      std::copy_n(stream_.data() + at_, left, exact.get());
      const std::string_view view(exact.get(), left);
      require(++calls <= bytes + 2 * protocol::kCarryBytes, "work is bounded");
      const std::size_t consumed = session_.is_in_value() ? take(view) : look(view);
      require(consumed <= left, "consumed is of the view");
      at_ += consumed;
      left -= consumed;
      if (is_partly_shown_ && left > 0) {  // any shorter view has to do as well
        left = std::min(left, std::max<std::size_t>(cut_(left), 1));
        is_partly_shown_ = false;
      }
    }
  }

  std::size_t look(std::string_view view) {
    protocol::Request request;
    const protocol::Parsed parsed = session_.next(view, request, scratch_);
    is_partly_shown_ = parsed.consumed == 0;
    switch (parsed.found) {
      case protocol::Found::NeedMore:
        require(parsed.consumed == view.size(), "NeedMore takes all in");
        require(parsed.error.empty(), "NeedMore is no error");
        break;
      case protocol::Found::Request:
        take_request(request);
        break;
      case protocol::Found::ValueBegins:
        require(session_.is_in_value(), "ValueBegins begins a value");
        begin_value(request);
        break;
      case protocol::Found::Error:
        require(parsed.error.empty() || is_reply(parsed.error), "an error is a whole reply");
        keys_.clear();  // what of the line was handed out depends on the cuts
        out_.events.push_back(joined("error ", words_of(parsed.error)));
        break;
      case protocol::Found::Close:
        keys_.clear();
        out_.events.push_back(joined("close ", words_of(parsed.error)));
        out_.is_closed = true;
        break;
    }
    return parsed.consumed;
  }

  std::size_t take(std::string_view view) {
    const protocol::ValueTaken taken = session_.take_value(view);
    require(taken.consumed > 0, "take_value gets on");
    require(taken.bytes.size() <= taken.consumed, "a value's part is consumed");
    require(taken.bytes.empty() || taken.bytes.data() == view.data(), "a value's part comes first");
    value_ += taken.bytes;
    require(value_.size() <= pending_.value_bytes, "a value is as long as it said");
    if (taken.is_over) {
      require(!session_.is_in_value(), "is_over ends the value");
      if (taken.is_bad) {
        out_.events.push_back(joined("error ", pending_.noreply ? "" : "CLIENT_ERROR bad data chunk"));
      } else {
        require(value_.size() == pending_.value_bytes, "a value is complete");
        pending_.key = key_;
        pending_.value = value_;
        pending_.extra_at = extra_.data();
        out_.events.push_back(describe(pending_));
      }
    }
    return taken.consumed;
  }

  void take_request(const protocol::Request& request) {
    require(request.key.size() <= protocol::kKeyBytesMax || protocol::takes_words(request.command) ||
                request.command == protocol::Command::Login,
            "a key is not too long");
    require(request.value.size() == request.value_bytes, "a whole value is whole");
    if (request.command >= protocol::Command::SaslAuth && request.value.ends_with("good")) {
      session_.admit();
    }
    if (!protocol::is_retrieval(request.command) || request.dialect != protocol::Dialect::Text) {
      require(keys_.empty(), "a get line ends before the next request");
      out_.events.push_back(describe(request));
      return;
    }
    require(!request.noreply, "a get is answered");
    if (keys_.empty()) {
      require(!request.key.empty(), "a get line's first key is there");
      keys_ = describe(request);
    }
    if (!request.key.empty()) {
      keys_ += joined(" ", readable(request.key));
    } else {
      require(request.ends_reply, "only a line's end has no key");
    }
    if (request.ends_reply) {
      out_.events.push_back(std::move(keys_));
      keys_.clear();
    }
  }

  void begin_value(const protocol::Request& request) {
    require(protocol::is_storage(request.command), "values belong to storage commands");
    require(request.value.empty(), "a value that begins is not there yet");
    require(request.key.size() <= protocol::kKeyBytesMax && !request.key.empty(), "a stored key is a key");
    if (request.value_bytes > options_.item_bytes_max) {
      out_.events.push_back(joined("too large ", describe(request)));
      session_.skip_value();
      require(!session_.is_in_value(), "a skipped value is not taken");
      return;
    }
    pending_ = request;
    key_ = request.key;
    extra_ = request.extra();
    value_.clear();
  }

  [[nodiscard]] static bool is_binary(std::string_view reply) {
    return reply.starts_with(protocol::binary::kReplyMagic) && reply.size() >= protocol::binary::kHeaderBytes;
  }
  [[nodiscard]] static bool is_reply(std::string_view reply) {
    return is_binary(reply)
               ? reply.size() == protocol::binary::kHeaderBytes + protocol::binary::read_header(reply.data()).body_bytes
               : reply.ends_with("\r\n");
  }
  /// A line without its end; of a binary reply its body.
  [[nodiscard]] static std::string words_of(std::string_view reply) {
    return std::string(is_binary(reply) ? reply.substr(protocol::binary::kHeaderBytes)
                                        : reply.substr(0, reply.find('\r')));
  }

  [[nodiscard]] static std::string describe(const protocol::Request& request);
  [[nodiscard]] static std::string describe_meta(std::string_view bytes);

  std::string_view stream_;
  Cut cut_;
  protocol::Session session_;
  protocol::Scratch scratch_;
  protocol::SessionOptions options_;
  Transcript out_;
  std::size_t at_ = 0;
  bool is_partly_shown_ = false;
  std::string keys_;  // the get line in progress
  protocol::Request pending_;
  std::string key_;
  std::string extra_;
  std::string value_;
};

/// Without the keys of a get line. Fields that are as they are by default are left out.
inline std::string TranscriptWriter::describe(const protocol::Request& request) {
  constexpr std::string_view kNames[] = {
      "get",       "gets", "gat",  "gats",  "set",   "add",       "replace",        "append", "prepend",   "cas",
      "delete",    "incr", "decr", "touch", "me",    "flush_all", "cache_memlimit", "stats",  "version",   "verbosity",
      "shutdown",  "mn",   "quit", "watch", "slabs", "lru",       "lru_crawler",    "config", "sasl_list", "sasl_auth",
      "sasl_step", "login"};
  const bool is_meta = request.dialect == protocol::Dialect::Meta;
  std::string text;
  text.reserve(100);
  text += is_meta ? "meta " : "";
  text += kNames[static_cast<std::size_t>(request.command)];
  const auto add = [&text](std::string_view name, const auto& number) {
    if (number != 0) {
      text += ' ';
      text += name;
      text += joined("=", std::to_string(number));
    }
  };
  const bool is_binary = request.dialect == protocol::Dialect::Binary;
  if ((!protocol::is_retrieval(request.command) || request.dialect != protocol::Dialect::Text) &&
      !request.key.empty()) {
    text += joined(" ", readable(request.key));
  }
  add("flags", request.flags);
  add("exptime", request.exptime);
  add("number", request.number);
  if (protocol::is_storage(request.command) || request.command >= protocol::Command::SaslAuth) {
    text += " value=" + (request.value_bytes == request.value.size() ? readable(request.value)
                                                                     : std::to_string(request.value_bytes) + " bytes");
  }
  if (is_binary) {
    protocol::binary::Args args;
    std::memcpy(&args, request.extra().data(), sizeof args);
    add("op", args.opcode);
    add("opaque", args.opaque);
    add("cas", args.cas);
    add("initial", args.initial);
    text += args.creates ? " creates" : "";
  }
  if (request.has_argument) {
    text += " argument";
  }
  if (request.noreply) {
    text += " noreply";
  }
  if (is_meta) {
    text += describe_meta(request.extra());
  }
  return text;
}

/// Of an extra what is not as by default: flags given by their letters, then numbers, then what is to be answered.
inline std::string TranscriptWriter::describe_meta(std::string_view bytes) {
  const protocol::meta::Extra extra = protocol::meta::read_extra(bytes);
  constexpr std::string_view kLetters = "TNRCEIquvxb";
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!value.empty()) {
      text += ' ';
      text += name;
      text += '=';
      text += value;
    }
  };
  const auto add_number = [&add](std::string_view name, const auto& number, const auto& usual) {
    if (number != usual) {
      add(name, std::to_string(number));
    }
  };
  std::string given;
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if ((extra.args.given >> i & 1) != 0) {
      given += kLetters[i];
    }
  }
  add("given", given);
  add_number("vivify", extra.args.vivify_exptime, 0);
  add_number("recache", extra.args.recache_exptime, 0);
  add_number("compare", extra.args.compare, 0U);
  add_number("new_cas", extra.args.new_cas, 0U);
  add_number("initial", extra.args.initial, 0U);
  add_number("delta", extra.args.delta, 1U);
  add("returns", extra.returns);
  add("opaque", readable(extra.opaque));
  return text;
}

[[nodiscard]] inline Transcript transcript(std::string_view stream, Cut cut = cut_nowhere(),
                                           const protocol::SessionOptions& options = {}) {
  return TranscriptWriter(stream, std::move(cut), options).run();
}

}  // namespace millrace::tests
