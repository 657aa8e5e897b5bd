#include "bench/load/workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/assert.h"

namespace millrace::load {
namespace {

constexpr std::uint32_t kKeyBytesMax = 250;  // the protocol's limit
constexpr std::string_view kPrefix = "key:";

constexpr std::array<char, 200> two_digits() {
  std::array<char, 200> table{};
  for (std::size_t i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}
constexpr std::array<char, 200> kTwoDigits = two_digits();

}  // namespace

Result<KeyText> KeyText::make(std::uint32_t key_bytes, std::uint64_t keys) {
  if (keys == 0) {
    return fail("There must be at least one key (--keys 1).");
  }
  const auto digits = static_cast<std::uint32_t>(fmt::formatted_size("{}", keys - 1));
  if (key_bytes < digits || key_bytes > kKeyBytesMax) {
    return fail(fmt::format("A key of {} bytes cannot be made: {} keys need {} to {} bytes (--key-bytes).", key_bytes,
                            keys, digits, kKeyBytesMax));
  }
  const auto prefix_bytes = std::min(static_cast<std::uint32_t>(kPrefix.size()), key_bytes - digits);
  std::string zero(kPrefix.substr(0, prefix_bytes));
  zero.append(key_bytes - prefix_bytes, '0');
  return KeyText(std::move(zero), prefix_bytes, digits);
}

char* KeyText::write(std::uint64_t number, char* out) const noexcept {
  std::memcpy(out, zero_.data(), zero_.size());
  char* const end = out + zero_.size();
  char* at = end;
  std::uint32_t left = digits_;
  for (; left >= 2; left -= 2) {
    at -= 2;
    std::memcpy(at, &kTwoDigits[2 * (number % 100)], 2);
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
  if (text.size() != zero_.size() ||
      text.substr(0, prefix_bytes_) != std::string_view(zero_).substr(0, prefix_bytes_)) {
    return std::nullopt;
  }
  const std::size_t first_digit = zero_.size() - digits_;
  std::uint64_t number = 0;
  for (std::size_t i = prefix_bytes_; i < text.size(); ++i) {
    const char c = text[i];
    if (c < '0' || c > '9' || (i < first_digit && c != '0')) {
      return std::nullopt;
    }
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

ValueText::ValueText(std::uint32_t bytes_min, std::uint32_t bytes_max, std::uint32_t largest)
    : bytes_min_(bytes_min), bytes_max_(bytes_max) {
  MR_ASSERT(bytes_min <= bytes_max);
  pattern_.resize(kWindow + std::max(largest, bytes_max));
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
  std::array<char, kNameBytes> name;
  write_name(key, size, name.data());
  const std::uint32_t head = std::min(size, kNameBytes);
  std::memcpy(out, name.data(), head);
  std::memcpy(out + head, body(key), size - head);
  return out + size;
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
