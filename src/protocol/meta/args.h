// What a meta command says beyond a request's common fields: its `extra`. A fixed part, then the flags to answer, in
// the order in which they were asked, then the opaque token.
//
//   +------------- Args (48) -------------+-- returns, at most 18 --+-- opaque, at most 32 --+
//
// Pure values; any thread. Written by the parser, read by whoever executes the command, perhaps on another core.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/assert.h"
#include "protocol/limits.h"

namespace millrace::protocol::meta {

/// memcached takes at most so many words in a meta line: command, key and flags, and the length of an ms.
inline constexpr std::uint32_t kWordsMax = 20;
inline constexpr std::uint32_t kReturnsMax = kWordsMax - 2;
/// An opaque with its O.
inline constexpr std::uint32_t kOpaqueBytesMax = 32;

namespace given {
inline constexpr std::uint32_t kTouch = 1U << 0;        ///< T: Request::exptime
inline constexpr std::uint32_t kVivify = 1U << 1;       ///< N
inline constexpr std::uint32_t kRecache = 1U << 2;      ///< R
inline constexpr std::uint32_t kCompare = 1U << 3;      ///< C
inline constexpr std::uint32_t kNewCas = 1U << 4;       ///< E
inline constexpr std::uint32_t kInvalidate = 1U << 5;   ///< I
inline constexpr std::uint32_t kQuiet = 1U << 6;        ///< q
inline constexpr std::uint32_t kNoBump = 1U << 7;       ///< u
inline constexpr std::uint32_t kValue = 1U << 8;        ///< v
inline constexpr std::uint32_t kRemoveValue = 1U << 9;  ///< x
inline constexpr std::uint32_t kBinaryKey = 1U << 10;   ///< b: the key came in base64
}  // namespace given

struct Args {
  std::uint32_t given = 0;
  std::int32_t vivify_exptime = 0;   ///< N
  std::int32_t recache_exptime = 0;  ///< R
  std::uint8_t return_count = 0;
  std::uint8_t opaque_bytes = 0;
  std::uint8_t unused[2] = {};
  std::uint64_t compare = 0;  ///< C
  std::uint64_t new_cas = 0;  ///< E
  std::uint64_t initial = 0;  ///< J
  std::uint64_t delta = 1;    ///< D

  [[nodiscard]] bool has(std::uint32_t flag) const noexcept { return (given & flag) != 0; }
};
static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) == 48);
static_assert(sizeof(Args) + kReturnsMax + kOpaqueBytesMax <= kExtraBytesMax);

/// An extra, read.
struct Extra {
  Args args;
  /// Letters among `s t c f l h O k`, and `T N R` where their order counts.
  std::string_view returns;
  std::string_view opaque;  ///< with its O
};

/// Returns how many bytes it wrote.
inline std::uint8_t write_extra(char* to, const Extra& extra) noexcept {
  MR_DCHECK(extra.args.return_count == extra.returns.size() && extra.args.opaque_bytes == extra.opaque.size());
  std::memcpy(to, &extra.args, sizeof(Args));
  char* at = to + sizeof(Args);
  at += extra.returns.copy(at, extra.returns.size());
  at += extra.opaque.copy(at, extra.opaque.size());
  return static_cast<std::uint8_t>(at - to);
}

[[nodiscard]] inline Extra read_extra(std::string_view bytes) noexcept {
  Extra extra;
  MR_ASSERT(bytes.size() >= sizeof(Args));
  std::memcpy(&extra.args, bytes.data(), sizeof(Args));
  MR_ASSERT(bytes.size() == sizeof(Args) + extra.args.return_count + extra.args.opaque_bytes);
  extra.returns = bytes.substr(sizeof(Args), extra.args.return_count);
  extra.opaque = bytes.substr(sizeof(Args) + extra.args.return_count);
  return extra;
}

}  // namespace millrace::protocol::meta
