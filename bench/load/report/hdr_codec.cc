#include "bench/load/report/hdr_codec.h"

#include <zlib.h>

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "base/assert.h"

namespace millrace::load {
namespace {

constexpr std::uint32_t kCookie = 0x1c84'9313;
constexpr std::uint32_t kCompressedCookie = 0x1c84'9314;
constexpr std::uint32_t kSignificantDigits = 2;  // 256 sub-buckets, of which the upper 128 count
constexpr std::uint64_t kLowestTrackable = 1;
constexpr std::size_t kHeaderBytes = 40;
constexpr std::size_t kCompressedHeaderBytes = 8;
constexpr std::size_t kCountBytesMax = 9;
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static_assert(1U << (Histogram::kSubBits + 1) == 256);

template <typename T>
void append_big_endian(std::string& out, T value) {
  for (unsigned shift = 8 * sizeof(T); shift > 0; shift -= 8) {
    out += static_cast<char>(value >> (shift - 8));
  }
}

template <typename T>
T read_big_endian(std::string_view bytes, std::size_t at) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[at + i]));
  }
  return value;
}

/// Seven bits a byte, lowest first, the highest bit set on all but the last; a ninth byte holds eight.
void append_zig_zag(std::string& out, std::int64_t signed_value) {
  auto value = static_cast<std::uint64_t>(signed_value << 1 ^ signed_value >> 63);
  std::size_t bytes = 1;
  for (; value >= 0x80 && bytes < kCountBytesMax; ++bytes) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

std::optional<std::int64_t> take_zig_zag(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kCountBytesMax && i < bytes.size(); ++i) {
    const std::uint64_t byte = static_cast<unsigned char>(bytes[i]);
    const bool is_last = byte < 0x80 || i + 1 == kCountBytesMax;
    value |= (i + 1 == kCountBytesMax ? byte : byte & 0x7f) << (7 * i);
    if (is_last) {
      bytes.remove_prefix(i + 1);
      return static_cast<std::int64_t>(value >> 1 ^ (0 - (value & 1)));
    }
  }
  return std::nullopt;
}

std::string base64_of(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t k) -> std::uint32_t {
      return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0;
    };
    const std::uint32_t three = byte(0) << 16 | byte(1) << 8 | byte(2);
    out += kBase64[three >> 18];
    out += kBase64[three >> 12 & 63];
    out += i + 1 < bytes.size() ? kBase64[three >> 6 & 63] : '=';
    out += i + 2 < bytes.size() ? kBase64[three & 63] : '=';
  }
  return out;
}

std::optional<std::string> bytes_of_base64(std::string_view text) {
  std::string out;
  std::uint32_t held = 0;
  unsigned bits = 0;
  for (const char c : text) {
    if (c == '=') {
      break;
    }
    const std::size_t six = kBase64.find(c);
    if (six == std::string_view::npos) {
      return std::nullopt;
    }
    held = held << 6 | static_cast<std::uint32_t>(six);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(held >> bits);
    }
  }
  return out;
}

std::string payload_of(const Histogram& histogram) {
  const auto& counts = histogram.buckets();
  const std::size_t end = histogram.count() == 0 ? 0 : Histogram::bucket(histogram.max()) + 1;
  std::string out;
  for (std::size_t i = 0; i < end;) {
    std::size_t next = i;
    while (next < end && counts[next] == 0) {
      ++next;
    }
    if (next > i) {
      append_zig_zag(out, -static_cast<std::int64_t>(next - i));
      i = next;
    } else {
      append_zig_zag(out, static_cast<std::int64_t>(counts[i++]));
    }
  }
  return out;
}

std::optional<std::string> inflated(std::string_view stream) {
  std::string out(kHeaderBytes + Histogram::kBuckets * kCountBytesMax, '\0');
  uLongf bytes = out.size();
  if (uncompress(reinterpret_cast<Bytef*>(out.data()), &bytes, reinterpret_cast<const Bytef*>(stream.data()),
                 stream.size()) != Z_OK) {
    return std::nullopt;
  }
  out.resize(bytes);
  return out;
}

}  // namespace

std::string hdr_text(const Histogram& histogram) {
  const std::string payload = payload_of(histogram);
  std::string plain;
  append_big_endian(plain, kCookie);
  append_big_endian(plain, static_cast<std::uint32_t>(payload.size()));
  append_big_endian(plain, std::uint32_t{0});  // normalizing index offset
  append_big_endian(plain, kSignificantDigits);
  append_big_endian(plain, kLowestTrackable);
  append_big_endian(plain, Histogram::kValueMax);
  append_big_endian(plain, std::bit_cast<std::uint64_t>(1.0));  // integer-to-double ratio
  MR_ASSERT(plain.size() == kHeaderBytes);
  plain += payload;

  uLongf bytes = compressBound(plain.size());
  std::string stream(bytes, '\0');
  const int status = compress(reinterpret_cast<Bytef*>(stream.data()), &bytes,
                              reinterpret_cast<const Bytef*>(plain.data()), plain.size());
  MR_ASSERT(status == Z_OK);  // out of memory aside, it cannot fail
  stream.resize(bytes);

  std::string whole;
  append_big_endian(whole, kCompressedCookie);
  append_big_endian(whole, static_cast<std::uint32_t>(stream.size()));
  return base64_of(whole + stream);
}

Result<void> add_hdr_text(std::string_view text, Histogram& into) {
  const auto wrong = [] { return fail("This is no HdrHistogram of two significant digits in the V2 encoding."); };
  const auto whole = bytes_of_base64(text);
  if (!whole || whole->size() < kCompressedHeaderBytes ||
      read_big_endian<std::uint32_t>(*whole, 0) != kCompressedCookie) {
    return wrong();
  }
  const auto plain = inflated(std::string_view(*whole).substr(kCompressedHeaderBytes));
  if (!plain || plain->size() < kHeaderBytes || read_big_endian<std::uint32_t>(*plain, 0) != kCookie ||
      read_big_endian<std::uint32_t>(*plain, 12) != kSignificantDigits ||
      read_big_endian<std::uint64_t>(*plain, 16) != kLowestTrackable) {
    return wrong();
  }
  std::string_view payload = std::string_view(*plain).substr(kHeaderBytes);
  for (std::size_t bucket = 0; !payload.empty();) {
    const auto number = take_zig_zag(payload);
    const auto left = static_cast<std::int64_t>(Histogram::kBuckets - bucket);
    if (!number || *number < -left || (*number >= 0 && left == 0)) {
      return wrong();
    }
    if (*number < 0) {
      bucket += static_cast<std::size_t>(-*number);
    } else {
      into.restore(bucket++, static_cast<std::uint64_t>(*number));  // 0: a single empty bucket, as others write it
    }
  }
  return {};
}

}  // namespace millrace::load
