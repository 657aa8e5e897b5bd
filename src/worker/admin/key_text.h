// Keys as text, whatever bytes they have. Pure; any thread; appends to what is there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::worker {

/// As in a URI: letters, digits and - . _ ~ stay, everything else is %XX.
inline void append_uri(std::string& out, std::string_view key) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : key) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (stays) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

/// RFC 4648, with padding.
inline void append_base64(std::string& out, std::string_view key) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < key.size(); at += 3) {
    const std::string_view three = key.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < three.size() ? static_cast<unsigned char>(three[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      out += i <= three.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
    }
  }
}

/// Whether a text protocol's line can name it as it is.
[[nodiscard]] inline bool is_text_key(std::string_view key) {
  for (const char c : key) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) {
      return false;
    }
  }
  return true;
}

}  // namespace millrace::worker
