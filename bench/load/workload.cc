#include "bench/load/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"
#include "protocol/ascii/value_line.h"

namespace millrace::load {
namespace {

constexpr std::string_view kPrefix = "key:";
constexpr std::string_view kCounterPrefix = "ctr:";

}  // namespace

Result<KeyText> KeyText::make(SizeDistribution sizes, std::uint64_t keys) {
  if (keys == 0) {
    return fail("There must be at least one key (--keys 1).");
  }
  const auto digits = static_cast<std::uint32_t>(fmt::formatted_size("{}", keys - 1));
  if (sizes.max() < digits || sizes.max() > kBytesMax) {
    return fail(fmt::format("A key of {} bytes cannot be made: {} keys need {} to {} bytes (--key-bytes).", sizes.max(),
                            keys, digits, kBytesMax));
  }
  const bool is_one_size = sizes.min() == sizes.max();
  const std::uint32_t size_min = is_one_size ? sizes.max() : std::min(digits + 1, sizes.max());
  return KeyText(std::move(sizes), size_min, digits);
}

KeyText::KeyText(SizeDistribution sizes, std::uint32_t size_min, std::uint32_t digits)
    : sizes_(std::move(sizes)), zeros_(kPrefix), counter_zeros_(kCounterPrefix), size_min_(size_min), digits_(digits) {
  zeros_.resize(sizes_.max(), '0');
  counter_zeros_.resize(sizes_.max(), '0');
}

char* KeyText::write(std::uint64_t number, char* out) const noexcept {
  const std::uint32_t bytes = size(number);
  std::memcpy(out, (is_counter(number) ? counter_zeros_ : zeros_).data(), bytes);
  number &= ~kCounter;
  char* const end = out + bytes;
  char* at = end;
  std::uint32_t left = digits_;
  for (; left >= 2; left -= 2) {
    at -= 2;
    std::memcpy(at, &protocol::ascii::kPairs[2 * (number % 100)], 2);
    number /= 100;
  }
  if (left == 1) {
    *--at = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  MR_DCHECK(number == 0);
  return end;
}

std::optional<std::uint64_t> KeyText::number(std::string_view text) const noexcept {
  if (text.size() < digits_ || text.size() > zeros_.size()) {
    return std::nullopt;
  }
  const std::size_t first_digit = text.size() - digits_;
  if (text.substr(0, first_digit) != std::string_view(zeros_).substr(0, first_digit)) {
    return std::nullopt;
  }
  std::uint64_t number = 0;
  for (const char c : text.substr(first_digit)) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return size(number) == text.size() ? std::optional(number) : std::nullopt;
}

ValueText::ValueText(SizeDistribution sizes, std::uint32_t largest) : sizes_(std::move(sizes)) {
  pattern_.resize(kWindow + std::max({largest, sizes_.max(), kPieceBytes}));
  Prng prng(20'240'601);
  for (char& c : pattern_) {
    c = static_cast<char>(' ' + prng.below(95));
  }
}

void ValueText::write_name(std::uint64_t key, std::uint32_t size, char* out) noexcept {
  std::uint64_t name = mix64(key * 0x1'0000'01b3ULL + size);
  for (std::uint32_t i = 0; i < kNameBytes; ++i) {
    out[i] = "0123456789abcdef"[name & 15];
    name >>= 4;
  }
}

char* ValueText::write(std::uint64_t key, std::uint32_t size, char* out) const noexcept {
  MR_DCHECK(size <= largest());
  if (is_counter(key)) {
    *out = '0';
    return out + 1;
  }
  std::array<char, kNameBytes> name;
  write_name(key, size, name.data());
  const std::uint32_t head = std::min(size, kNameBytes);
  std::memcpy(out, name.data(), head);
  std::memcpy(out + head, body(key), size - head);
  return out + size;
}

char* ValueText::write_piece(std::uint64_t key, char* out) noexcept {
  std::array<char, kNameBytes> name;
  write_name(~key, kPieceBytes, name.data());
  std::memcpy(out, name.data(), kPieceBytes);
  return out + kPieceBytes;
}

bool ValueText::matches_pieces(std::uint64_t key, std::uint32_t size, std::uint32_t offset,
                               std::string_view chunk) noexcept {
  std::array<char, kPieceBytes> piece;
  write_piece(key, piece.data());
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    if (chunk[i] != piece[(offset - size + i) % kPieceBytes]) {
      return false;
    }
  }
  return true;
}

bool ValueText::matches(std::uint64_t key, std::uint32_t size, std::uint32_t offset,
                        std::string_view chunk) const noexcept {
  if (size > largest() || offset + chunk.size() > size) {
    return false;
  }
  if (offset < kNameBytes) {
    std::array<char, kNameBytes> name;
    write_name(key, size, name.data());
    const std::size_t head = std::min<std::size_t>(chunk.size(), kNameBytes - offset);
    if (std::memcmp(name.data() + offset, chunk.data(), head) != 0) {
      return false;
    }
    chunk.remove_prefix(head);
    offset += static_cast<std::uint32_t>(head);
  }
  return chunk.empty() || std::memcmp(body(key) + (offset - kNameBytes), chunk.data(), chunk.size()) == 0;
}

}  // namespace millrace::load
