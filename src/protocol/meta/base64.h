// Keys in base64 (RFC 4648, section 4), as meta commands with the flag b have them. Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace millrace::protocol::meta {

[[nodiscard]] constexpr std::size_t base64_bytes(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

/// Returns the end of what was written: base64_bytes(bytes.size()).
char* encode_base64(char* at, std::string_view bytes) noexcept;

/// At most three bytes for each four of `text`. As memcached does: what is not in the alphabet is passed over, and
/// nothing is read behind the padding. Returns how many bytes were written; 0: not base64.
[[nodiscard]] std::size_t decode_base64(char* to, std::string_view text) noexcept;

}  // namespace millrace::protocol::meta
