#include "bench/load/report/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

namespace millrace::load {
namespace {

constexpr unsigned kDepthMax = 100;

/// Bytes of a string as JSON; what is no UTF-8 of the wire was made printable before it came here.
void append_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

class Writer {
 public:
  Writer(std::string& out, unsigned indent) : out_(&out), indent_(indent) {}

  void operator()(std::monostate) { *out_ += "null"; }
  void operator()(bool value) { *out_ += value ? "true" : "false"; }
  void operator()(std::uint64_t value) { fmt::format_to(std::back_inserter(*out_), "{}", value); }
  void operator()(double value) {
    if (std::isfinite(value)) {
      fmt::format_to(std::back_inserter(*out_), "{}", value);
    } else {
      *out_ += "null";
    }
  }
  void operator()(const std::string& value) { append_string(*out_, value); }
  void operator()(const Json::Array& array) {
    const bool is_flat = std::ranges::none_of(array, [](const Json& each) { return each.is_object(); });
    list('[', ']', is_flat, array, [&](const Json& each) { *out_ += each.text(is_flat ? 0 : next_indent()); });
  }
  void operator()(const Json::Object& object) {
    list('{', '}', false, object, [&](const auto& member) {
      append_string(*out_, member.first);
      *out_ += indent_ > 0 ? ": " : ":";
      *out_ += member.second.text(next_indent());
    });
  }

 private:
  [[nodiscard]] unsigned next_indent() const noexcept { return indent_ == 0 ? 0 : indent_ + 1; }

  template <typename List, typename Append>
  void list(char open, char close, bool is_flat, const List& elements, Append append) {
    const bool has_lines = indent_ > 0 && !is_flat && !elements.empty();
    const auto new_line = [&](unsigned depth) {
      if (has_lines) {
        *out_ += '\n';
        out_->append(depth, ' ');
      }
    };
    *out_ += open;
    bool is_first = true;
    for (const auto& each : elements) {
      *out_ += is_first ? "" : ",";
      is_first = false;
      new_line(indent_);
      append(each);
    }
    new_line(indent_ - 1);
    *out_ += close;
  }

  std::string* out_;
  unsigned indent_;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Json> whole() {
    Json value;
    if (read(value, 0)) {
      skip_space();
      if (at_ == text_.size()) {
        return value;
      }
    }
    return fail(fmt::format("No JSON at byte {}.", at_));
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").contains(text_[at_])) {
      ++at_;
    }
  }
  bool take(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) {
      return false;
    }
    at_ += word.size();
    return true;
  }
  bool take_token(char c) {
    skip_space();
    return take({&c, 1});
  }

  bool read(Json& out, unsigned depth) {
    skip_space();
    if (at_ == text_.size() || depth > kDepthMax) {
      return false;
    }
    switch (text_[at_]) {
      case '{':
        return read_object(out, depth);
      case '[':
        return read_array(out, depth);
      case '"': {
        std::string text;
        const bool is_read = read_string(text);
        out = Json(std::move(text));
        return is_read;
      }
      case 't':
        out = Json(true);
        return take("true");
      case 'f':
        out = Json(false);
        return take("false");
      case 'n':
        out = Json();
        return take("null");
      default:
        return read_number(out);
    }
  }

  bool read_object(Json& out, unsigned depth) {
    out = Json(Json::Object{});
    take("{");
    if (take_token('}')) {
      return true;
    }
    do {
      skip_space();
      std::string name;
      Json value;
      if (!read_string(name) || !take_token(':') || !read(value, depth + 1)) {
        return false;
      }
      out.add(std::move(name), std::move(value));
    } while (take_token(','));
    return take_token('}');
  }

  bool read_array(Json& out, unsigned depth) {
    out = Json(Json::Array{});
    take("[");
    if (take_token(']')) {
      return true;
    }
    do {
      Json value;
      if (!read(value, depth + 1)) {
        return false;
      }
      out.push(std::move(value));
    } while (take_token(','));
    return take_token(']');
  }

  bool read_number(Json& out) {
    const std::size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    const char* const first = text_.data() + at_;
    const char* const last = text_.data() + end;
    std::uint64_t whole = 0;
    double number = 0;
    if (const auto parsed = std::from_chars(first, last, whole); parsed.ec == std::errc{} && parsed.ptr == last) {
      out = Json(whole);
    } else if (const auto real = std::from_chars(first, last, number); real.ec == std::errc{} && real.ptr == last) {
      out = Json(number);
    } else {
      return false;
    }
    at_ = end;
    return true;
  }

  bool read_string(std::string& out) {
    if (!take("\"")) {
      return false;
    }
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c == '"') {
        return true;
      }
      if (c != '\\') {
        out += c;
      } else if (!read_escape(out)) {
        return false;
      }
    }
    return false;
  }

  bool read_escape(std::string& out) {
    constexpr std::string_view kNames = "\"\\/bfnrt";
    constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
    if (at_ == text_.size()) {
      return false;
    }
    const char c = text_[at_++];
    if (const std::size_t found = kNames.find(c); found != std::string_view::npos) {
      out += kBytes[found];
      return true;
    }
    std::uint32_t point = 0;
    if (c != 'u' || !read_hex(point)) {
      return false;
    }
    if (point >= 0xd800 && point < 0xdc00) {
      std::uint32_t low = 0;
      if (!take("\\u") || !read_hex(low) || low < 0xdc00 || low > 0xdfff) {
        return false;
      }
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, point);
    return true;
  }

  bool read_hex(std::uint32_t& point) {
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
    at_ += digits.size();
    return error == std::errc{} && digits.size() == 4 && end == digits.data() + 4;
  }

  static void append_utf8(std::string& out, std::uint32_t point) {
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
    if (point < 0x80) {
      out += static_cast<char>(point);
    } else if (point < 0x800) {
      out += static_cast<char>(0xc0 | (point >> 6));
      tail(0);
    } else if (point < 0x10000) {
      out += static_cast<char>(0xe0 | (point >> 12));
      tail(6);
      tail(0);
    } else {
      out += static_cast<char>(0xf0 | (point >> 18));
      tail(12);
      tail(6);
      tail(0);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Json> Json::parse(std::string_view text) { return Parser(text).whole(); }

std::string Json::text(unsigned indent) const {
  std::string out;
  std::visit(Writer(out, indent), value_);
  return out;
}

bool Json::flag(bool otherwise) const noexcept {
  const bool* const value = std::get_if<bool>(&value_);
  return value != nullptr ? *value : otherwise;
}

double Json::number(double otherwise) const noexcept {
  if (const auto* const whole = std::get_if<std::uint64_t>(&value_)) {
    return static_cast<double>(*whole);
  }
  const double* const value = std::get_if<double>(&value_);
  return value != nullptr ? *value : otherwise;
}

std::uint64_t Json::whole(std::uint64_t otherwise) const noexcept {
  const auto* const value = std::get_if<std::uint64_t>(&value_);
  return value != nullptr ? *value : otherwise;
}

std::string Json::string(std::string_view otherwise) const {
  const auto* const value = std::get_if<std::string>(&value_);
  return value != nullptr ? *value : std::string(otherwise);
}

const Json::Array& Json::array() const noexcept {
  static const Array none;
  const auto* const value = std::get_if<Array>(&value_);
  return value != nullptr ? *value : none;
}

const Json::Object& Json::object() const noexcept {
  static const Object none;
  const auto* const value = std::get_if<Object>(&value_);
  return value != nullptr ? *value : none;
}

const Json& Json::operator[](std::string_view name) const noexcept {
  static const Json null;
  for (const auto& [own, value] : object()) {
    if (own == name) {
      return value;
    }
  }
  return null;
}

Json& Json::add(std::string name, Json value) {
  if (!is_object()) {
    value_ = Object{};
  }
  std::get<Object>(value_).emplace_back(std::move(name), std::move(value));
  return *this;
}

Json& Json::push(Json value) {
  if (!std::holds_alternative<Array>(value_)) {
    value_ = Array{};
  }
  std::get<Array>(value_).push_back(std::move(value));
  return *this;
}

}  // namespace millrace::load
